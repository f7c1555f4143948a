"""How much was lost, and how much of a limit that is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal

from trading.enums import LossMeasure

ZERO = Decimal(0)
# What a share of a limit loses far behind its point decides nothing.
FINE = Context(prec=38)


@dataclass(frozen=True, slots=True)
class Course:
    """What was gained since the beginning (a loss is negative), and what is not realized of it.

    `peak` is the most that `gained` ever was, never less than nothing.
    """

    realized: Decimal
    gained: Decimal
    unrealized: Decimal
    peak: Decimal


def course_of_account(
    *,
    equity: Decimal,
    unrealized: Decimal,
    base: Decimal,
    base_unrealized: Decimal,
    paid: Decimal,
    peak: Decimal,
) -> Course:
    """By what the account is worth; what was paid in or out is neither a gain nor a loss."""
    gained = equity - base - paid
    realized = (equity - unrealized) - (base - base_unrealized) - paid
    return Course(realized, gained, unrealized, max(peak, gained, ZERO))


def course_of_link(
    *, realized: Decimal, unrealized: Decimal, base_unrealized: Decimal, peak: Decimal
) -> Course:
    """By what the following's own fills made and its positions would make."""
    gained = realized + unrealized - base_unrealized
    return Course(realized, gained, unrealized, max(peak, gained, ZERO))


def lost(measure: LossMeasure, course: Course) -> Decimal:
    """What counts as lost; a gain is no loss."""
    found = {
        LossMeasure.REALIZED: -course.realized,
        LossMeasure.UNREALIZED: -course.unrealized,
        LossMeasure.EQUITY: -course.gained,
        LossMeasure.DRAWDOWN: course.peak - course.gained,
    }[measure]
    return max(found, ZERO)


def used(loss: Decimal, *, most: Decimal | None, part: Decimal | None, base: Decimal) -> Decimal:
    """The share of the limit that is used; of two bounds the one that is nearer."""
    bounds = [most] if most is not None else []
    if part is not None and base > 0:
        bounds.append(FINE.multiply(part, base))
    if not bounds:
        return ZERO
    return FINE.divide(loss, min(bounds)).quantize(Decimal("0.000001"))
