"""Writing what was learned about our orders, with the surprises that a person must hear about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts import audit
from accounts.enums import AuditLevel
from trading.enums import FINAL_STATES, EventSource, OrderState
from trading.models import Order
from trading.sync.apply.claim import Applied
from trading.transition import Change, transition

_HELD = frozenset({OrderState.NEW, OrderState.READY})
_NEVER_PLACED = frozenset({OrderState.REJECTED, OrderState.EXPIRED, OrderState.DENIED})


@dataclass(frozen=True, slots=True)
class Before:
    state: OrderState
    filled: Decimal
    exchange_order_id: str

    @classmethod
    def of(cls, order: Order) -> Before:
        return cls(OrderState(order.state), order.filled_quantity, order.exchange_order_id)


def next_state(order: Order, merged: OrderState) -> OrderState:
    """Where the merged facts may take this order.

    A final state stays. What we hold as never sent yet is at the exchange goes to a person,
    unless an attempt of ours explains it.
    """
    current = OrderState(order.state)
    if current in FINAL_STATES:
        return current
    if current in _HELD and not order.attempt and merged not in FINAL_STATES:
        return OrderState.MANUAL
    return merged


def write_steps(
    changes: Sequence[Change], *, source: EventSource, at: datetime
) -> tuple[Applied, bool]:
    """Write the changes with their diary; True when another writer was faster with one of them."""
    before = {change.order.id: Before.of(change.order) for change in changes}
    _leave_held([change.order for change in changes], source, at)
    reachable = [c for c in changes if c.order.state == c.to or c.order.state not in _HELD]
    written = transition(reachable, source=source, at=at)
    for change in written:
        _record_surprises(change.order, before[change.order.id])
    finished = [
        c.order.id for c in written if c.to in FINAL_STATES and before[c.order.id].state != c.to
    ]
    applied = Applied(changed=tuple(c.order.id for c in written), finished=tuple(finished))
    return applied, len(written) < len(changes)


def _leave_held(orders: Sequence[Order], source: EventSource, at: datetime) -> None:
    """Take orders that were about to be sent out of the way of the sender."""
    transition(
        [
            Change(
                order,
                OrderState.SENDING if order.attempt else OrderState.MANUAL,
                note="the exchange has it",
            )
            for order in orders
            if order.state in _HELD
        ],
        source=source,
        at=at,
    )


def _record_surprises(order: Order, before: Before) -> None:
    if before.state in FINAL_STATES and order.filled_quantity > before.filled:
        record_late_fill(order, before.filled)
    first_heard = before.exchange_order_id == "" and order.exchange_order_id != ""
    if first_heard and before.state in _HELD | _NEVER_PLACED:
        audit.record(
            action="order.placed_unexpectedly",
            obj=order,
            level=AuditLevel.CRITICAL,
            after={"exchange_order_id": order.exchange_order_id},
            reason=f"The exchange has an order that we hold as {before.state}.",
        )


def record_late_fill(order: Order, before: Decimal) -> None:
    audit.record(
        action="order.late_fill",
        obj=order,
        level=AuditLevel.WARNING,
        before={"filled_quantity": str(before)},
        after={"filled_quantity": str(order.filled_quantity)},
        reason=f"More was filled after the order had ended as {order.state}.",
    )
