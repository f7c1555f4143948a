"""The liquidity of one instrument's order book: drawn from the seed, less what was taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import islice
from typing import Final

from trading.simulator.decimals import ZERO
from trading.simulator.instruments import Instrument
from trading.simulator.noise import draw, key_of

REFILL_MS: Final = 250

_DENSE: Final = 32
_ZONE_GROWTH: Final = 4
_REDRAWN_MS: Final = 4000
_DRAWN_KEPT: Final = 4000
_LEVEL_USD: Final = 100_000
_TOP_TIMES: Final = 3


@dataclass(frozen=True, slots=True)
class Level:
    price: Decimal
    size: Decimal
    orders: int


@dataclass(slots=True)
class Depth:
    """Levels on both sides of a price: every tick near it, wider steps and more size farther out.

    A level keeps its price while the market moves past it and is drawn anew
    every few seconds, so that a book changes here and there and not everywhere.
    What takers took is missing until it is refilled after 250 ms.
    """

    instrument: Instrument
    seed: int
    _taken: dict[tuple[str, int], tuple[Decimal, int]] = field(default_factory=dict)
    _drawn: dict[int, tuple[int, int, Level]] = field(default_factory=dict)
    _key: int = 0
    _lots: int = 0

    def __post_init__(self) -> None:
        listed = self.instrument
        self._key = key_of(self.seed, listed.inst_id, "book")
        lot_usd = listed.usd_notional(listed.lot, listed.first_price)
        self._lots = max(int(_LEVEL_USD / lot_usd), 2)

    def asks(self, best: Decimal, drawn_ms: int, now_ms: int) -> Iterator[Level]:
        """From the best price upwards, without end."""
        return self._side("asks", best, drawn_ms, now_ms)

    def bids(self, best: Decimal, drawn_ms: int, now_ms: int) -> Iterator[Level]:
        """From the best price downwards to the last tick above zero."""
        return self._side("bids", best, drawn_ms, now_ms)

    def take(self, side: str, price: Decimal, size: Decimal, now_ms: int) -> None:
        """Remember that this much is gone from `asks` or `bids` until it is refilled."""
        self._forget_refilled(now_ms)
        place = side, int(price / self.instrument.tick)
        before, _ = self._taken.get(place, (ZERO, now_ms))
        self._taken[place] = before + size, now_ms

    def _side(self, side: str, best: Decimal, drawn_ms: int, now_ms: int) -> Iterator[Level]:
        self._forget_refilled(now_ms)
        is_ask = side == "asks"
        for ticks, weight in _places(int(best / self.instrument.tick), up=is_ask):
            level = self._level(ticks, weight, drawn_ms, is_ask=is_ask)
            gone = self._taken.get((side, ticks)) if self._taken else None
            if gone is None:
                yield level
            elif gone[0] < level.size:
                yield replace(level, size=level.size - gone[0])

    def _level(self, ticks: int, weight: int, drawn_ms: int, *, is_ask: bool) -> Level:
        """Each place is drawn anew at its own moment, and not more often."""
        phase = ticks * 769 % _REDRAWN_MS
        period = (drawn_ms + phase) // _REDRAWN_MS
        place = 2 * ticks + is_ask
        known = self._drawn.get(place)
        if known is not None and known[:2] == (period, weight):
            return known[2]
        drawn = draw(self._key, (period << 32) + place)
        lots = self._lots * weight * (60 + drawn % 81) // 200
        size = self.instrument.lot * max(lots, 1)
        level = Level(self.instrument.tick * ticks, size, 1 + (drawn >> 32) % 23)
        if len(self._drawn) >= _DRAWN_KEPT:
            self._drawn.clear()
        self._drawn[place] = period, weight, level
        return level

    def _forget_refilled(self, now_ms: int) -> None:
        old = [
            place
            for place, (_, at_ms) in self._taken.items()
            if not 0 <= now_ms - at_ms < REFILL_MS
        ]
        for place in old:
            del self._taken[place]


def merged(
    market: Iterable[Level], resting: Iterable[Level], depth: int, *, up: bool
) -> list[Level]:
    """The best `depth` prices of both, sizes and orders of the same price added up."""
    own: dict[Decimal, Level] = {}
    for each in resting:
        before = own.get(each.price, Level(each.price, ZERO, 0))
        own[each.price] = Level(each.price, before.size + each.size, before.orders + each.orders)
    found = list(islice(market, depth))
    if not own:
        return found
    for level in found:
        extra = own.get(level.price)
        if extra:
            own[level.price] = Level(
                level.price, level.size + extra.size, level.orders + extra.orders
            )
        else:
            own[level.price] = level
    return sorted(own.values(), key=lambda each: each.price, reverse=not up)[:depth]


def _places(best: int, *, up: bool) -> Iterator[tuple[int, int]]:
    """Prices in ticks from the best outwards, with the weight of their size in halves."""
    yield best, 2 * _TOP_TIMES
    way = 1 if up else -1
    ticks, step, zone, edge = best + way, 1, 2, _DENSE
    while ticks > 0:
        yield ticks, zone
        ticks += way * step
        if abs(ticks - best) >= edge:
            step, zone, edge = step * 2, zone + 1, edge * _ZONE_GROWTH
            ticks = -(-ticks // step) * step if up else ticks // step * step
