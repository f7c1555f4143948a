"""Asking the exchange what became of orders: in lists where there are many, else one by one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from customers.credentials import NoKey
from customers.enums import KeyStatus
from trading.endpoints import client_of, endpoint_of
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import exchange_loop
from trading.exchange.types import (
    Credentials,
    InstrumentType,
    LookupKind,
    OrderLookup,
    OrderReport,
)
from trading.execution.asking import names_of
from trading.execution.clock import clock_of
from trading.execution.keys import keys_of
from trading.models import Order

NOT_FOUND_NEEDED = 3
HISTORY = timedelta(minutes=10)
MAX_LOOKUPS = 10  # of one account in one round: the exchange allows them without noticing
PATIENCE_S = 10  # less than a claim lasts
NOTHING_HEARD = OrderLookup(kind=LookupKind.UNKNOWN, message="no answer")
NOT_ASKED = OrderLookup(kind=LookupKind.UNKNOWN, message="not asked yet: too many at once")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """An order, and what the exchange answered about it. `proved`: it is in no list either."""

    order: Order
    lookup: OrderLookup
    proved: bool = False


def ask(orders: Sequence[Order]) -> Iterator[list[Asked]]:
    """Ask about all at once and yield what is known of whole accounts, as it comes.

    What came while the last was dealt with comes together. An account that has no key or does
    not answer in time has told nothing.
    """
    by_account: dict[int, list[Order]] = {}
    for order in orders:
        by_account.setdefault(order.account_id, []).append(order)
    loop = exchange_loop()
    asking: dict[Future[list[Asked]], list[Order]] = {}
    silent = []
    for theirs in by_account.values():
        try:
            asking[loop.submit(_ask_account(theirs, keys_of(theirs[0].account)))] = theirs
        except NoKey:
            silent += theirs
    until = time.monotonic() + PATIENCE_S
    while asking:
        come, _ = wait(asking, max(until - time.monotonic(), 0), FIRST_COMPLETED)
        if not come:
            break
        yield [one for future in come for one in _heard(future, asking.pop(future))]
    for future, theirs in asking.items():
        future.cancel()
        silent += theirs
    if silent:
        yield [Asked(order, NOTHING_HEARD) for order in silent]


def counts(one: Asked) -> bool:
    """Only a clear "does not exist", after the request can no longer arrive, says anything.

    And only to a key that is known to be this account's: another user's key finds nothing.
    """
    order = one.order
    if one.lookup.kind != LookupKind.NOT_FOUND or order.exp_at_ms is None:
        return False
    if order.account.key_status != KeyStatus.VERIFIED:
        return False
    return _ms_too_early(order, order.exp_at_ms) < 0


def too_early_by(order: Order) -> timedelta:
    """For so long a "does not exist" says nothing yet; nothing when it does, or never will."""
    if order.exp_at_ms is None:
        return timedelta(0)
    return timedelta(milliseconds=max(_ms_too_early(order, order.exp_at_ms) + 1, 0))


def _ms_too_early(order: Order, exp_at_ms: int) -> int:
    patience_ms = (settings.SKEW_S + settings.GRACE_S) * 1000
    return int(exp_at_ms + patience_ms - clock_of(endpoint_of(order.account)).now_ms())


def _heard(future: Future[list[Asked]], orders: Sequence[Order]) -> list[Asked]:
    try:
        return future.result()
    except Exception:
        log.exception("account %s could not be asked", orders[0].account_id)
        return [Asked(order, NOTHING_HEARD) for order in orders]


async def _ask_account(orders: Sequence[Order], keys: Credentials) -> list[Asked]:
    """Look each order up; where the last look could prove its absence, read the lists once."""
    client = client_of(orders[0].account)
    asked = await _look_up(client, keys, orders)
    last_look = [one for one in asked if _could_prove(one)]
    if not last_look:
        return asked
    present = await _listed_ids(client, keys, last_look)
    return [
        Asked(one.order, one.lookup, proved=True)
        if one in last_look and present is not None and one.order.client_order_id not in present
        else one
        for one in asked
    ]


async def _look_up(
    client: ExchangeClient, keys: Credentials, orders: Sequence[Order]
) -> list[Asked]:
    """More than a few are looked for in the lists first; what is in none has its turn by and by."""
    listed = await _listed(client, keys, orders) if len(orders) > MAX_LOOKUPS else {}
    single = [order for order in orders if order.client_order_id not in listed]
    # Those that were asked about least often come first, so that each has its turn.
    single.sort(key=lambda order: (order.not_found_count, order.version))
    lookups = await asyncio.gather(
        *(
            client.fetch_order(keys, order.inst_id, **names_of(order))
            for order in single[:MAX_LOOKUPS]
        )
    )
    found = {order.id: seen for order, seen in zip(single, lookups, strict=False)}
    for order in orders:
        report = listed.get(order.client_order_id)
        if report is not None:
            found[order.id] = OrderLookup(kind=LookupKind.FOUND, report=report)
    return [Asked(order, found.get(order.id, NOT_ASKED)) for order in orders]


async def _listed(
    client: ExchangeClient, keys: Credentials, orders: Sequence[Order]
) -> Mapping[str, OrderReport]:
    """What the lists say of these orders; a list that cannot be read says nothing."""
    names = {order.client_order_id for order in orders}
    begin = _begin_ms(orders)
    reports: list[OrderReport] = []
    try:
        for kind in _types(orders):
            reports += await client.fetch_order_history(keys, kind, begin_ms=begin)
            reports += await client.fetch_open_orders(keys, kind)
    except ExchangeError as error:
        log.warning("lists of account %s could not be read: %s", orders[0].account_id, error)
    reports.sort(key=lambda report: report.created_at, reverse=True)
    # The first of a doubled one: the other is found by the account's reconciliation.
    return {r.client_order_id: r for r in reports if r.client_order_id in names}


def _could_prove(one: Asked) -> bool:
    return counts(one) and one.order.not_found_count + 1 >= NOT_FOUND_NEEDED


async def _listed_ids(
    client: ExchangeClient, keys: Credentials, asked: Sequence[Asked]
) -> set[str] | None:
    """Client order ids in the open orders, the history and the fills; None when a read failed."""
    orders = [one.order for one in asked]
    begin = _begin_ms(orders)
    ids: set[str] = set()
    try:
        for kind in _types(orders):
            ids |= {r.client_order_id for r in await client.fetch_open_orders(keys, kind)}
            history = await client.fetch_order_history(keys, kind, begin_ms=begin)
            ids |= {r.client_order_id for r in history}
            fills = await client.fetch_fills(keys, kind, begin_ms=begin)
            ids |= {r.client_order_id for r in fills}
    except ExchangeError:
        return None
    return ids


def _types(orders: Sequence[Order]) -> list[InstrumentType]:
    spot = {order.margin_mode == "cash" for order in orders}
    return [InstrumentType.SPOT if kind else InstrumentType.SWAP for kind in spot]


def _begin_ms(orders: Sequence[Order]) -> int:
    since = min(order.exp_at_ms or 0 for order in orders)
    return since - round(HISTORY / timedelta(milliseconds=1))
