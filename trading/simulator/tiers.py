"""Position tiers: the larger a position, the less leverage and the more maintenance margin."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

from trading.simulator.decimals import ZERO, divide, floor_to

if TYPE_CHECKING:
    from trading.simulator.instruments import Instrument

_RATE_STEP: Final = Decimal("0.0001")
# The largest position of each tier in USD at the first price, and the share of
# the instrument's largest leverage that is allowed there.
_STEPS: Final = (
    (2_000_000, Decimal(1)),
    (5_000_000, Decimal("0.75")),
    (10_000_000, Decimal("0.5")),
    (20_000_000, Decimal("0.4")),
    (50_000_000, Decimal("0.2")),
    (100_000_000, Decimal("0.1")),
    (200_000_000, Decimal("0.05")),
    (1_000_000_000, Decimal("0.02")),
)


@dataclass(frozen=True, slots=True)
class Tier:
    """Sizes are in contracts, both ends included; rates are parts of the notional."""

    number: int
    min_size: Decimal
    max_size: Decimal
    mmr: Decimal
    imr: Decimal
    max_lever: Decimal


def tiers_of(listed: Instrument) -> tuple[Tier, ...]:
    """The tiers of a contract, smallest first; a spot pair has none."""
    return () if listed.is_spot else _tiers(listed)


@cache
def _tiers(listed: Instrument) -> tuple[Tier, ...]:
    unit = max(listed.lot, Decimal(1))
    contract_usd = listed.usd_notional(Decimal(1), listed.first_price)
    share = listed.mmr * listed.max_lever
    made: list[Tier] = []
    for number, (most_usd, part) in enumerate(_STEPS, start=1):
        lever = max(floor_to(listed.max_lever * part, Decimal(1)), Decimal(1))
        largest = max(floor_to(divide(Decimal(most_usd), contract_usd), unit), unit)
        made.append(
            Tier(
                number=number,
                min_size=made[-1].max_size + listed.lot if made else ZERO,
                max_size=largest,
                mmr=floor_to(divide(share, lever), _RATE_STEP),
                imr=divide(Decimal(1), lever).quantize(_RATE_STEP),
                max_lever=lever,
            )
        )
    return tuple(made)
