"""Which orders may go: the first unfinished one of each lane, and nothing behind it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from trading.enums import OrderState, OrderType
from trading.models import Order
from trading.models.orders import OPEN_STATES

_NOT_YET = (OrderState.NEW, OrderState.READY)
# What rests at the exchange has been sent and answered: it may rest for days, and holds nobody up.
RESTING_TYPES = (OrderType.LIMIT, OrderType.POST_ONLY)
_RESTING = Q(state__in=(OrderState.LIVE, OrderState.PARTIALLY_FILLED), order_type__in=RESTING_TYPES)
LANE_ORDER = ("lane_at", "signal_id", "leg_number", "slice_number")


def ready_heads(order_ids: Iterable[UUID], now: datetime) -> list[Order]:
    """Of these orders, the ready ones that nothing unfinished stands before, due now."""
    wanted = list(order_ids)
    candidates = list(
        Order.objects.filter(id__in=wanted, state=OrderState.READY)
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now))
        .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
        .select_related("account__customer", "subscription__strategy", "signal", "cycle")
    )
    heads = lane_heads({order.lane_key for order in candidates})
    first = [order for order in candidates if heads.get(order.lane_key) == order.id]
    return _not_waiting(first)


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


def _not_waiting(orders: list[Order]) -> list[Order]:
    """Leave out the orders whose close, in another lane, has not finished."""
    awaited = {order.waits_for for order in orders if order.waits_for}
    if not awaited:
        return orders
    open_ids = set(
        Order.objects.filter(id__in=awaited, state__in=OPEN_STATES).values_list("id", flat=True)
    )
    return [order for order in orders if order.waits_for not in open_ids]
