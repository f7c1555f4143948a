"""Reading one account for flatten, and canceling what waits there. Network only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.exchange.algos import FOREIGN_ALGOS, AlgoCancelRequest, AlgoReport
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import AuthFailed, ExchangeError
from trading.exchange.types import (
    BalanceReport,
    CancelRequest,
    Credentials,
    OrderReport,
    PositionReport,
)

READ_S = 5
CANCELS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to cancel: all orders, those of some instruments, and always those named.

    `spared` are the client order ids of flatten's own closes. `foreign`: look for the kinds of
    algo orders that are never ours, which takes a request for each. `insists`: read positions
    also while something waits, for it does not go away.
    """

    inst_ids: frozenset[str] | None
    client_order_ids: frozenset[str] = frozenset()
    spared: frozenset[str] = frozenset()
    balance: bool = False
    foreign: bool = True
    insists: bool = False

    def cancels(self, inst_id: str, client_order_id: str) -> bool:
        if client_order_id and client_order_id in self.spared:
            return False
        if client_order_id and client_order_id in self.client_order_ids:
            return True
        return self.inst_ids is None or inst_id in self.inst_ids


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen. Positions were read after a list of orders in which nothing waited.

    `error`: the reading failed, so nothing is known. `waiting`: so many orders were found and
    asked to be canceled, so that positions never say flat. `closing`: closes of flatten still work.
    """

    positions: tuple[PositionReport, ...] = ()
    balance: BalanceReport | None = None
    waiting: int = 0
    closing: int = 0
    error: str = ""
    refused: bool = False

    @property
    def available(self) -> dict[str, Decimal]:
        rows = self.balance.details if self.balance else ()
        return {row.currency: row.available for row in rows}


async def look(client: ExchangeClient, keys: Credentials, wanted: Wanted) -> Look:
    """Never raises for what the exchange or the network does."""
    try:
        async with asyncio.timeout(READ_S):
            return await _look(client, keys, wanted)
    except TimeoutError:
        return Look(error="no answer in time")
    except ExchangeError as error:
        return Look(error=str(error)[:200], refused=isinstance(error, AuthFailed))


async def look_up(
    client: ExchangeClient, keys: Credentials, orders: Sequence[tuple[str, str]]
) -> list[OrderReport]:
    """Of these (instrument, client order id), those that the exchange knows."""
    try:
        async with asyncio.timeout(READ_S):
            found = await asyncio.gather(
                *(client.fetch_order(keys, inst, client_order_id=name) for inst, name in orders)
            )
    except (TimeoutError, ExchangeError):
        return []
    return [one.report for one in found if one.report is not None]


async def _look(client: ExchangeClient, keys: Credentials, wanted: Wanted) -> Look:
    orders, own, foreign = await asyncio.gather(
        client.fetch_open_orders(keys),
        client.fetch_open_algo_orders(keys),
        _foreign_algos(client, keys, FOREIGN_ALGOS if wanted.foreign else ()),
    )
    algos = own + foreign
    closing = sum(one.client_order_id in wanted.spared for one in orders if one.client_order_id)
    doomed = [o for o in orders if wanted.cancels(o.inst_id, o.client_order_id)]
    algo_doomed = [a for a in algos if wanted.cancels(a.inst_id, a.client_algo_id)]
    if doomed or algo_doomed:
        requests = [AlgoCancelRequest(inst_id=a.inst_id, exchange_algo_id=a.exchange_algo_id)
                    for a in algo_doomed]  # fmt: skip
        # Algo orders first: one that triggers meanwhile is a new order.
        if requests:
            await client.cancel_algo_orders(keys, requests)
        await _cancel(client, keys, doomed)
        if not wanted.insists:
            return Look(waiting=len(doomed) + len(algo_doomed), closing=closing)
    positions = await client.fetch_positions(keys)
    balance = await client.fetch_balance(keys) if wanted.balance else None
    return Look(positions, balance, waiting=len(doomed) + len(algo_doomed), closing=closing)


async def _foreign_algos(
    client: ExchangeClient, keys: Credentials, kinds: Sequence[str]
) -> tuple[AlgoReport, ...]:
    """Not every account may have every kind: what cannot be asked for must not stop the rest.

    What such an order opens after all is seen while the switch stays, and closed.
    """
    asked = (client.fetch_open_algo_orders(keys, kind=kind) for kind in kinds)
    found = await asyncio.gather(*asked, return_exceptions=True)
    return tuple(algo for kind in found if not isinstance(kind, BaseException) for algo in kind)


async def _cancel(client: ExchangeClient, keys: Credentials, orders: Sequence[OrderReport]) -> None:
    gate = asyncio.Semaphore(CANCELS_AT_ONCE)

    async def one(order: OrderReport) -> None:
        request = CancelRequest(inst_id=order.inst_id, exchange_order_id=order.exchange_order_id)
        async with gate:
            await client.cancel_order(keys, request)

    await asyncio.gather(*map(one, orders))
