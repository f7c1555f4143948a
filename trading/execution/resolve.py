"""Orders whose outcome nobody told us: asked for, never guessed, never sent again blind."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from trading.enums import EventSource, Leg, OrderState, OrderType, Reason
from trading.exchange.types import LookupKind
from trading.execution.looking import NOT_FOUND_NEEDED, Asked, ask, counts
from trading.execution.poison import count_failure
from trading.faults import InjectedFaultError, faultpoint
from trading.leases import db_now
from trading.models import Order
from trading.models.orders import OPEN_STATES
from trading.sync.apply import apply_orders
from trading.transition import Change, retried, transition

ROUND = 200
CLAIM = timedelta(seconds=15)
NOT_FOUND_APART = timedelta(seconds=1)
AGAIN_S = 2.2
PAUSE_S = 0.2
SLOWEST = timedelta(seconds=15)
UNSEEN_FILL = timedelta(seconds=3)
NEVER_RESTS = (OrderType.MARKET, OrderType.IOC, OrderType.FOK)
ALERT_AFTER = timedelta(seconds=60)
MANUAL_AFTER = timedelta(minutes=10)
MAX_OPEN_ATTEMPTS = 3
# The exchange forgets canceled orders without fills after so long, and fills after three days.
FORGETS_UNFILLED = timedelta(hours=2)
FORGETS_FILLS = timedelta(days=3) - timedelta(minutes=10)

log = logging.getLogger(__name__)


def resolve_due(limit: int = ROUND, *, market: str = "") -> int:
    """One round: ask about every order whose outcome is open and due. Repeat until none is.

    Runs in the scope of all tenants.
    """
    now = db_now()
    claimed = [order for order in _due(now, limit, market) if _claim(order, now)]
    if not claimed:
        return 0
    for asked in ask(claimed):
        faultpoint("R.asked")
        for one in asked:
            _settle_safely(one)
    return len(claimed)


def resolve_again(seconds: float = AGAIN_S) -> int:
    """Who was not found a moment ago is asked again without waiting for the next sweep.

    Three such answers, a second apart, are the proof that lets an order go on. Nothing is
    waited for when nobody is on the way there. Runs in the scope of all tenants.
    """
    until = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until and _is_being_proved():
        threading.Event().wait(PAUSE_S)
        done += resolve_due()
    return done


def _is_being_proved() -> bool:
    lately = db_now() - 2 * NOT_FOUND_APART
    asked = Order.objects.filter(state=OrderState.UNKNOWN, not_found_count__gt=0)
    return bool(asked.filter(last_not_found_at__gt=lately).exists())


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


def _due(now: datetime, limit: int, market: str) -> list[Order]:
    """Unknown ones, sent ones whose sender is gone, and those that never rest but were not seen
    to fill.
    """
    placed = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)
    rows = Order.objects.filter(market=market) if market else Order.objects.all()
    return list(
        rows.filter(
            Q(state__in=(OrderState.UNKNOWN, OrderState.SENDING))
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


@retried
def _claim(order: Order, now: datetime) -> bool:
    """One process asks at a time."""
    taken: int = Order.objects.filter(
        id=order.id, signal_at=order.signal_at, version=order.version
    ).update(claim_token=uuid.uuid4(), lease_until=now + CLAIM, version=order.version + 1)
    if taken:
        order.version += 1
    return taken == 1


def _settle(one: Asked, now: datetime) -> None:
    if one.lookup.kind == LookupKind.FOUND and one.lookup.report is not None:
        faultpoint("R.before_adopt")
        apply_orders(one.order.account, [one.lookup.report], source=EventSource.REST)
        _let_go(one.order, now)
        return
    if one.order.state in (OrderState.LIVE, OrderState.PARTIALLY_FILLED):
        _look_again(one, now)
        return
    _write(_next_step(one, now), now)


def _look_again(one: Asked, now: datetime) -> None:
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
