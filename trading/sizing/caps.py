"""The limits that make an opening order smaller, in the order in which they apply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from strategies.enums import OverMaxPolicy
from trading.enums import Reason
from trading.sizing.exact import EXACT, ZERO, floor_lot, floor_ratio, product
from trading.sizing.terms import SizingRequest, Steps
from trading.sizing.units import notional_of_one


@dataclass(frozen=True, slots=True)
class Bounded:
    """A quantity in lots, the limit that binds it (NONE: none does), and how it came about."""

    quantity: Decimal
    reason: Reason
    steps: Steps


def apply_caps(request: SizingRequest, bounded: Bounded, held: Decimal) -> Bounded:
    """Lower the quantity to what every limit allows; `held` is the position before the order.

    Raises `PriceUnknownError` when a notional limit cannot be checked.
    """
    for name, reason, most in _limits(request, held):
        bounded = _lowered(bounded, name, reason, most)
    return _within_exchange_maximum(request, bounded)


def _limits(request: SizingRequest, held: Decimal) -> Iterator[tuple[str, Reason, Decimal]]:
    """(name, reason, contracts allowed in lots) of every limit that is set."""
    caps, rules = request.caps, request.rules
    room = caps.max_position_notional
    if room is not None:
        room = EXACT.subtract(room, product(held, notional_of_one(rules, request.price)))
    allocation = caps.remaining_allocation
    if allocation is not None and request.leverage is not None:
        allocation = product(allocation, request.leverage)
    in_notional = (
        ("order_notional", Reason.ORDER_NOTIONAL_ABOVE_LIMIT, caps.max_order_notional),
        ("allocation", Reason.ALLOCATION_FULL, allocation),
        ("daily_notional", Reason.DAILY_LIMIT, caps.remaining_daily_notional),
        ("exposure", Reason.EXPOSURE_ABOVE_LIMIT, caps.remaining_exposure),
        ("position_notional", Reason.POSITION_NOTIONAL_ABOVE_LIMIT, room),
    )
    for name, reason, value in in_notional:
        if value is not None:
            one = notional_of_one(rules, request.price)
            yield name, reason, floor_ratio(max(value, ZERO), one, rules.lot_size)
    if caps.max_order_quantity is not None:
        most = floor_lot(max(caps.max_order_quantity, ZERO), rules.lot_size)
        yield "order_quantity", Reason.ORDER_QUANTITY_ABOVE_LIMIT, most


def _within_exchange_maximum(request: SizingRequest, bounded: Bounded) -> Bounded:
    most = request.rules.max_size(limit_order=request.limit_order)
    if most is None:
        return bounded
    if request.terms.over_max_policy == OverMaxPolicy.SKIP and bounded.quantity > most:
        most = ZERO
    most = floor_lot(most, request.rules.lot_size)
    return _lowered(bounded, "exchange_maximum", Reason.ABOVE_MAX, most)


def _lowered(bounded: Bounded, name: str, reason: Reason, most: Decimal) -> Bounded:
    steps = (*bounded.steps, (name, most))
    if most < bounded.quantity:
        return Bounded(most, reason, steps)
    return Bounded(bounded.quantity, bounded.reason, steps)
