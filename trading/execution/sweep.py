"""Everything that was left undone, found and taken up again. Correct when run twice at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.tenancy import all_tenants
from trading.enums import EventSource, Leg, OrderState, Reason
from trading.execution.acting import act_due
from trading.execution.cancel import ask_wished
from trading.execution.carrying_out import carry_out_settlements
from trading.execution.flips import drop_late_flips
from trading.execution.lanes import LANE_ORDER, are_rungs, lane_heads
from trading.execution.probing import probe_due
from trading.execution.protecting import keep_protections
from trading.execution.punctual import note_clocks
from trading.execution.refused import pause_forgotten
from trading.execution.resolve import resolve_again, resolve_due
from trading.execution.run import Flight, send_orders
from trading.execution.watching import watch_lately
from trading.faults import InjectedFaultError
from trading.leases import db_now
from trading.models import Order
from trading.transition import Change, retried, transition

BATCH = 1000
MOST_READ = 10_000

log = logging.getLogger(__name__)


def sweep() -> dict[str, int]:
    """One round over everything unfinished, in the order of `STEPS`, then send what is ready.

    A step that fails is tried again in the next round and stops nobody else's.
    """
    done: dict[str, int] = {}
    with all_tenants("the sweep of unfinished orders"):
        for name, step in STEPS:
            done[name] = _safely(name, step)
        ready = due_orders()
    return done | {"sent": send_orders(ready)}


def finish_proofs() -> int:
    """Look again, the moment it is due, at what is unknown; so many as may go on are sent.

    They leave look by look: nobody waits until the others are proved as well.
    """
    flight = Flight()
    try:
        with all_tenants("orders that are almost proved not to be placed"):
            for proved in resolve_again():
                flight.go(proved)
                flight.hear_some()
    finally:
        sent = flight.land()
    return sent


def _safely(name: str, step: Callable[[], int]) -> int:
    try:
        return step()
    except InjectedFaultError:
        raise
    except Exception:
        log.exception("a step of the sweep failed: %s", name)
        return 0


@retried
@transaction.atomic
def expire_overdue() -> int:
    """End openings whose time is over, also behind an order that blocks their lane."""
    now = db_now()
    overdue = Order.objects.filter(
        state=OrderState.READY, leg__in=(Leg.OPEN, Leg.ADD), expires_at__lt=now
    )
    note = str(Reason.EXPIRED.label)
    changes = [
        # What the clock held up says so: that is why it is too late.
        Change(order, OrderState.EXPIRED, {}, str(Reason.CLOCK_OFF.label))
        if order.reason == Reason.CLOCK_OFF
        else Change(order, OrderState.EXPIRED, {"reason": Reason.EXPIRED}, note)
        for order in overdue[:BATCH]
    ]
    return len(transition(changes, source=EventSource.ENGINE, at=now))


def due_orders() -> list[UUID]:
    """Ready orders that are due and whose turn it is, oldest lanes first.

    Those that wait behind another are left out: many of them must not fill the round.
    """
    now = db_now()
    rows = (
        Order.objects.filter(state=OrderState.READY)
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now))
        .order_by(*LANE_ORDER)
        .values_list(*_Due._fields)[:MOST_READ]
    )
    first: dict[str, list[_Due]] = {}
    for one in map(_Due._make, rows):
        together = first.setdefault(one.lane_key, [one])
        if one is not together[0] and are_rungs(one, together[0]):
            together.append(one)
    heads = lane_heads(first)
    due = [orders for lane, orders in first.items() if heads.get(lane) == orders[0].id]
    return [one.id for orders in due for one in orders][:BATCH]


class _Due(NamedTuple):
    """What of a ready order says with whom it may leave."""

    lane_key: str
    id: UUID
    signal_id: UUID
    leg_number: int
    order_type: str


STEPS: tuple[tuple[str, Callable[[], int]], ...] = (
    ("asked", resolve_due),
    ("paused", pause_forgotten),
    ("protected", keep_protections),
    ("wished", ask_wished),
    ("acted", act_due),
    ("reversed", drop_late_flips),
    ("expired", expire_overdue),
    ("opened", watch_lately),
    ("closed", probe_due),
    ("clocks", note_clocks),
    ("settled by hand", carry_out_settlements),
)
