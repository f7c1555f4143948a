"""Reading a leader over REST. Network only: nothing here touches the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from signals.enums import LeaderMarginMode
from trading.exchange.algos import AlgoReport
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import ReadFailed
from trading.exchange.types import (
    BalanceReport,
    Credentials,
    FillReport,
    OrderReport,
    PositionReport,
)
from trading.sync.leaders.moves import Trade, is_followed

# Something was traded while we read: positions of another moment than the fills explain nothing.
TRIES = 4
OVERLAP = timedelta(minutes=2)
# The exchange allows 60 lookups of orders in two seconds.
MOST_ORDERS = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """A leader at one moment: the positions are what these trades, and all before, led to."""

    since: datetime
    read_at: datetime  # by the exchange's clock, when the reading began
    trades: tuple[Trade, ...]
    positions: tuple[PositionReport, ...]
    balance: BalanceReport
    algos: tuple[AlgoReport, ...] | None = None


async def read_leader(
    client: ExchangeClient,
    keys: Credentials,
    since: datetime | None,
    *,
    known: frozenset[str] = frozenset(),
    with_stops: bool = False,
) -> Reading:
    """All of it, or ReadFailed or MalformedReport: half a reading would look like flat.

    Without `since` what was traded in the last minutes is read, so that a push which is on its
    way is known. Of trades that are `known` nothing more is asked.
    """
    begun = from_ms(client.clock.now_ms())
    start = begun - OVERLAP if since is None else since
    begin_ms = int(start.timestamp() * 1000)
    fills = await client.fetch_fills(keys, begin_ms=begin_ms)
    for _ in range(TRIES):
        positions, balance = await asyncio.gather(
            client.fetch_positions(keys), client.fetch_balance(keys)
        )
        again = await client.fetch_fills(keys, begin_ms=begin_ms)
        if again == fills:
            break
        fills = again
    else:
        raise ReadFailed(message="the leader traded all the time it was read")
    trades = [Trade(fill) for fill in fills if is_followed(fill.inst_id)]
    orders = await _orders(client, keys, [each for each in trades if each.key not in known])
    algos = await client.fetch_open_algo_orders(keys) if with_stops else None
    return Reading(
        start,
        begun,
        tuple(_with_order(trade, orders) for trade in trades),
        positions,
        balance,
        algos,
    )


async def _orders(
    client: ExchangeClient, keys: Credentials, trades: Sequence[Trade]
) -> dict[str, OrderReport]:
    """The orders behind the trades: only they say how the leader margins, and what protects it.

    One that cannot be had is done without; where its position is tells how it is margined.
    """
    asked = {each.fill.exchange_order_id: each.fill.inst_id for each in trades}
    lookups = list(asked.items())[:MOST_ORDERS]
    answers = await asyncio.gather(
        *(client.fetch_order(keys, inst_id, exchange_order_id=name) for name, inst_id in lookups)
    )
    found = [answer.report for answer in answers if answer.report is not None]
    return {report.exchange_order_id: report for report in found}


def _with_order(trade: Trade, orders: Mapping[str, OrderReport]) -> Trade:
    order = orders.get(trade.fill.exchange_order_id)
    return trade if order is None else trade_of(order, trade.fill)


def trade_of(order: OrderReport, fill: FillReport) -> Trade:
    """A fill with what its order says: how it is margined, and what protects it."""
    mode = order.margin_mode.value
    take_profit = next((p.take_profit for p in order.protections if p.take_profit), None)
    stop_loss = next((p.stop_loss for p in order.protections if p.stop_loss), None)
    return Trade(
        fill,
        margin_mode=LeaderMarginMode(mode) if mode in LeaderMarginMode.values else None,
        leverage=order.leverage,
        take_profit=take_profit.price if take_profit else None,
        stop_loss=stop_loss.price if stop_loss else None,
    )


def from_ms(milliseconds: int) -> datetime:
    """A moment of the exchange's clock."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + timedelta(
        milliseconds=milliseconds % 1000
    )
