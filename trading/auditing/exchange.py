"""A real exchange's side of some accounts: read over REST, as far back as it tells."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.auditing.facts import FillFact, Holding, TheirOrder, Theirs
from trading.enums import OrderState, PositionSide
from trading.exchange.client import ExchangeClient
from trading.exchange.types import (
    Credentials,
    FillReport,
    InstrumentType,
    OrderReport,
    PositionReport,
)
from trading.exchange.types import OrderState as ExchangeState

AT_ONCE: Final = 4
READ_S: Final = 60  # for one account: several pages of history
_HOUR_MS: Final = 3_600_000
_MARGIN_MS: Final = 5 * 60_000  # of the exchange's own limits
ORDERS_REACH_MS: Final = 7 * 24 * _HOUR_MS - _MARGIN_MS
UNFILLED_REACH_MS: Final = 2 * _HOUR_MS - _MARGIN_MS
FILLS_REACH_MS: Final = 3 * 24 * _HOUR_MS - _MARGIN_MS
_TYPES: Final = (InstrumentType.SWAP, InstrumentType.SPOT, InstrumentType.FUTURES)
_STATES: Final = {
    ExchangeState.LIVE: OrderState.LIVE,
    ExchangeState.PARTIALLY_FILLED: OrderState.PARTIALLY_FILLED,
    ExchangeState.FILLED: OrderState.FILLED,
    ExchangeState.CANCELED: OrderState.CANCELED,
    ExchangeState.MMP_CANCELED: OrderState.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Question:
    """Which account to read, and since when; 0 is as far back as the exchange tells."""

    client: ExchangeClient
    credentials: Credentials
    since_ms: int = 0


async def read_all(questions: Sequence[Question]) -> list[Theirs | Exception]:
    """An answer or a failure for each, in their order. Only reads."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(question: Question) -> Theirs:
        async with gate:
            return await asyncio.wait_for(_read(question), READ_S)

    answers = await asyncio.gather(*map(read, questions), return_exceptions=True)
    return [_told(answer) for answer in answers]


def _told(answer: Theirs | BaseException) -> Theirs | Exception:
    if isinstance(answer, Theirs | Exception):
        return answer
    raise answer


async def _read(question: Question) -> Theirs:
    client, keys = question.client, question.credentials
    now = await client.fetch_time_ms()
    orders_since = max(question.since_ms, now - ORDERS_REACH_MS)
    fills_since = max(question.since_ms, now - FILLS_REACH_MS)
    orders = list(await client.fetch_open_orders(keys))
    for kind in _TYPES:
        orders += await client.fetch_order_history(keys, kind, begin_ms=orders_since)
    fills = await client.fetch_fills(keys, begin_ms=fills_since)
    positions = await client.fetch_positions(keys)
    return Theirs(
        orders=_orders(orders),
        fills=[_fill(report) for report in fills],
        positions=_positions(positions),
        read_ms=now,
        orders_since_ms=orders_since,
        unfilled_since_ms=max(orders_since, now - UNFILLED_REACH_MS),
        fills_since_ms=fills_since,
    )


def _orders(reports: Sequence[OrderReport]) -> list[TheirOrder]:
    """Once each: an order may end between the list of open ones and the history."""
    latest: dict[str, OrderReport] = {}
    for report in reports:
        seen = latest.get(report.exchange_order_id)
        if seen is None or report.updated_at >= seen.updated_at:
            latest[report.exchange_order_id] = report
    return [_order(report) for report in latest.values()]


def _order(report: OrderReport) -> TheirOrder:
    accepted = round(report.created_at.timestamp() * 1000)
    digits = report.exchange_order_id
    return TheirOrder(
        exchange_order_id=report.exchange_order_id,
        client_order_id=report.client_order_id,
        inst_id=report.inst_id,
        state=_STATES[report.state],
        filled=report.filled_quantity,
        accepted_ms=accepted,
        changed_ms=round(report.updated_at.timestamp() * 1000),
        place=(accepted, int(digits) if digits.isdigit() else 0),
    )


def _fill(report: FillReport) -> FillFact:
    return FillFact(
        exchange_order_id=report.exchange_order_id,
        client_order_id=report.client_order_id,
        trade_id=report.trade_id,
        inst_id=report.inst_id,
        side=report.side.value,
        position_side=report.position_side.value,
        quantity=report.quantity,
        price=report.price,
        fee=report.fee,
        at_ms=round(report.filled_at.timestamp() * 1000),
    )


def _positions(reports: Sequence[PositionReport]) -> dict[Holding, Decimal]:
    held: dict[Holding, Decimal] = defaultdict(Decimal)
    for report in reports:
        side = report.position_side.value
        net = side == PositionSide.NET
        held[report.inst_id, side] += report.quantity if net else abs(report.quantity)
    return {holding: total for holding, total in held.items() if total}
