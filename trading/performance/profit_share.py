"""A leader's share of the profit, of each gain once: by a high-water mark. Pure, in USDT.

Of one following. What is kept between two settlements is its high-water mark alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.sizing.exact import EXACT, ZERO, floor_lot, product

CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Settled:
    """What a period costs, of which amount, and the mark that the next one is measured by."""

    base: Decimal
    fee: Decimal
    high_water: Decimal


def share_of_profit(
    *,
    rate: Decimal,
    high_water: Decimal,
    realized: Decimal,
    unrealized: Decimal = ZERO,
    counts_open_gains: bool = False,
) -> Settled:
    """The share by cumulative net PnL: ours unless something else was agreed.

    `realized` is all since the following began, after fees and funding; `unrealized` is that of
    now. An open loss counts, an open gain only where it is agreed. The mark begins at 0 and never
    falls; money paid in or out is no PnL and so never enters. `rate` 0.1 is 10 %.

    Before a rate changes, settle at the old one. Raises ValueError where the rate is no share, or
    the mark is below 0.
    """
    if high_water < 0:
        raise ValueError("A high-water mark of profit begins at 0 and never falls.")
    counted = unrealized if counts_open_gains else min(ZERO, unrealized)
    return _settled(rate, high_water, EXACT.add(realized, counted))


def share_of_equity(*, rate: Decimal, high_water: Decimal, equity: Decimal) -> Settled:
    """The share by equity: what `equity`, before the fee, has risen above the mark.

    The mark begins at the amount invested. The fee that is taken does not move it; what is paid
    in or out does, by `moved_mark`. Raises ValueError where the rate is no share.
    """
    return _settled(rate, high_water, equity)


def moved_mark(high_water: Decimal, paid_in: Decimal) -> Decimal:
    """An equity mark after a deposit, or a withdrawal (< 0): as far from the equity as before."""
    return EXACT.add(high_water, paid_in)


def _settled(rate: Decimal, high_water: Decimal, base: Decimal) -> Settled:
    if not 0 <= rate <= 1:
        raise ValueError("The rate is a part of the profit: from 0 to 1.")
    gain = max(ZERO, EXACT.subtract(base, high_water))
    # Down to the cent: a fraction is the customer's.
    fee = floor_lot(product(rate, gain), CENT)
    return Settled(base, fee, max(high_water, base))
