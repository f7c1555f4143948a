"""Everything that was left undone, found and taken up again. Correct when run twice at once."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from accounts.tenancy import all_tenants
from trading.enums import OrderState
from trading.execution.cancel import cancel_requested
from trading.execution.lanes import LANE_ORDER
from trading.execution.resolve import resolve_due
from trading.execution.run import send_orders
from trading.leases import db_now
from trading.models import Order

BATCH = 1000


def sweep() -> dict[str, int]:
    """One round over unfinished orders: ask about the unknown, cancel, send the ready."""
    with all_tenants("the sweep of unfinished orders"):
        resolved = resolve_due()
        canceled = cancel_requested()
        ready = due_orders()
    return {"asked": resolved, "canceled": canceled, "sent": send_orders(ready)}


def due_orders() -> list[UUID]:
    """Ready orders that are due, oldest lanes first."""
    now = db_now()
    rows = (
        Order.objects.filter(state=OrderState.READY)
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now))
        .order_by(*LANE_ORDER)
    )
    return list(rows.values_list("id", flat=True)[:BATCH])
