"""Orders whose outcome nobody told us: asked for, never guessed, never sent again blind."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.bulk_update import update_many
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from trading.enums import EventSource, Leg, OrderState, OrderType, Reason
from trading.exchange.types import LookupKind
from trading.execution.looking import NOT_FOUND_NEEDED, Asked, ask, counts, too_early_by
from trading.execution.poison import count_failure
from trading.faults import InjectedFaultError, faultpoint
from trading.leases import db_now, is_leaving
from trading.models import Order
from trading.models.orders import OPEN_STATES
from trading.sync.apply import apply_orders
from trading.transition import Change, retried, transition

ROUND = 200
CLAIM = timedelta(seconds=15)
NOT_FOUND_APART = timedelta(seconds=1)
# Whose look is due before the next sweep would come is waited for, but not for ever.
AHEAD = timedelta(seconds=2.2)
AGAIN_S = 6
PAUSE_S = 0.2
FIRST_WAIT = timedelta(milliseconds=500)
SLOWEST_AT_FIRST = timedelta(seconds=2)
SLOWEST = timedelta(seconds=15)
UNSEEN_FILL = timedelta(seconds=3)
UNSURE = (OrderState.UNKNOWN, OrderState.SENDING)
NEVER_RESTS = (OrderType.MARKET, OrderType.IOC, OrderType.FOK)
ALERT_AFTER = timedelta(seconds=60)
MANUAL_AFTER = timedelta(minutes=10)
MAX_OPEN_ATTEMPTS = 3
# The exchange forgets canceled orders without fills after so long, and fills after three days.
FORGETS_UNFILLED = timedelta(hours=2)
FORGETS_FILLS = timedelta(days=3) - timedelta(minutes=10)

log = logging.getLogger(__name__)


def resolve_due(limit: int = ROUND) -> int:
    """One round: ask about every order whose outcome is open and due. Repeat until none is.

    Runs in the scope of all tenants.
    """
    return len(_round(Q(), limit))


def resolve_unsure(market: str) -> int:
    """The same for what may or may not be at this market: nothing else is sent in their lanes."""
    return len(_round(Q(market=market, state__in=UNSURE), ROUND))


def resolve_again(seconds: float = AGAIN_S) -> Iterator[list[uuid.UUID]]:
    """Look, the moment it is due, at whatever can be proved before the next sweep would come.

    Yields, look by look, the orders that were proved not to be placed and may go on. Nothing
    is waited for when no such look is due soon. Runs in the scope of all tenants.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_leaving():
        now = db_now()
        due_at = _next_look(now)
        if due_at is None:
            return
        pause = (due_at - now).total_seconds()
        if pause > 0:
            # Others that are due about then are asked about together.
            threading.Event().wait(min(max(pause, PAUSE_S), until - time.monotonic()))
            continue
        asked = _round(_provable(now), ROUND)
        yield [order.id for order in asked if order.state == OrderState.READY]
        if not asked:  # somebody else is at them
            threading.Event().wait(PAUSE_S)


def _next_look(now: datetime) -> datetime | None:
    """When somebody is to be looked for next; None when that is not before the next sweep."""
    provable, soon = Order.objects.filter(_provable(now)), now + AHEAD
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    asked = provable.filter(free, state=OrderState.UNKNOWN, not_before__lte=soon)
    left = provable.filter(state=OrderState.SENDING, lease_until__lte=soon)
    moments = (
        asked.order_by("not_before").values_list("not_before", flat=True).first(),
        left.order_by("lease_until").values_list("lease_until", flat=True).first(),
    )
    return min((moment for moment in moments if moment is not None), default=None)


def _provable(now: datetime) -> Q:
    """Those whose absence says something, or will before the next sweep comes."""
    patience = timedelta(seconds=settings.SKEW_S + settings.GRACE_S)
    over = round((now + AHEAD - patience).timestamp() * 1000)
    return Q(state__in=UNSURE, exp_at_ms__lt=over)


def _round(which: Q, limit: int) -> list[Order]:
    """Ask about those of them that are due, settle what is heard; they are as they are then."""
    now = db_now()
    due = _due(now, which, limit)
    claimed = _claim(due, now) if due else []
    for asked in ask(claimed) if claimed else ():
        faultpoint("R.asked")
        _settle_all(asked)
    return claimed


def _settle_all(asked: Sequence[Asked]) -> None:
    """Those of a desk that were not found are written down together, then each that was found.

    The next look at an absent one is due in a second, and is not to wait for all the others.
    """
    absent: dict[int, list[Asked]] = {}
    alone = []
    for one in asked:
        if _is_found(one) or _was_placed(one.order):
            alone.append(one)
        else:
            absent.setdefault(one.order.tenant_id, []).append(one)
    for tenant_id, theirs in absent.items():
        try:
            with tenant_scope(tenant_id):
                now = db_now()
                _write([_next_step(one, now) for one in theirs], now)
        except Exception:
            log.exception("%s orders could not be settled together: each on its own", len(theirs))
            alone += theirs
    for one in alone:
        _settle_safely(one)


def _settle_safely(one: Asked) -> None:
    """What cannot be settled is asked about again after its claim; nobody else waits for it."""
    try:
        with tenant_scope(one.order.tenant_id):
            _settle(one, db_now())
    except InjectedFaultError:
        raise
    except Exception:
        log.exception("order %s could not be settled", one.order.id)
        count_failure(one.order)


def _due(now: datetime, which: Q, limit: int) -> list[Order]:
    """Unknown ones, sent ones whose sender is gone, and those that never rest but were not seen
    to fill.
    """
    placed = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)
    return list(
        Order.objects.filter(which)
        .filter(
            Q(state__in=UNSURE)
            | Q(
                state__in=placed,
                order_type__in=NEVER_RESTS,
                sent_at__lt=now - UNSEEN_FILL,
            )
        )
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now))
        .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
        .select_related("account__customer")
        .order_by("lane_at")[:limit]
    )


def _claim(orders: Sequence[Order], now: datetime) -> list[Order]:
    """Those of them that are ours to ask about: one process asks at a time."""
    claimed = _write_claims(orders, now, uuid.uuid4())
    mine = [order for order in orders if order.id in claimed]
    for order in mine:
        order.version += 1
    return mine


@retried
@transaction.atomic
def _write_claims(orders: Sequence[Order], now: datetime, token: uuid.UUID) -> set[uuid.UUID]:
    """One statement for all; the ids of the orders that still were as they were read."""
    claim = (token, now + CLAIM)
    rows = [(one.id, one.signal_at, one.version, *claim, one.version + 1) for one in orders]
    rows.sort(key=lambda row: row[0].int)  # everybody locks in one order
    columns = ("claim_token", "lease_until", "version")
    taken = update_many(Order, rows, match=("id", "signal_at", "version"), columns=columns)
    ids = {order.id for order in orders}
    if taken == len(ids):
        return ids
    return set(Order.objects.filter(id__in=ids, claim_token=token).values_list("id", flat=True))


def _is_found(one: Asked) -> bool:
    return one.lookup.kind == LookupKind.FOUND and one.lookup.report is not None


def _was_placed(order: Order) -> bool:
    return order.state in (OrderState.LIVE, OrderState.PARTIALLY_FILLED)


def _settle(one: Asked, now: datetime) -> None:
    if one.lookup.kind == LookupKind.FOUND and one.lookup.report is not None:
        faultpoint("R.before_adopt")
        apply_orders(one.order.account, [one.lookup.report], source=EventSource.REST)
        _let_go(one.order, now)
    elif _was_placed(one.order):
        _look_again(one, now)
    else:
        _write([_next_step(one, now)], now)


def _look_again(one: Asked, now: datetime) -> None:
    """It was placed, so it should be there; a person hears when it stays away."""
    order = one.order
    gone = one.lookup.kind == LookupKind.NOT_FOUND
    if gone and now - (order.sent_at or now) > MANUAL_AFTER:
        free = {"claim_token": None, "lease_until": None}
        gone_away = "the exchange does not show it any more"
        _write([Change(order, OrderState.MANUAL, free, gone_away)], now)
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
def _write(changes: Sequence[Change], now: datetime) -> None:
    for change in transition(changes, source=EventSource.REST, at=now):
        _alert(change.order, now)


def _next_step(one: Asked, now: datetime) -> Change:
    order = one.order
    free = {"claim_token": None, "lease_until": None}
    if one.proved:
        return _after_proof(order, now, free)
    columns: dict[str, Any] = {**free, "not_before": now + _wait(order, now)}
    if counts(one) and _apart(order, now):
        columns |= {"not_found_count": order.not_found_count + 1, "last_not_found_at": now}
        columns["not_before"] = now + NOT_FOUND_APART
    if _age(order, now) > MANUAL_AFTER and not _gets_on(one):
        return Change(order, OrderState.MANUAL, columns, "unresolved for ten minutes")
    note = one.lookup.code or one.lookup.message or one.lookup.kind.value
    return Change(order, OrderState.UNKNOWN, columns, f"asked: {note}")


def _gets_on(one: Asked) -> bool:
    """After an outage the exchange answers again: a few more looks settle it without a person."""
    return counts(one) and one.order.not_found_count < NOT_FOUND_NEEDED


def _after_proof(order: Order, now: datetime, free: dict[str, None]) -> Change:
    """Proved absent: sent again under the same id when it still makes sense, else ended."""
    columns: dict[str, Any] = {**free, "not_found_count": 0}
    age = _age(order, now)
    if age > FORGETS_FILLS:
        note = "not found, but the exchange tells no fills of so long ago"
        return Change(order, OrderState.MANUAL, columns, note)
    note = "proved not placed: not found three times, in no list"
    stale = order.expires_at is not None and now > order.expires_at
    if order.opens and (stale or order.attempt >= MAX_OPEN_ATTEMPTS):
        return Change(order, OrderState.EXPIRED, columns | {"reason": Reason.EXPIRED}, note)
    if order.opens and is_superseded(order):
        return Change(order, OrderState.EXPIRED, columns | {"reason": Reason.SUPERSEDED}, note)
    if age > FORGETS_UNFILLED:
        return _too_old(order, columns)
    columns |= {"not_before": None, "reason": Reason.NONE}
    return Change(order, OrderState.READY, columns, note, proved_not_placed=True)


def _too_old(order: Order, columns: dict[str, Any]) -> Change:
    """It filled nothing, whatever it was; of an old reduction a person must know."""
    note = "proved without a fill, too old to be sent again"
    if order.opens:
        return Change(order, OrderState.EXPIRED, columns | {"reason": Reason.EXPIRED}, note)
    return Change(order, OrderState.MANUAL, columns, note)


def _age(order: Order, now: datetime) -> timedelta:
    return now - (order.sent_at or order.created_at)


def is_superseded(order: Order) -> bool:
    """The leader has left meanwhile: a close of the same position waits behind it."""
    if order.cycle_id is None:
        return False
    closes = Order.objects.filter(cycle_id=order.cycle_id, leg=Leg.CLOSE, state__in=OPEN_STATES)
    return bool(closes.exclude(signal_id=order.signal_id).exists())


def _apart(order: Order, now: datetime) -> bool:
    last = order.last_not_found_at
    return last is None or now - last >= NOT_FOUND_APART


def _wait(order: Order, now: datetime) -> timedelta:
    """Ask soon at first, then ever less often; and just when an absence begins to say something."""
    age = now - (order.sent_at or now)
    early = too_early_by(order)
    if early:
        wait = min(max(age / 2, FIRST_WAIT), SLOWEST_AT_FIRST)
        return early if early < 2 * wait else wait
    return min(max(age / 8, FIRST_WAIT), SLOWEST)


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
