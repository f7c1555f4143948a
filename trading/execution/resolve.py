"""Orders whose outcome nobody told us: asked for, never guessed, never sent again blind."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from customers.credentials import NoKey
from customers.enums import KeyStatus
from trading.endpoints import client_of, endpoint_of
from trading.enums import EventSource, Leg, OrderState, OrderType, Reason
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import exchange_loop
from trading.exchange.types import (
    Credentials,
    InstrumentType,
    LookupKind,
    OrderLookup,
)
from trading.execution.asking import names_of
from trading.execution.clock import clock_of
from trading.execution.keys import keys_of
from trading.faults import InjectedFaultError, faultpoint
from trading.leases import db_now
from trading.models import Order
from trading.models.orders import OPEN_STATES
from trading.sync.apply import apply_orders
from trading.transition import Change, retried, transition

ROUND = 200
CLAIM = timedelta(seconds=15)
NOT_FOUND_NEEDED = 3
NOT_FOUND_APART = timedelta(seconds=1)
SLOWEST = timedelta(seconds=15)
UNSEEN_FILL = timedelta(seconds=3)
ALERT_AFTER = timedelta(seconds=60)
MANUAL_AFTER = timedelta(minutes=10)
MAX_OPEN_ATTEMPTS = 3
HISTORY = timedelta(minutes=10)
PATIENCE_S = 10  # less than a claim lasts
NOTHING_HEARD = OrderLookup(kind=LookupKind.UNKNOWN, message="no answer")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """An order, and what the exchange answered about it."""

    order: Order
    lookup: OrderLookup
    proved: bool = False


def resolve_due(limit: int = ROUND) -> int:
    """One round: ask about every order whose outcome is open and due. Repeat until none is.

    Runs in the scope of all tenants.
    """
    now = db_now()
    claimed = [order for order in _due(now, limit) if _claim(order, now)]
    if not claimed:
        return 0
    for asked in _ask(claimed):
        faultpoint("R.asked")
        for one in asked:
            _settle_safely(one)
    return len(claimed)


def _settle_safely(one: _Asked) -> None:
    """What cannot be settled is asked about again after its claim; nobody else waits for it."""
    try:
        with tenant_scope(one.order.tenant_id):
            _settle(one, db_now())
    except InjectedFaultError:
        raise
    except Exception:
        log.exception("order %s could not be settled", one.order.id)


def _due(now: datetime, limit: int) -> list[Order]:
    """Unknown ones, sent ones whose sender is gone, and placed market orders nobody saw fill."""
    placed = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)
    return list(
        Order.objects.filter(
            Q(state__in=(OrderState.UNKNOWN, OrderState.SENDING))
            | Q(
                state__in=placed,
                order_type=OrderType.MARKET,
                sent_at__lt=now - UNSEEN_FILL,
            )
        )
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now))
        .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
        .select_related("account__customer")
        .order_by("lane_at")[:limit]
    )


@retried
def _claim(order: Order, now: datetime) -> bool:
    """One process asks at a time."""
    taken: int = Order.objects.filter(
        id=order.id, signal_at=order.signal_at, version=order.version
    ).update(claim_token=uuid.uuid4(), lease_until=now + CLAIM, version=order.version + 1)
    if taken:
        order.version += 1
    return taken == 1


def _ask(orders: Sequence[Order]) -> Iterator[list[_Asked]]:
    """Ask about all at once and yield what is known of each account, as it comes.

    An account that has no key or does not answer in time has told nothing.
    """
    by_account: dict[int, list[Order]] = {}
    for order in orders:
        by_account.setdefault(order.account_id, []).append(order)
    loop = exchange_loop()
    asking: dict[Future[list[_Asked]], list[Order]] = {}
    silent = []
    for theirs in by_account.values():
        try:
            asking[loop.submit(_ask_account(theirs, keys_of(theirs[0].account)))] = theirs
        except NoKey:
            silent += theirs
    try:
        for future in as_completed(asking, timeout=PATIENCE_S):
            theirs = asking.pop(future)
            yield _heard(future, theirs)
    except TimeoutError:
        for future, theirs in asking.items():
            future.cancel()
            silent += theirs
    if silent:
        yield [_Asked(order, NOTHING_HEARD) for order in silent]


def _heard(future: Future[list[_Asked]], orders: Sequence[Order]) -> list[_Asked]:
    try:
        return future.result()
    except Exception:
        log.exception("account %s could not be asked", orders[0].account_id)
        return [_Asked(order, NOTHING_HEARD) for order in orders]


async def _ask_account(orders: Sequence[Order], keys: Credentials) -> list[_Asked]:
    """Look each order up; where the last look could prove its absence, read the lists once."""
    client = client_of(orders[0].account)
    lookups = await asyncio.gather(
        *(client.fetch_order(keys, order.inst_id, **names_of(order)) for order in orders)
    )
    asked = [_Asked(o, found) for o, found in zip(orders, lookups, strict=True)]
    last_look = [one for one in asked if _could_prove(one)]
    if not last_look:
        return asked
    present = await _listed_ids(client, keys, last_look)
    return [
        _Asked(one.order, one.lookup, proved=True)
        if one in last_look and present is not None and one.order.client_order_id not in present
        else one
        for one in asked
    ]


def _could_prove(one: _Asked) -> bool:
    return _counts(one) and one.order.not_found_count + 1 >= NOT_FOUND_NEEDED


def _counts(one: _Asked) -> bool:
    """Only a clear "does not exist", after the request can no longer arrive, says anything.

    And only to a key that is known to be this account's: another user's key finds nothing.
    """
    order = one.order
    if one.lookup.kind != LookupKind.NOT_FOUND or order.exp_at_ms is None:
        return False
    if order.account.key_status != KeyStatus.VERIFIED:
        return False
    patience_ms = (settings.SKEW_S + settings.GRACE_S) * 1000
    return bool(clock_of(endpoint_of(order.account)).now_ms() > order.exp_at_ms + patience_ms)


async def _listed_ids(
    client: ExchangeClient, keys: Credentials, asked: Sequence[_Asked]
) -> set[str] | None:
    """Client order ids in the open orders, the history and the fills; None when a read failed."""
    spot = {one.order.margin_mode == "cash" for one in asked}
    types = [InstrumentType.SPOT if kind else InstrumentType.SWAP for kind in spot]
    since = min(one.order.exp_at_ms or 0 for one in asked)
    begin = since - round(HISTORY / timedelta(milliseconds=1))
    ids: set[str] = set()
    try:
        for kind in types:
            ids |= {r.client_order_id for r in await client.fetch_open_orders(keys, kind)}
            history = await client.fetch_order_history(keys, kind, begin_ms=begin)
            ids |= {r.client_order_id for r in history}
            fills = await client.fetch_fills(keys, kind, begin_ms=begin)
            ids |= {r.client_order_id for r in fills}
    except ExchangeError:
        return None
    return ids


def _settle(one: _Asked, now: datetime) -> None:
    if one.lookup.kind == LookupKind.FOUND and one.lookup.report is not None:
        faultpoint("R.before_adopt")
        apply_orders(one.order.account, [one.lookup.report], source=EventSource.REST)
        _let_go(one.order, now)
        return
    if one.order.state in (OrderState.LIVE, OrderState.PARTIALLY_FILLED):
        _look_again(one, now)
        return
    _write(_next_step(one, now), now)


def _look_again(one: _Asked, now: datetime) -> None:
    """It was placed, so it should be there; a person hears when it stays away."""
    order = one.order
    gone = one.lookup.kind == LookupKind.NOT_FOUND
    if gone and now - (order.sent_at or now) > MANUAL_AFTER:
        free = {"claim_token": None, "lease_until": None}
        _write(
            Change(order, OrderState.MANUAL, free, "the exchange does not show it any more"), now
        )
        return
    _let_go(order, now)


@retried
def _let_go(order: Order, now: datetime) -> None:
    """Give the claim back; a live order is looked at again later, and later still."""
    wait = min((now - (order.sent_at or now)) / 2 + UNSEEN_FILL, SLOWEST)
    Order.objects.filter(id=order.id, signal_at=order.signal_at).exclude(
        state=OrderState.READY
    ).update(claim_token=None, lease_until=None, not_before=now + wait)


@retried
@transaction.atomic
def _write(change: Change, now: datetime) -> None:
    if not transition([change], source=EventSource.REST, at=now):
        return
    order = change.order
    _alert(order, now)


def _next_step(one: _Asked, now: datetime) -> Change:
    order = one.order
    free = {"claim_token": None, "lease_until": None}
    if one.proved:
        return _after_proof(order, now, free)
    columns: dict[str, Any] = {**free, "not_before": now + _wait(order, now)}
    if _counts(one) and _apart(order, now):
        columns |= {"not_found_count": order.not_found_count + 1, "last_not_found_at": now}
        columns["not_before"] = now + NOT_FOUND_APART
    if now - (order.sent_at or now) > MANUAL_AFTER:
        return Change(order, OrderState.MANUAL, columns, "unresolved for ten minutes")
    note = one.lookup.code or one.lookup.message or one.lookup.kind.value
    return Change(order, OrderState.UNKNOWN, columns, f"asked: {note}")


def _after_proof(order: Order, now: datetime, free: dict[str, None]) -> Change:
    """Proved absent: sent again under the same id when it still makes sense, else ended."""
    note = "proved not placed: not found three times, in no list"
    columns: dict[str, Any] = {**free, "not_found_count": 0}
    stale = order.expires_at is not None and now > order.expires_at
    if order.opens and (stale or order.attempt >= MAX_OPEN_ATTEMPTS):
        return Change(order, OrderState.EXPIRED, columns | {"reason": Reason.EXPIRED}, note)
    if order.opens and _is_superseded(order):
        return Change(order, OrderState.EXPIRED, columns | {"reason": Reason.SUPERSEDED}, note)
    columns |= {"not_before": None, "reason": Reason.NONE}
    return Change(order, OrderState.READY, columns, note, proved_not_placed=True)


def _is_superseded(order: Order) -> bool:
    """The leader has left meanwhile: a close of the same position waits behind it."""
    if order.cycle_id is None:
        return False
    closes = Order.objects.filter(cycle_id=order.cycle_id, leg=Leg.CLOSE, state__in=OPEN_STATES)
    return bool(closes.exclude(signal_id=order.signal_id).exists())


def _apart(order: Order, now: datetime) -> bool:
    last = order.last_not_found_at
    return last is None or now - last >= NOT_FOUND_APART


def _wait(order: Order, now: datetime) -> timedelta:
    """Ask soon at first, then ever less often."""
    age = now - (order.sent_at or now)
    return min(max(age / 8, timedelta(milliseconds=500)), SLOWEST)


def _alert(order: Order, now: datetime) -> None:
    """A person hears of it once after a minute, and again when it is theirs to solve."""
    if order.state == OrderState.MANUAL:
        _note(order, "order.needs_a_person", AuditLevel.CRITICAL)
    elif order.state == OrderState.UNKNOWN and order.sent_at is not None:
        age = now - order.sent_at
        if ALERT_AFTER < age <= ALERT_AFTER + SLOWEST:
            _note(order, "order.unknown", AuditLevel.WARNING)


def _note(order: Order, action: str, level: AuditLevel) -> None:
    audit.record(
        action=action,
        obj=order,
        level=level,
        after={"client_order_id": order.client_order_id, "state": order.state},
        reason=str(Reason.UNKNOWN_RESULT.label),
        tenant=order.tenant_id,
    )
