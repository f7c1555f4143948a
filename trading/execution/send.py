"""Marked orders, sent concurrently over one pool of warm connections. No database here."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.utils import timezone

from trading.endpoints import client_of
from trading.exchange.client import ExchangeClient
from trading.exchange.protection import Protection
from trading.exchange.runner import exchange_loop
from trading.exchange.types import (
    Credentials,
    MarginMode,
    OrderType,
    Outcome,
    Placement,
    PlaceRequest,
    PositionSide,
    SendOutcome,
    Side,
)
from trading.execution.asking import trigger
from trading.execution.mark import Marked
from trading.faults import faultpoint
from trading.models import Order
from trading.outgoing import Outgoing
from trading.protections import algo_id_of

TOO_LATE_MS = 300
ANSWERS_AT_ONCE = 400
WORTH_IT = 100
# Answers come close together: recording them together costs a fraction of one by one.
GATHER_S = 0.02
PATIENCE_S = 30

_TOO_LATE = SendOutcome(kind=Outcome.NOT_PLACED, message="too late to send: not sent")
_NOT_FINISHED = SendOutcome(kind=Outcome.UNKNOWN, excerpt="the request was not finished")


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one attempt, and when we heard."""

    marked: Marked
    outcome: SendOutcome
    at: datetime


Ready = tuple[Marked, Credentials]


class Sending:
    """Orders on their way, and the answers that came. One slow account holds up nobody's."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[Answered] = queue.SimpleQueue()
        self._left = 0

    def launch(self, marked: Sequence[Ready]) -> None:
        """Hand them to the exchange's loop, which is another thread's, and go on. Closes first."""
        by_client: dict[ExchangeClient, list[Ready]] = {}
        for one, keys in sorted(marked, key=lambda ready: ready[0].order.opens):
            by_client.setdefault(client_of(one.order.account), []).append((one, keys))
        self._left += len(marked)
        for client, batch in by_client.items():
            exchange_loop().submit(_send_all(client, batch, self._answers.put))

    @property
    def is_quiet(self) -> bool:
        """No answer waits to be taken."""
        return self._answers.empty()

    def come(self) -> list[Answered]:
        """What has been answered by now, where that is enough to be worth a transaction."""
        if self._answers.qsize() < WORTH_IT:
            return []
        return self._gather([], until=0)

    def answers(self) -> Iterator[list[Answered]]:
        """All answers that are still to come, in batches."""
        while self._left:
            first = self._answers.get(timeout=PATIENCE_S)
            self._left -= 1
            yield self._gather([first], until=time.monotonic() + GATHER_S)

    def _gather(self, batch: list[Answered], *, until: float) -> list[Answered]:
        while self._left and len(batch) < ANSWERS_AT_ONCE:
            try:
                wait = until - time.monotonic()
                batch.append(self._answers.get(wait > 0, max(wait, 0)))
            except queue.Empty:
                break
            self._left -= 1
        return batch


def send(marked: Sequence[Ready]) -> Iterator[list[Answered]]:
    """Send all at once and yield the answers in batches, as they come."""
    sending = Sending()
    sending.launch(marked)
    yield from sending.answers()


async def _send_all(
    client: ExchangeClient, batch: Sequence[Ready], answer: Callable[[Answered], None]
) -> None:
    """Send what is not too late by now; every order gets exactly one answer, whatever happens."""
    waiting = dict(enumerate(one for one, _ in batch))
    sent: list[int] = []

    def tell(number: int, outcome: SendOutcome) -> None:
        one = waiting.pop(number, None)
        if one is not None:
            answer(Answered(one, outcome, timezone.now()))

    def done(place: int, outcome: SendOutcome) -> None:
        try:
            faultpoint("S6.after_send")
        except Exception as error:  # noqa: BLE001 - whatever happened, it may have been placed
            outcome = SendOutcome(kind=Outcome.UNKNOWN, excerpt=type(error).__name__)
        tell(sent[place], outcome)

    try:
        placements = []
        for number, (one, keys) in enumerate(batch):
            placement = _placement(one, keys, client, partial(tell, number))
            if placement is not None:
                sent.append(number)
                placements.append(placement)
        await client.place_orders(placements, done)
    finally:
        for number in list(waiting):
            tell(number, _NOT_FINISHED)


def _placement(
    one: Marked, keys: Credentials, client: ExchangeClient, end: Callable[[SendOutcome], None]
) -> Placement | None:
    """What goes out for the order, or None when its answer is known without sending it."""
    try:
        if client.clock.now_ms() > one.attempt.exp_at_ms - TOO_LATE_MS:
            end(_TOO_LATE)
            return None
        faultpoint("S6.before_send")
        return Placement(keys, place_request(one.order), one.attempt.exp_at_ms)
    except Exception as error:  # noqa: BLE001 - the others go on
        end(SendOutcome(kind=Outcome.UNKNOWN, excerpt=type(error).__name__))
        return None


def place_request(order: Order | Outgoing) -> PlaceRequest:
    """The order in the exchange's terms. Net mode sends no position side."""
    net = order.position_side == PositionSide.NET
    spot_market = order.margin_mode == MarginMode.CASH and order.order_type == OrderType.MARKET
    return PlaceRequest(
        inst_id=order.inst_id,
        side=Side(order.side),
        position_side=None if net else PositionSide(order.position_side),
        margin_mode=MarginMode(order.margin_mode),
        order_type=OrderType(order.order_type),
        quantity=order.quantity,
        price=order.price,
        reduce_only=order.reduce_only,
        client_order_id=order.client_order_id,
        target_currency="base_ccy" if spot_market else None,
        protection=_protection(order),
    )


def _protection(order: Order | Outgoing) -> Protection | None:
    """What an opening brings along, under the same id at every attempt."""
    if not order.opens or (order.take_profit is None and order.stop_loss is None):
        return None
    return Protection(
        client_algo_id=algo_id_of(order.client_order_id),
        take_profit=trigger(order.take_profit),
        stop_loss=trigger(order.stop_loss),
    )
