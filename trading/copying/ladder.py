"""The rungs of a limit copy: at which prices it waits, with how much at each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from trading.copying.price_terms import LadderTerms
from trading.positions_held import OrderPart
from trading.sizing import InstrumentRules, ceil_lot, floor_lot
from trading.sizing.exact import EXACT, QUANTUM, floor_ratio, product

ZERO = Decimal(0)


class Rung(NamedTuple):
    """One waiting order; the first is the nearest to the leader's price."""

    price: Decimal
    quantity: Decimal


def ladder(
    total: Decimal, reference: Decimal, rules: InstrumentRules, terms: LadderTerms, *, buys: bool
) -> tuple[Rung, ...]:
    """At most `terms.rungs` orders of `total` lots, none below the exchange's minimum.

    Every rung gets the same share and the first what is left over; shares below the minimum are
    all given to the first. Empty where not even the first would have a price.
    """
    prices = [
        rung_price(reference, discount, rules.tick_size, buys=buys) for discount in discounts(terms)
    ]
    prices = [price for price in prices if price > 0]
    if not prices:
        return ()
    share = floor_ratio(total, Decimal(len(prices)), rules.lot_size)
    if share < rules.min_size or share == 0:
        return (Rung(prices[0], total),)
    first = total - share * (len(prices) - 1)
    return (Rung(prices[0], first), *(Rung(price, share) for price in prices[1:]))


def discounts(terms: LadderTerms) -> list[Decimal]:
    """Evenly spread, the nearest first; a single one is the nearest."""
    if terms.rungs == 1:
        return [terms.discount_min]
    width, steps = terms.discount_max - terms.discount_min, terms.rungs - 1
    return [
        terms.discount_min + (width * number / steps).quantize(QUANTUM) for number in range(steps)
    ] + [terms.discount_max]


def rung_price(reference: Decimal, discount: Decimal, tick_size: Decimal, *, buys: bool) -> Decimal:
    """Below the leader's price for who buys, above it for who sells, never nearer than asked."""
    if buys:
        return floor_lot(product(reference, 1 - discount), tick_size)
    return ceil_lot(product(reference, 1 + discount), tick_size)


def too_far(
    parts: Sequence[OrderPart], expected: Decimal, target: Decimal, *, buys: bool
) -> tuple[int, ...]:
    """Which waiting orders to cancel until no more than the target can come about.

    By their place among the parts, the farthest from the market first.
    """
    waiting = [n for n, part in enumerate(parts) if part.rests and not part.is_leaving]
    waiting.sort(key=lambda n: parts[n].price or ZERO, reverse=not buys)
    chosen = []
    for number in waiting:
        if expected <= target:
            break
        chosen.append(number)
        expected = EXACT.subtract(expected, parts[number].unfilled)
    return tuple(chosen)
