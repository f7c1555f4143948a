"""What a waiting order filled after the leader had left is closed at once, at the market.

The close is one more slice of the leg that closed or reduced before it: whoever finds it first
writes it, and the unique key of orders keeps a second one out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts import audit
from accounts.enums import AuditLevel
from accounts.fields import uuid7
from accounts.tenancy import all_tenants, tenant_scope
from trading.enums import (
    FINAL_STATES,
    RESTING_TYPES,
    EventSource,
    Leg,
    OrderState,
    OrderType,
    Reason,
)
from trading.events import orders_ready
from trading.leases import db_now
from trading.models import Cycle, Instrument, Order, OrderEvent
from trading.orders import ClientOrderIds
from trading.positions_held import (
    INCREASES,
    NOTHING,
    Holding,
    base_of,
    read_holdings,
    rules_of,
)
from trading.sizing import resize_at_send

# The leg before it did all it could: what is held beyond its target came later.
DONE_WITH = (Reason.ALREADY_FLAT, Reason.ALREADY_AT_TARGET)
MOST_SLICES = 50
LATELY = timedelta(minutes=10)
BATCH = 500

log = logging.getLogger(__name__)


def close_late_fills(order_ids: Iterable[UUID]) -> list[UUID]:
    """Look at the cycles of these finished orders; the orders that were made, ready to be sent."""
    with all_tenants("late fills of several desks"):
        finished = Order.objects.filter(id__in=list(order_ids), cycle__isnull=False)
        waited = Order.objects.filter(
            cycle_id__in=finished.values("cycle_id"),
            order_type__in=RESTING_TYPES,
            leg__in=INCREASES,
            cancel_requested=True,
            filled_quantity__gt=0,
        )
        return _close(set(waited.order_by().values_list("cycle_id", flat=True)))


def sweep_late_fills() -> list[UUID]:
    """The same of whatever filled lately after it was to be canceled, in case an event was lost."""
    with all_tenants("the sweep of late fills"):
        waited = Order.objects.filter(
            state__in=FINAL_STATES,
            order_type__in=RESTING_TYPES,
            leg__in=INCREASES,
            cancel_requested=True,
            filled_quantity__gt=0,
            cycle__isnull=False,
            finished_at__gt=db_now() - LATELY,
        )
        return _close(set(waited.order_by().values_list("cycle_id", flat=True)[:BATCH]))


def _close(cycle_ids: Iterable[UUID]) -> list[UUID]:
    return [made for pk in sorted(cycle_ids) if (made := _close_one(pk)) is not None]


def _close_one(cycle_id: UUID) -> UUID | None:
    """One cycle by itself: that one cannot be looked at keeps no other open."""
    try:
        with transaction.atomic():
            cycle = Cycle.objects.select_for_update().select_related("account").get(pk=cycle_id)
            with tenant_scope(cycle.tenant_id):
                return _decide(cycle)
    except IntegrityError:
        return None  # somebody else was faster
    except Exception:
        log.exception("late fills of cycle %s", cycle_id)
        return None


def _decide(cycle: Cycle) -> UUID | None:
    instrument = Instrument.objects.filter(
        market=cycle.account.market, inst_id=cycle.inst_id
    ).first()
    if instrument is None:
        return None
    bases = {instrument.inst_id: instrument.base_currency} if instrument.is_spot else {}
    holding = read_holdings([cycle.pk], bases).get(cycle.pk, NOTHING)
    before = _leg_before(holding)
    if before is None:
        return None
    left: Decimal = resize_at_send(
        base_of(cycle),
        before.leader_after or Decimal(0),
        holding.filled,
        rules_of(instrument),
        Leg(before.leg),
    )
    return _write(before, left) if left > 0 else None


def _leg_before(holding: Holding) -> Order | None:
    """The reduction after which nothing may be held beyond its target; None where none is due."""
    if any(part.sign < 0 and not part.is_final for part in holding.parts):
        return None  # it is sized by what is filled when it leaves
    if not holding.parts or holding.parts[-1].sign > 0:
        return None  # the leader came back since, and is followed anew
    order = Order.objects.get(pk=holding.parts[-1].id)
    did_all = order.state == OrderState.FILLED or order.reason in DONE_WITH
    return order if did_all and order.slice_number < MOST_SLICES else None


def _write(before: Order, quantity: Decimal) -> UUID:
    now = db_now()
    number = before.slice_number + 1
    ids = ClientOrderIds(
        deployment_code=settings.DEPLOYMENT_CODE,
        key=settings.ORDER_ID_KEY.encode(),
        signal_id=before.signal_id,
    )
    order = Order(
        id=uuid7(),
        tenant_id=before.tenant_id,
        signal_at=before.signal_at,
        signal_id=before.signal_id,
        decision_id=before.decision_id,
        subscription_id=before.subscription_id,
        account_id=before.account_id,
        cycle_id=before.cycle_id,
        link_uid=before.link_uid,
        leg=before.leg,
        leg_number=before.leg_number,
        slice_number=number,
        client_order_id=ids.of(before.link_uid.hex, before.leg_number, number),
        lane_key=before.lane_key,
        lane_at=now,
        market=before.market,
        inst_id=before.inst_id,
        side=before.side,
        position_side=before.position_side,
        reduce_only=before.reduce_only,
        order_type=OrderType.MARKET,
        margin_mode=before.margin_mode,
        quantity=quantity,
        reference_price=before.reference_price,
        leader_after=before.leader_after,
        state=OrderState.READY,
        created_at=now,
    )
    order.save(force_insert=True)
    note = str(Reason.LATE_FILL_CLOSED.label)
    OrderEvent.objects.create(
        tenant_id=order.tenant_id,
        signal_at=order.signal_at,
        order=order,
        at=now,
        source=EventSource.ENGINE,
        to_state=order.state,
        note=note,
    )
    audit.record(
        action="order.late_fill_closed",
        obj=order,
        level=AuditLevel.WARNING,
        after={"quantity": f"{quantity:f}"},
        reason=note,
        tenant=order.tenant_id,
    )
    transaction.on_commit(partial(orders_ready.send_robust, Order, order_ids=[order.id]))
    return order.id
