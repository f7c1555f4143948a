"""Marked orders, sent concurrently over one pool of warm connections. No database here."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from trading.departing import Marked
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
from trading.faults import faultpoint
from trading.models import Order
from trading.outgoing import Outgoing
from trading.protections import algo_id_of

TOO_LATE_MS = 300
ANSWERS_AT_ONCE = 400
# Answers come close together: recording them together costs a fraction of one by one.
GATHER_S = 0.02
PATIENCE_S = 30

_TOO_LATE = SendOutcome(kind=Outcome.NOT_PLACED, message="too late to send: not sent")
_NOT_FINISHED = SendOutcome(kind=Outcome.UNKNOWN, excerpt="the request was not finished")


class Answered(NamedTuple):
    """What became of one attempt, and when we heard."""

    marked: Marked
    outcome: SendOutcome
    at: datetime


Ready = tuple[Marked, Credentials]


class Inbox:
    """Answers on their way from the exchange's loop to one reader in another thread.

    The reader is woken when there is enough for it, not for each: a wake-up costs more than
    everything else about an answer.
    """

    def __init__(self) -> None:
        self._answers: deque[Answered] = deque()
        self._enough = threading.Event()
        self._awaited = 1

    def __len__(self) -> int:
        return len(self._answers)

    def put(self, answer: Answered) -> None:
        self._answers.append(answer)
        if len(self._answers) >= self._awaited and not self._enough.is_set():
            self._enough.set()

    def wait(self, count: int, seconds: float) -> None:
        """Until there are so many, or the time is over."""
        until = time.monotonic() + seconds
        while True:
            # In this order: whoever puts one in afterwards sees what is awaited.
            self._enough.clear()
            self._awaited = count
            left = until - time.monotonic()
            if len(self._answers) >= count or left <= 0:
                return
            self._enough.wait(left)

    def take(self, most: int) -> list[Answered]:
        """What is there, the oldest first."""
        return [self._answers.popleft() for _ in range(min(most, len(self._answers)))]


class Sending:
    """Orders on their way, and the answers that came. One slow account holds up nobody's."""

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._left = 0

    def launch(self, marked: Sequence[Ready]) -> None:
        """Hand them to the exchange's loop, which is another thread's, and go on. Closes first."""
        by_place: dict[tuple[str, str], list[Ready]] = {}
        for ready in sorted(marked, key=_opens):
            account = ready[0].order.account
            by_place.setdefault((account.market, account.api_host), []).append(ready)
        clients = [(client_of(batch[0][0].order.account), batch) for batch in by_place.values()]
        self._left += len(marked)
        for client, batch in clients:
            exchange_loop().submit(_send_all(client, batch, self._inbox.put))

    def come(self) -> list[Answered]:
        """What has been answered by now."""
        return self._take()

    def answers(self, quiet_s: float = PATIENCE_S) -> Iterator[list[Answered]]:
        """All answers that are still to come, in batches. Raises TimeoutError when none comes.

        After so many seconds without one there is an empty batch: the time for something else.
        """
        while self._left:
            self._inbox.wait(1, quiet_s)
            if not self._inbox and quiet_s < PATIENCE_S:
                yield []
                self._inbox.wait(1, PATIENCE_S - quiet_s)
            if not self._inbox:
                raise TimeoutError("orders that were handed over have no answer")
            self._inbox.wait(min(self._left, ANSWERS_AT_ONCE), GATHER_S)
            yield self._take()

    def _take(self) -> list[Answered]:
        taken = self._inbox.take(ANSWERS_AT_ONCE)
        self._left -= len(taken)
        return taken


def send(marked: Sequence[Ready]) -> Iterator[list[Answered]]:
    """Send all at once and yield the answers in batches, as they come."""
    sending = Sending()
    sending.launch(marked)
    yield from sending.answers()


def _opens(ready: Ready) -> bool:
    return ready[0].order.opens


async def _send_all(
    client: ExchangeClient, batch: Sequence[Ready], answer: Callable[[Answered], None]
) -> None:
    """Send what is not too late by now; every order gets exactly one answer, whatever happens."""
    waiting: list[Marked | None] = [one for one, _ in batch]
    sent: list[int] = []

    def tell(number: int, outcome: SendOutcome) -> None:
        one, waiting[number] = waiting[number], None
        if one is not None:
            answer(Answered(one, outcome, datetime.now(UTC)))

    def done(place: int, outcome: SendOutcome) -> None:
        try:
            faultpoint("S6.after_send")
        except Exception as error:  # noqa: BLE001 - whatever happened, it may have been placed
            outcome = SendOutcome(kind=Outcome.UNKNOWN, excerpt=type(error).__name__)
        tell(sent[place], outcome)

    try:
        placements = []
        now_ms = client.clock.now_ms()
        for number, (one, keys) in enumerate(batch):
            placement = _placement(one, keys, now_ms)
            if isinstance(placement, Placement):
                sent.append(number)
                placements.append(placement)
            else:
                tell(number, placement)
        await client.place_orders(placements, done)
    finally:
        for number in range(len(waiting)):
            tell(number, _NOT_FINISHED)


def _placement(one: Marked, keys: Credentials, now_ms: int) -> Placement | SendOutcome:
    """What goes out for the order, or its answer where that is known without sending it.

    The client looks at the deadline again when it writes.
    """
    try:
        if now_ms > one.attempt.exp_at_ms - TOO_LATE_MS:
            return _TOO_LATE
        faultpoint("S6.before_send")
        return Placement(keys, place_request(one.order), one.attempt.exp_at_ms)
    except Exception as error:  # noqa: BLE001 - the others go on
        return SendOutcome(kind=Outcome.UNKNOWN, excerpt=type(error).__name__)


def place_request(order: Order | Outgoing) -> PlaceRequest:
    """The order in the exchange's terms. Net mode sends no position side."""
    side, position_side, margin_mode, order_type, target_currency = _terms(
        order.side, order.position_side, order.margin_mode, order.order_type
    )
    return PlaceRequest(
        order.inst_id,
        side,
        position_side,
        margin_mode,
        order_type,
        order.quantity,
        order.client_order_id,
        price=order.price,
        reduce_only=order.reduce_only,
        target_currency=target_currency,
        protection=_protection(order),
    )


@lru_cache(64)
def _terms(
    side: str, position_side: str, margin_mode: str, order_type: str
) -> tuple[Side, PositionSide | None, MarginMode, OrderType, str | None]:
    net = position_side == PositionSide.NET
    spot_market = margin_mode == MarginMode.CASH and order_type == OrderType.MARKET
    return (
        Side(side),
        None if net else PositionSide(position_side),
        MarginMode(margin_mode),
        OrderType(order_type),
        "base_ccy" if spot_market else None,
    )


def _protection(order: Order | Outgoing) -> Protection | None:
    """What an opening brings along, under the same id at every attempt."""
    if (order.take_profit is None and order.stop_loss is None) or not order.opens:
        return None
    return Protection(
        client_algo_id=algo_id_of(order.client_order_id),
        take_profit=trigger(order.take_profit),
        stop_loss=trigger(order.stop_loss),
    )
