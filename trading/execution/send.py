"""Marked orders, sent concurrently over one pool of warm connections. No database here."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from trading.endpoints import client_of, endpoint_of
from trading.exchange.client import ExchangeClient
from trading.exchange.protection import Protection
from trading.exchange.runner import exchange_loop
from trading.exchange.types import (
    Credentials,
    MarginMode,
    OrderType,
    Outcome,
    PlaceRequest,
    PositionSide,
    SendOutcome,
    Side,
)
from trading.execution.asking import trigger
from trading.execution.clock import clock_of
from trading.execution.mark import Marked
from trading.faults import faultpoint
from trading.models import Order
from trading.outgoing import Outgoing
from trading.protections import algo_id_of

TOO_LATE_MS = 300
ANSWERS_AT_ONCE = 50
PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one attempt, and when we heard."""

    marked: Marked
    outcome: SendOutcome
    at: datetime


@dataclass(frozen=True, slots=True)
class _Ready:
    marked: Marked
    client: ExchangeClient
    keys: Credentials


def send(marked: Sequence[tuple[Marked, Credentials]]) -> Iterator[list[Answered]]:
    """Send all at once and yield the answers in batches, as they come.

    One slow account holds up nobody else's answer.
    """
    answers: queue.SimpleQueue[Answered] = queue.SimpleQueue()
    ready = [_Ready(one, client_of(one.order.account), keys) for one, keys in marked]
    loop = exchange_loop()
    tasks = [loop.submit(_send_one(one, answers)) for one in ready]
    left = len(tasks)
    while left:
        batch = [answers.get(timeout=PATIENCE_S)]
        while len(batch) < ANSWERS_AT_ONCE and not answers.empty():
            batch.append(answers.get())
        left -= len(batch)
        yield batch


async def _send_one(ready: _Ready, answers: queue.SimpleQueue[Answered]) -> None:
    outcome = SendOutcome(kind=Outcome.UNKNOWN, excerpt="the request was not finished")
    try:
        outcome = await _place(ready)
    except Exception as error:  # noqa: BLE001 - whatever happened, the order may have been placed
        outcome = SendOutcome(kind=Outcome.UNKNOWN, excerpt=type(error).__name__)
    finally:
        answers.put(Answered(ready.marked, outcome, timezone.now()))


async def _place(ready: _Ready) -> SendOutcome:
    order, attempt = ready.marked.order, ready.marked.attempt
    clock = clock_of(endpoint_of(order.account))
    if clock.now_ms() > attempt.exp_at_ms - TOO_LATE_MS:
        return SendOutcome(kind=Outcome.NOT_PLACED, message="too late to send: not sent")
    faultpoint("S6.before_send")
    outcome = await ready.client.place_order(
        ready.keys, place_request(order), exp_at_ms=attempt.exp_at_ms
    )
    faultpoint("S6.after_send")
    await asyncio.sleep(0)
    return outcome


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
