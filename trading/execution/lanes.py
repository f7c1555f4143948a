"""Which orders may go: the first unfinished one of each lane, and nothing behind it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from trading.enums import OrderState, OrderType
from trading.models import Order
from trading.models.orders import OPEN_STATES
from trading.outgoing import Outgoing, in_lanes_of, read_outgoing

_NOT_YET = (OrderState.NEW, OrderState.READY)
# What rests at the exchange has been sent and answered: it may rest for days, and holds nobody up.
RESTING_TYPES = (OrderType.LIMIT, OrderType.POST_ONLY)
_RESTING = Q(state__in=(OrderState.LIVE, OrderState.PARTIALLY_FILLED), order_type__in=RESTING_TYPES)
LANE_ORDER = ("lane_at", "signal_id", "leg_number", "slice_number")


def ready_heads(order_ids: Iterable[UUID], now: datetime) -> list[Outgoing]:
    """Of these orders, the ready ones that nothing unfinished stands before, due now.

    One query, and one more where an order waits for another lane's close.
    """
    wanted = set(order_ids)
    standing = read_outgoing(in_lanes_of(wanted) & Q(state__in=OPEN_STATES) & ~_RESTING)
    standing.sort(key=lambda o: (o.lane_at, o.signal_id, o.leg_number, o.slice_number))
    first: dict[str, UUID] = {}
    left: dict[str, UUID] = {}
    for order in standing:
        first.setdefault(order.lane_key, order.id)
        if order.state not in _NOT_YET:
            left.setdefault(order.lane_key, order.id)
    heads = first | left
    return _not_waiting(
        [
            order
            for order in standing
            if order.id in wanted and heads[order.lane_key] == order.id and _is_due(order, now)
        ]
    )


def _is_due(order: Outgoing, now: datetime) -> bool:
    return (
        order.state == OrderState.READY
        and (order.not_before is None or order.not_before <= now)
        and (order.lease_until is None or order.lease_until < now)
    )


def lane_heads(lane_keys: Iterable[str]) -> dict[str, UUID]:
    """The unfinished order of each lane that has its turn: what left already, else the first.

    One query.
    """
    first: dict[str, UUID] = {}
    left: dict[str, UUID] = {}
    rows = (
        Order.objects.filter(lane_key__in=list(lane_keys), state__in=OPEN_STATES)
        .exclude(_RESTING)
        .order_by("lane_key", *LANE_ORDER)
        .values_list("lane_key", "id", "state")
    )
    for lane, order, state in rows:
        first.setdefault(lane, order)
        if state not in _NOT_YET:
            left.setdefault(lane, order)
    return first | left


def successors(finished: Iterable[UUID]) -> list[UUID]:
    """Ready orders that may go now that these are final: next in lane, or waiting for them."""
    ids = list(finished)
    lanes = Order.objects.filter(id__in=ids).values_list("lane_key", flat=True)
    rows = Order.objects.filter(state=OrderState.READY).filter(
        Q(lane_key__in=list(lanes)) | Q(waits_for__in=ids)
    )
    return list(rows.values_list("id", flat=True))


def _not_waiting(orders: list[Outgoing]) -> list[Outgoing]:
    """Leave out the orders whose close, in another lane, has not finished."""
    awaited = {order.waits_for for order in orders if order.waits_for}
    if not awaited:
        return orders
    open_ids = set(
        Order.objects.filter(id__in=awaited, state__in=OPEN_STATES).values_list("id", flat=True)
    )
    return [order for order in orders if order.waits_for not in open_ids]
