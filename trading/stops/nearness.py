"""How near a position is to its liquidation, and what level that is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal

from trading.enums import MarginLevel

FINE = Context(prec=38)
# A level is left only when there is so much more than its threshold asks for.
LEFT_AT = Decimal("1.1")
WORST_FIRST = (MarginLevel.CRITICAL, MarginLevel.WARN)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Reached from above by either; None does not count."""

    ratio: Decimal | None = None
    distance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Nearness:
    """The exchange's margin ratio, and the way to the liquidation price as a part of the mark."""

    ratio: Decimal | None
    distance: Decimal | None

    @property
    def is_known(self) -> bool:
        return self.ratio is not None or self.distance is not None

    def is_below(self, threshold: Threshold | None, *, times: Decimal = Decimal(1)) -> bool:
        if threshold is None:
            return False
        return _below(self.ratio, threshold.ratio, times) or _below(
            self.distance, threshold.distance, times
        )


Thresholds = Mapping[MarginLevel, Threshold]


def distance_of(
    mark: Decimal | None, liquidation: Decimal | None, *, rising: bool
) -> Decimal | None:
    """`rising`: it gains when the price rises. Past its liquidation price it is 0 away."""
    if not mark or not liquidation:
        return None
    away = mark - liquidation if rising else liquidation - mark
    return max(FINE.divide(away, mark), Decimal(0))


def level_of(near: Nearness, thresholds: Thresholds, before: MarginLevel) -> MarginLevel:
    """The worst level reached; one that was reached before is kept until it is clearly left."""
    for level in WORST_FIRST:
        held = (
            WORST_FIRST.index(before) <= WORST_FIRST.index(level)
            if before in WORST_FIRST
            else False
        )
        times = LEFT_AT if held else Decimal(1)
        if near.is_below(thresholds.get(level), times=times):
            return level
    return MarginLevel.SAFE


def is_blocked(near: Nearness, thresholds: Thresholds, *, before: bool) -> bool:
    """May nothing more be opened beside this position?"""
    times = LEFT_AT if before else Decimal(1)
    return near.is_below(thresholds.get(MarginLevel.BLOCK), times=times)


def _below(value: Decimal | None, threshold: Decimal | None, times: Decimal) -> bool:
    return value is not None and threshold is not None and value < threshold * times
