"""Approved repairs, carried out: looked at once more, written as orders, and followed to their end.

A repair whose difference is gone meanwhile is not carried out; one that must wait for orders on
their way waits. Safe to run twice at once: each writes its orders under the account's claim.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from signals.enums import Direction
from signals.services import system_source
from trading.enums import (
    DriftClass,
    Leg,
    OrderCause,
    OrderState,
    PositionSide,
    RepairAction,
    RepairState,
)
from trading.execution.own_orders import OwnOrder, write_own
from trading.leases import db_now
from trading.models import Cycle, Instrument, MarketPrice, Order, Position, ReconcileRun, Repair
from trading.models.orders import OPEN_STATES
from trading.positions_held import NOTHING, read_holdings
from trading.repairs import step
from trading.sizing import floor_lot
from trading.sync.apply.claim import claimed
from trading.sync.truth import Compared, compare

BATCH: Final = 50
# What cannot be begun for so long is given up: the numbers it was approved for are history.
WAITS_FOR: Final = timedelta(minutes=10)
# More is only bought on what was read a moment ago.
FRESH: Final = timedelta(seconds=60)
OPENS_FOR: Final = timedelta(seconds=60)
_LESS = (DriftClass.UNDER, DriftClass.MISSING, DriftClass.EXPLAINED)
_MORE = (DriftClass.ORPHAN, DriftClass.OVER, DriftClass.WRONG_SIDE)
_FITS = {
    RepairAction.CLOSE: _MORE,
    RepairAction.REDUCE: _MORE,
    RepairAction.INCREASE: _LESS,
}
# A person who ends a following after somebody else traded there has seen that.
_FITS_ENDING = (*_MORE, DriftClass.FOREIGN, DriftClass.EXPLAINED)

log = logging.getLogger(__name__)


def carry_out_repairs() -> list[UUID]:
    """Write the orders of repairs that were approved; their ids. In the scope of all tenants."""
    due = Repair.objects.filter(state=RepairState.APPROVED).order_by("decided_at")[:BATCH]
    written: list[UUID] = []
    for row in due.select_related("account"):
        with tenant_scope(row.tenant_id):
            try:
                written += _carry_out(row)
            except Exception:
                log.exception("repair %s failed", row.pk)
    return written


def finish_repairs() -> int:
    """Say what became of repairs whose orders have ended; how many. In the scope of all tenants."""
    finished = 0
    going_on = Order.objects.filter(signal_id=OuterRef("signal_id"), state__in=OPEN_STATES)
    over = Repair.objects.filter(~Exists(going_on), state=RepairState.SENT)
    for row in over.select_related("account").order_by("decided_at")[:BATCH]:
        with tenant_scope(row.tenant_id):
            try:
                finished += _finish(row)
            except Exception:
                log.exception("repair %s could not be ended", row.pk)
    return finished


def _carry_out(row: Repair) -> list[UUID]:
    with claimed(row.account) as now:
        row = Repair.objects.select_related("account__customer").get(pk=row.pk)
        if row.state != RepairState.APPROVED:
            return []
        one = _now(row)
        if one is None or one.kind == DriftClass.CLEAN:
            _end(row, RepairState.EXPIRED, "The difference is gone.", now)
            return []
        if one.kind == DriftClass.IN_FLIGHT or _must_be_read_again(row, now):
            _wait(row, now)
            return []
        if one.kind not in _fitting(row):
            _end(row, RepairState.EXPIRED, f"It is another one by now: {one.kind.label}.", now)
            return []
        own = _own_order(row, one, now)
        if isinstance(own, str):
            _end(row, RepairState.FAILED, own, now)
            return []
        signal, ids = write_own(own, now)
        step(row, RepairState.SENT, signal=signal)
        return ids


def _fitting(row: Repair) -> Sequence[DriftClass]:
    if row.kind == DriftClass.FOREIGN and row.action == RepairAction.CLOSE:
        return _FITS_ENDING
    return _FITS.get(RepairAction(row.action), ())


def _now(row: Repair) -> Compared | None:
    place = (row.inst_id, row.position_side)
    found = compare([row.account], None)
    return next((one for one in found if (one.inst_id, one.position_side) == place), None)


def _must_be_read_again(row: Repair, now: datetime) -> bool:
    if row.action != RepairAction.INCREASE:
        return False
    read = ReconcileRun.objects.filter(account=row.account, ok=True, started_at__gt=now - FRESH)
    return not read.exists()


def _wait(row: Repair, now: datetime) -> None:
    if row.decided_at is not None and now - row.decided_at > WAITS_FOR:
        _end(row, RepairState.FAILED, "Orders of the position never came to rest.", now)


def _own_order(row: Repair, one: Compared, now: datetime) -> OwnOrder | str:
    """The order, or why there can be none."""
    account = row.account
    instrument = Instrument.objects.filter(market=account.market, inst_id=row.inst_id).first()
    if instrument is None:
        return "The instrument is not known in this market."
    increases = row.action == RepairAction.INCREASE
    if increases and one.followed is None:
        return "Nothing is followed here any more."
    quantity = floor_lot(_quantity(row, one), instrument.lot_size)
    if quantity <= 0 or (increases and quantity < instrument.min_size):
        return "Below what the exchange takes."
    cycle = _cycle_of(one, increases=increases)
    last = _last_order(account, row.inst_id, cycle)
    quote = MarketPrice.objects.filter(market=account.market, inst_id=row.inst_id).first()
    leader = one.followed.leader if one.followed else Decimal(0)
    return OwnOrder(
        account=account,
        source=system_source(account.tenant),
        external_id=f"repair-{row.pk.hex}",
        cause=OrderCause.REPAIR,
        instrument=instrument,
        position_side=PositionSide(row.position_side),
        direction=_direction(row, one, increases=increases),
        leg=_leg(row),
        quantity=quantity,
        margin_mode=_margin_mode(account, row, last),
        mark=quote.mark if quote else None,
        cycle=cycle,
        leader_after=leader if row.action != RepairAction.CLOSE else Decimal(0),
        leverage=last.leverage if last is not None and increases else None,
        price=_price(row, instrument) if increases else None,
        reference_price=one.followed.leader_entry if one.followed and increases else None,
        expires_at=now + OPENS_FOR if increases else None,
        by=row.decided_by,
        numbers={
            "exchange": f"{one.three.exchange:f}",
            "ours": f"{one.three.ours:f}",
            "target": f"{one.three.target:f}",
        },
    )


def _quantity(row: Repair, one: Compared) -> Decimal:
    """By the numbers of this moment, and never more than was approved of an increase."""
    ours, target = abs(one.three.ours), abs(one.three.target)
    approved: Decimal = row.quantity
    match row.action:
        case RepairAction.INCREASE:
            return min(approved, target - ours)
        case RepairAction.REDUCE:
            return min(ours - target, abs(one.three.exchange))
        case _:
            same = (one.three.exchange > 0) == (one.three.ours > 0)
            return min(ours, abs(one.three.exchange)) if same else Decimal(0)


def _leg(row: Repair) -> Leg:
    match row.action:
        case RepairAction.INCREASE:
            return Leg.ADD
        case RepairAction.REDUCE:
            return Leg.REDUCE
        case _:
            return Leg.CLOSE


def _direction(row: Repair, one: Compared, *, increases: bool) -> Direction:
    if increases and one.followed is not None:
        return one.followed.direction
    if row.position_side != PositionSide.NET:
        return Direction(row.position_side)
    return Direction.LONG if one.three.ours > 0 else Direction.SHORT


def _cycle_of(one: Compared, *, increases: bool) -> Cycle | None:
    """The cycle whose position it is: what an earlier one left over belongs to none."""
    if one.followed is None:
        return None
    cycle = Cycle.objects.select_related("subscription").get(pk=one.followed.cycle_id)
    held = read_holdings([cycle.pk]).get(cycle.pk, NOTHING).filled
    return cycle if increases or held == abs(one.three.ours) else None


def _last_order(account: ExchangeAccount, inst_id: str, cycle: Cycle | None) -> Order | None:
    rows = Order.objects.filter(account=account, inst_id=inst_id, leg__in=(Leg.OPEN, Leg.ADD))
    if cycle is not None:
        rows = rows.filter(cycle_id=cycle.pk)
    found: Order | None = rows.order_by("-created_at").first()
    return found


def _margin_mode(account: ExchangeAccount, row: Repair, last: Order | None) -> str:
    held = Position.objects.filter(
        account=account, inst_id=row.inst_id, position_side=row.position_side
    ).open()
    position = held.first()
    if position is not None:
        return str(position.margin_mode)
    return last.margin_mode if last else "cross"


def _price(row: Repair, instrument: Instrument) -> Decimal | None:
    """The bound, on a tick that is not worse than it."""
    bound: Decimal | None = row.worst_price
    if bound is None:
        return None
    tick: Decimal = instrument.tick_size
    down = bound // tick * tick
    if row.target > 0 and row.position_side != PositionSide.SHORT:
        return down
    return down if down == bound else down + tick


def _finish(row: Repair) -> bool:
    orders = list(Order.objects.filter(signal_id=row.signal_id, link_uid=row.account.uid))
    if not orders or any(order.state in OPEN_STATES for order in orders):
        return False
    now = db_now()
    filled = sum((order.filled_quantity for order in orders), Decimal(0))
    asked = sum((order.quantity for order in orders), Decimal(0))
    words = f"{filled.normalize():f} of {asked.normalize():f} contracts."
    if any(order.state == OrderState.FILLED for order in orders) or filled > 0:
        return _end(row, RepairState.DONE, words, now)
    last = orders[-1]
    why = last.get_reason_display() if last.reason else last.get_state_display()
    return _end(row, RepairState.FAILED, f"{why}. {words}", now)


def _end(row: Repair, to: RepairState, result: str, now: datetime) -> bool:
    if not step(row, to, result=result[:300], finished_at=now):
        return False
    if to == RepairState.EXPIRED:
        return True
    audit_level = AuditLevel.INFO if to == RepairState.DONE else AuditLevel.WARNING
    with claimed(row.account):
        audit.record(
            action=f"repair.{to.value}",
            obj=row,
            after={"account": str(row.account), "instrument": row.inst_id, "result": result},
            level=audit_level,
            actor=row.decided_by,
        )
    return True
