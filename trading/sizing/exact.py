"""Decimal arithmetic that never loses a digit silently.

The default context keeps 28 digits, fewer than a stored product of two quantities has.
"""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

# A result that does not fit raises instead of being rounded.
EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])

ZERO = Decimal(0)
QUANTUM = Decimal("1e-18")  # the last place of a stored quantity


def product(*factors: Decimal) -> Decimal:
    result = Decimal(1)
    for factor in factors:
        result = EXACT.multiply(result, factor)
    return result


def floor_lot(quantity: Decimal, lot_size: Decimal) -> Decimal:
    """The largest multiple of the lot size that is not above `quantity` (>= 0)."""
    return EXACT.multiply(EXACT.divide_int(quantity, lot_size), lot_size)


def ceil_lot(quantity: Decimal, lot_size: Decimal) -> Decimal:
    """The smallest multiple of the lot size that is not below `quantity` (>= 0)."""
    floored = floor_lot(quantity, lot_size)
    return floored if floored == quantity else EXACT.add(floored, lot_size)


def floor_ratio(numerator: Decimal, denominator: Decimal, step: Decimal) -> Decimal:
    """`numerator / denominator` floored to a multiple of `step`, without an inexact quotient."""
    steps = EXACT.divide_int(numerator, EXACT.multiply(denominator, step))
    return EXACT.multiply(steps, step)


def ceil_ratio(numerator: Decimal, denominator: Decimal) -> Decimal:
    """`numerator / denominator`, rounded up in the 18th decimal when it does not end.

    Up, because a base cut short by 1e-18 loses a whole lot when it is multiplied back
    (10 / 3 cut, times 3, floors to 9).
    """
    floored = floor_ratio(numerator, denominator, QUANTUM)
    if EXACT.multiply(floored, denominator) == numerator:
        return floored
    return EXACT.add(floored, QUANTUM)
