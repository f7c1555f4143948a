"""The opening of a reversal, which waits until the position it turns is really gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.enums import AuditLevel
from trading.enums import FINAL_STATES, EventSource, OrderState, Reason
from trading.leases import db_now
from trading.models import Order
from trading.outgoing import Outgoing, read_outgoing
from trading.positions_held import NOTHING, read_holdings
from trading.transition import Change, retried, transition

TIMEOUT = timedelta(seconds=30)
BATCH = 1000


def flat_after(awaited: Iterable[UUID], bases: Mapping[str, str]) -> dict[UUID, bool]:
    """Of closes that an opening waits for: is the position gone, for good?"""
    ids = set(awaited)
    closes = list(Order.objects.filter(id__in=ids)) if ids else []
    held = read_holdings({c.cycle_id for c in closes if c.cycle_id}, bases)
    found = {}
    for close in closes:
        holding = held.get(close.cycle_id, NOTHING)
        flat = holding.filled == 0 and not holding.waits
        found[close.id] = close.state in FINAL_STATES and flat
    return found


def is_late(order: Order | Outgoing, now: datetime) -> bool:
    return now - order.created_at > TIMEOUT


def dropped(order: Order | Outgoing) -> Change:
    note = str(Reason.FLIP_OPEN_DROPPED.label)
    return Change(order, OrderState.DENIED, {"reason": Reason.FLIP_OPEN_DROPPED}, note)


@retried
@transaction.atomic
def drop_late_flips() -> int:
    """End what waits for a close that is not over in time, also while nobody knows about it."""
    now = db_now()
    late = Order.objects.filter(
        state=OrderState.READY, waits_for__isnull=False, created_at__lt=now - TIMEOUT
    ).order_by("created_at")
    waiting = read_outgoing(Q(pk__in=list(late.values_list("pk", flat=True)[:BATCH])))
    flat = flat_after((order.waits_for for order in waiting if order.waits_for), {})
    changes = [
        dropped(order)
        for order in waiting
        if order.waits_for is not None and not flat.get(order.waits_for, False)
    ]
    return tell_dropped(transition(changes, source=EventSource.ENGINE, at=now))


def tell_dropped(written: Iterable[Change]) -> int:
    """A reversal that was only half done is told to people; how many were."""
    told = 0
    for change in written:
        if change.columns.get("reason") == Reason.FLIP_OPEN_DROPPED:
            told += 1
            audit.record(
                action="order.flip_open_dropped",
                obj=Order.objects.get(pk=change.order.id),
                level=AuditLevel.WARNING,
                reason=str(Reason.FLIP_OPEN_DROPPED.label),
                tenant=change.order.tenant_id,
            )
    return told
