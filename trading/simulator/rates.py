"""Funding rates and times of the swaps: drawn from the seed, known for any time."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.simulator.noise import draw, key_of

LARGEST_RATE: Final = Decimal("0.00375")

_PERIOD_MS: Final = 8 * 3_600_000
_INTEREST: Final = Decimal("0.0001")
_PULL: Final = Decimal("0.0005")
_STEP: Final = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class Funding:
    """Every eight hours of the market, which is walked `speed` times as fast as the clock."""

    seed: int
    speed: int

    def number_at(self, now_ms: int) -> int:
        """The number of the newest funding time that has come."""
        return now_ms * self.speed // _PERIOD_MS

    def time(self, number: int) -> int:
        return -(-number * _PERIOD_MS // self.speed)

    def premium(self, inst_id: str, number: int) -> Decimal:
        """Mostly small, at most 0.15 % either way."""
        drawn = draw(key_of(self.seed, inst_id, "premium"), number) % 2001 - 1000
        return _STEP * (drawn**3 * 150_000 // 10**9)

    def rate(self, inst_id: str, number: int) -> Decimal:
        """The premium, pulled towards the interest rate by at most 0.05 %, within bounds."""
        premium = self.premium(inst_id, number)
        pull = min(max(_INTEREST - premium, -_PULL), _PULL)
        return min(max(premium + pull, -LARGEST_RATE), LARGEST_RATE)
