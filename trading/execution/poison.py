"""An order whose handling fails again and again is set aside, so that it costs nobody else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import Error as DatabaseFailure
from django.db import transaction
from django.db.models import F

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from trading.enums import EventSource, OrderState, Reason
from trading.faults import InjectedFaultError
from trading.leases import db_now
from trading.models import Order
from trading.switch import SwitchUnreadableError
from trading.transition import Change, retried, transition

MAX_FAILURES = 5
# These say nothing of an order: the next round tries it again, as often as it takes.
NOT_ITS_FAULT = (DatabaseFailure, SwitchUnreadableError, InjectedFaultError)
_UNSENT = (OrderState.NEW, OrderState.READY)
_SETTABLE = (
    *_UNSENT,
    OrderState.SENDING,
    OrderState.UNKNOWN,
    OrderState.LIVE,
    OrderState.PARTIALLY_FILLED,
)

log = logging.getLogger(__name__)


def isolated(ids: Sequence[UUID], send: Callable[[Sequence[UUID]], int]) -> int:
    """Send orders together; when that fails, halve by halve, until the one is found that fails.

    What was marked on the way is not sent again: it is no longer ready. Runs in the scope of
    all tenants.
    """
    try:
        return send(ids)
    except NOT_ITS_FAULT:
        raise
    except Exception:
        if len(ids) > 1:
            log.warning("%s orders could not be sent together: each half on its own", len(ids))
            half = len(ids) // 2
            return isolated(ids[:half], send) + isolated(ids[half:], send)
        log.exception("order %s could not be sent", ids[0])
    order = Order.objects.filter(id=ids[0], state__in=_UNSENT).first()
    if order is not None:
        count_failure(order)
    return 0


def count_failure(order: Order) -> bool:
    """Count it; True when that was the fifth and the order was set aside. Never raises."""
    try:
        with tenant_scope(order.tenant_id):
            return _count(order)
    except Exception:
        log.exception("order %s could not be set aside", order.id)
        return False


@retried
@transaction.atomic
def _count(order: Order) -> bool:
    mine = Order.objects.filter(id=order.id, signal_at=order.signal_at, state__in=_SETTABLE)
    mine.update(claims=F("claims") + 1)
    fresh = mine.first()
    if fresh is None or fresh.claims < MAX_FAILURES:
        return False
    to, columns = _aside(fresh)
    note = f"set aside: its handling failed {fresh.claims} times"
    if not transition([Change(fresh, to, columns, note)], source=EventSource.ENGINE, at=db_now()):
        return False
    audit.record(
        action="order.set_aside",
        obj=fresh,
        level=AuditLevel.CRITICAL,
        after={"client_order_id": fresh.client_order_id, "state": to},
        reason=note,
    )
    return True


def _aside(order: Order) -> tuple[OrderState, dict[str, object]]:
    """An opening that never left may simply end; about everything else a person decides."""
    columns: dict[str, object] = {
        "claim_token": None,
        "lease_until": None,
        "reason": Reason.POISON,
    }
    if order.opens and order.attempt == 0:
        return OrderState.DENIED, columns
    return OrderState.MANUAL, columns
