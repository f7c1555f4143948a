"""Protections kept true: armed with their fills, fitted to what is held, gone with their cycle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from accounts.tenancy import tenant_scope
from customers.credentials import NoKey
from customers.models import ExchangeAccount
from trading.endpoints import client_of
from trading.enums import FINAL_STATES, EventSource, ProtectionState
from trading.exchange.algos import AlgoLookup, AlgoReport, AlgoState
from trading.exchange.runner import exchange_loop
from trading.exchange.types import Credentials, LookupKind, OrderReport
from trading.execution.acting import act_due
from trading.execution.keys import keys_of
from trading.faults import InjectedFaultError, faultpoint
from trading.leases import db_now
from trading.models import Order, Protection
from trading.positions_held import NOTHING, read_holdings
from trading.protecting import fit_protection, release_protection
from trading.protections import end_protection
from trading.sync.apply import apply_algos, apply_orders

ROUND = 200
LOOK_EVERY = timedelta(seconds=30)
UNARMED_EVERY = timedelta(seconds=1)
ARMED_WITHIN = timedelta(seconds=60)
# A read may lag behind the push that told of it.
HEARD_LATELY = timedelta(seconds=10)
PATIENCE_S = 10
ZERO = Decimal(0)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the exchange has of one account's protections; `orders` are what some became."""

    account: ExchangeAccount
    protections: Sequence[Protection]
    reports: tuple[AlgoReport, ...] = ()
    orders: tuple[OrderReport, ...] = ()
    missing: tuple[UUID, ...] = ()


def keep_protections(cycles: Collection[UUID] | None = None) -> int:
    """One round: end, release, fit and look up; how many protections were touched.

    With `cycles` only theirs, at once. Runs in the scope of all tenants; safe to run twice.
    """
    which = Q() if cycles is None else Q(cycle_id__in=list(cycles))
    now = db_now()
    done = _end_unfilled(which, now)
    done += _look_due(which, now, at_once=cycles is not None)
    return done + _release(which) + _fit(which, now)


def keep_protections_of(order_ids: Collection[UUID]) -> int:
    """The same at once for the cycles of orders that just ended, and ask what follows from it."""
    cycles = set(
        Protection.objects.active()
        .filter(cycle__orders__in=list(order_ids))
        .values_list("cycle_id", flat=True)
    )
    if not cycles:
        return 0
    done = keep_protections(cycles)
    act_due()
    return done


def _end_unfilled(which: Q, now: datetime) -> int:
    """What came with an order that filled nothing was never armed."""
    rows = Protection.objects.filter(
        which,
        Exists(_parents(state__in=FINAL_STATES, filled_quantity=0)),
        state=ProtectionState.WAITING,
    )
    ended = 0
    for row in rows[:ROUND]:
        with tenant_scope(row.tenant_id), transaction.atomic():
            words = _("Its order filled nothing")
            ended += end_protection(row, ProtectionState.CANCELED, words, at=now)
    return ended


def _release(which: Q) -> int:
    """A stop must not outlive its cycle: the next one would be hit by it."""
    ended = Q(cycle__ended_at__isnull=False)
    rows = Protection.objects.active().filter(which, ended).exclude(actions__open_key__isnull=False)
    return sum(map(_released, rows[:ROUND]))


def _released(row: Protection) -> bool:
    with tenant_scope(row.tenant_id):
        return release_protection(row, _("Its position is closed"))


def _fit(which: Q, now: datetime) -> int:
    """What closes more than is held might be refused when it is needed: make it smaller."""
    moved = Order.objects.filter(
        cycle_id=OuterRef("cycle_id"),
        finished_at__gte=Coalesce(OuterRef("fitted_at"), OuterRef("created_at")),
    )
    due = list(
        Protection.objects.filter(
            which, Exists(moved), state=ProtectionState.LIVE, cycle__ended_at__isnull=True
        )[:ROUND]
    )
    if not due:
        return 0
    cycles = {row.cycle_id for row in due if row.cycle_id is not None}
    holdings = read_holdings(cycles)
    fitted = 0
    for cycle in cycles:
        holding = holdings.get(cycle, NOTHING)
        if holding.is_quiet:
            fitted += _fit_cycle(cycle, holding.filled, now)
    return fitted


def _fit_cycle(cycle: UUID, held: Decimal, now: datetime) -> int:
    """The oldest protections keep their size; the newest give way."""
    left, fitted = held, 0
    rows = Protection.objects.filter(cycle_id=cycle, state=ProtectionState.LIVE)
    for row in rows.order_by("created_at", "id"):
        with tenant_scope(row.tenant_id):
            size = min(row.quantity, left)
            if size < row.quantity and not fit_protection(row, size):
                continue  # the change before is still on its way
            left -= size
            fitted += 1
            Protection.objects.filter(pk=row.pk).update(fitted_at=now)
    return fitted


def _parents(**state: Any) -> Any:
    return Order.objects.filter(pk=OuterRef("order_id"), **state)


def _look_due(which: Q, now: datetime, *, at_once: bool) -> int:
    """Look up what may be armed by now, and now and then what is live."""
    armed = Q(state=ProtectionState.WAITING, order__isnull=False) & Q(
        Exists(_parents(state__in=FINAL_STATES))
    )
    fresh = now if at_once else now - UNARMED_EVERY
    settled = now if at_once else now - LOOK_EVERY
    due = armed & (Q(checked_at__isnull=True) | Q(checked_at__lte=fresh))
    due |= Q(state=ProtectionState.LIVE) & (Q(checked_at__isnull=True) | Q(checked_at__lte=settled))
    rows = (
        Protection.objects.filter(which, due)
        .select_related("account__customer", "order")
        .order_by(F("checked_at").asc(nulls_first=True))
    )
    by_account: dict[int, list[Protection]] = {}
    for row in rows[:ROUND]:
        by_account.setdefault(row.account_id, []).append(row)
    loop = exchange_loop()
    asking = []
    for theirs in by_account.values():
        try:
            asking.append(loop.submit(_read(theirs, keys_of(theirs[0].account))))
        except NoKey:
            continue
    looked = 0
    for future in as_completed(asking):
        known = future.result()
        faultpoint("P.asked")
        looked += _write_safely(known, now)
    return looked


async def _read(rows: Sequence[Protection], keys: Credentials) -> _Known:
    """The list of what is pending, once; what is not in it is looked up one by one."""
    account = rows[0].account
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _read_all(account, rows, keys)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's alone
        log.warning("protections of account %s were not read: %s", account.pk, error)
        return _Known(account, ())


async def _read_all(
    account: ExchangeAccount, rows: Sequence[Protection], keys: Credentials
) -> _Known:
    client = client_of(account)
    wanted = {row.client_algo_id: row for row in rows}
    pending = await client.fetch_open_algo_orders(keys)
    # All of them: also what was given up and is there after all.
    reports = [report for report in pending if report.client_algo_id]
    listed = {report.client_algo_id for report in reports}
    absent = [row for name, row in wanted.items() if name not in listed]
    lookups: list[AlgoLookup] = list(
        await asyncio.gather(
            *(client.fetch_algo_order(keys, client_algo_id=r.client_algo_id) for r in absent)
        )
    )
    reports += [found.report for found in lookups if found.report is not None]
    became = [
        (report.inst_id, order_id)
        for report in reports
        if report.state in (AlgoState.EFFECTIVE, AlgoState.PARTIALLY_EFFECTIVE)
        for order_id in report.exchange_order_ids
    ]
    orders = await asyncio.gather(
        *(client.fetch_order(keys, inst, exchange_order_id=order) for inst, order in became)
    )
    missing = [
        row.pk
        for row, found in zip(absent, lookups, strict=True)
        if found.kind == LookupKind.NOT_FOUND
    ]
    heard = {report.client_algo_id for report in reports}
    return _Known(
        account,
        [row for row in rows if row.client_algo_id in heard or row.pk in missing],
        tuple(reports),
        tuple(found.report for found in orders if found.report is not None),
        tuple(missing),
    )


def _write_safely(known: _Known, now: datetime) -> int:
    """One account that cannot be written down keeps nobody else's waiting."""
    try:
        with tenant_scope(known.account.tenant_id):
            return _write(known, now)
    except InjectedFaultError:
        raise
    except Exception:
        log.exception("protections of account %s were not written", known.account.pk)
        return 0


def _write(known: _Known, now: datetime) -> int:
    if known.orders:
        # First what they became: its order must be ours before anything else is said of it.
        apply_orders(known.account, known.orders, source=EventSource.REST)
    apply_algos(known.account, known.reports)
    for row in known.protections:
        if row.pk in known.missing:
            _missing(row, now)
    return len(known.protections)


def _was_heard(row: Protection, now: datetime) -> bool:
    """The exchange told of it a moment ago. It is looked at again, for as long as that is true."""
    return row.checked_at is not None and now - row.checked_at < HEARD_LATELY


@transaction.atomic
def _missing(row: Protection, now: datetime) -> None:
    """Neither in the list of what is pending nor by its name."""
    row.refresh_from_db()
    if row.state == ProtectionState.LIVE and _was_heard(row, now):
        return
    Protection.objects.filter(pk=row.pk).update(checked_at=now)
    if row.state == ProtectionState.LIVE:
        words = _("The exchange does not have it any more")
        end_protection(row, ProtectionState.CANCELED, words, at=now)
        return
    finished_at = row.order.finished_at if row.order else None
    if finished_at is not None and now - finished_at > ARMED_WITHIN:
        words = _("The exchange did not arm it")
        end_protection(row, ProtectionState.FAILED, words, at=now)
