"""Which take profit and stop loss an opening brings along. Pure.

Preferences override, so the subscription's ratios stand instead of the strategy's. The leader's
prices and the follower's ratios protect together: of two prices the one reached first counts.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import NamedTuple

from strategies.enums import ProtectionBasis
from strategies.protection import ProtectionTerms

ONE = Decimal(1)
# A price is put on a tick afterwards: what a quotient loses far behind it decides nothing.
FINE = Context(prec=60)


class Attached(NamedTuple):
    take_profit: Decimal | None
    stop_loss: Decimal | None


NOTHING_ATTACHED = Attached(None, None)


def attached(
    terms: ProtectionTerms,
    *,
    mirrored: tuple[Decimal | None, Decimal | None],
    reverses: bool,
    rising: bool,
    entry: Decimal | None,
    leverage: Decimal | None,
) -> Attached:
    """The prices for a position that gains when the price rises (`rising`) or falls.

    `mirrored` is the leader's (take profit, stop loss); who `reverses` takes each for the other,
    at the same price. Ratios are measured from `entry`: without one, or without the leverage
    that a ratio of the margin needs, they attach nothing.
    """
    own = own_prices(terms, rising=rising, entry=entry, leverage=leverage)
    if not terms.mirror:
        return own
    return nearer(turned(mirrored, reverses=reverses), own, rising=rising)


def turned(mirrored: tuple[Decimal | None, Decimal | None], *, reverses: bool) -> Attached:
    """The leader's (take profit, stop loss) as those of the follower's side."""
    profit, loss = mirrored
    return Attached(loss, profit) if reverses else Attached(profit, loss)


def nearer(leaders: Attached, own: Attached, *, rising: bool) -> Attached:
    """Of each price the one that the market reaches first."""
    profits = [p for p in (leaders.take_profit, own.take_profit) if p is not None]
    losses = [p for p in (leaders.stop_loss, own.stop_loss) if p is not None]
    lowest, highest = (min, max) if rising else (max, min)
    return Attached(lowest(profits, default=None), highest(losses, default=None))


def own_prices(
    terms: ProtectionTerms, *, rising: bool, entry: Decimal | None, leverage: Decimal | None
) -> Attached:
    """What the follower's ratios mean in prices; a price of nothing or less is never reached."""
    if not entry or not (terms.take_profit_ratio or terms.stop_loss_ratio):
        return NOTHING_ATTACHED
    divisor = ONE if terms.basis == ProtectionBasis.PRICE else leverage
    if not divisor:
        return NOTHING_ATTACHED
    sign = ONE if rising else -ONE
    return Attached(
        _moved(entry, sign * terms.take_profit_ratio, divisor),
        _moved(entry, -sign * terms.stop_loss_ratio, divisor),
    )


def _moved(entry: Decimal, ratio: Decimal, divisor: Decimal) -> Decimal | None:
    if not ratio:
        return None
    price = FINE.add(entry, FINE.divide(FINE.multiply(entry, ratio), divisor))
    return price if price > 0 else None
