"""A price path without beginning or end: any stretch of it is drawn from the seed on demand.

A path is a tree. A stretch of time has an open, high, low, close and volume; it
divides into two that chain, reach its high and its low, and share its volume.
So the price at any moment costs a short walk down the tree, candles of different
lengths agree by construction, and nothing of the past needs to be kept. How much
of the range each half gets is drawn as well: calm and wild times follow from it.
All arithmetic is on whole numbers: prices in ticks, volumes in lots.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from trading.simulator.noise import draw, key_of

STEP_MS: Final = 250
"""The shortest stretch; lengths and places are counted in these steps."""

_MINUTE: Final = 60_000 // STEP_MS
_HOUR: Final = 60 * _MINUTE
_EIGHT_HOURS: Final = 8 * _HOUR
_ERA: Final = 64 * _EIGHT_HOURS
_KEPT: Final = 600
_LEAST_LOTS: Final = 4
_CALM: Final = 1300
# In so many of 64 stretches of this length everything happens in one step.
_JUMPING: Final = {_EIGHT_HOURS: 1, _HOUR: 2}

# Where a stretch divides when the middle would not be the start of a candle.
_LEFT: Final = {
    15 * _MINUTE: 5 * _MINUTE,
    5 * _MINUTE: 2 * _MINUTE,
    3 * _MINUTE: _MINUTE,
    60: 20,
    20: 8,
    12: 4,
}


class Bar(NamedTuple):
    """Prices in ticks, volume in lots."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class _Stretch(NamedTuple):
    start: int
    length: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    jumps: bool

    def bar(self) -> Bar:
        volume = self.lots + _LEAST_LOTS * self.length
        return Bar(self.open, self.high, self.low, self.close, volume)


class Path:
    """`coin` decides the large moves, so that all prices of a coin go together, `near` the
    moves within a minute; `owner` and `basis` (in millionths, at most) the distance from the
    coin's other prices."""

    def __init__(
        self, coin: int, near: int, first: int, lots_a_step: int, owner: int = 0, basis: int = 0
    ) -> None:
        self._coin = coin
        self._near = near
        self._first = first
        self._lots = lots_a_step
        self._basis = basis
        self._basis_key = key_of(owner, "basis")
        self._way: list[_Stretch] = []
        self._halves: dict[tuple[int, int], tuple[_Stretch, _Stretch]] = {}

    def price(self, step: int) -> int:
        """The price at the beginning of this step."""
        return self._single(step).open

    def bar(self, start: int, end: int) -> Bar:
        """The stretch from one step to before another (at least one)."""
        if end == start + 1:
            return self._single(start).bar()
        found: Bar | None = None
        for era in range(start // _ERA, (end - 1) // _ERA + 1):
            found = joined(found, self._within(self._era(era), start, end))
        if found is None:
            raise ValueError("a stretch has at least one step")
        return found

    def _single(self, step: int) -> _Stretch:
        """One step; the way to it is remembered, because the next one asked for is near."""
        way = self._way
        while way and not way[-1].start <= step < way[-1].start + way[-1].length:
            way.pop()
        if not way:
            way.append(self._era(step // _ERA))
        while way[-1].length > 1:
            left, right = self._halved(way[-1])
            way.append(right if step >= right.start else left)
        return way[-1]

    def _within(self, stretch: _Stretch, start: int, end: int) -> Bar:
        if start <= stretch.start and stretch.start + stretch.length <= end:
            return stretch.bar()
        left, right = self._halved(stretch)
        if end <= right.start:
            return self._within(left, start, end)
        if start >= right.start:
            return self._within(right, start, end)
        return joined(self._within(left, start, end), self._within(right, start, end))

    def _era(self, number: int) -> _Stretch:
        opened, closed = self._anchor(number), self._anchor(number + 1)
        drawn = draw(self._coin, number)
        high = max(opened, closed) * (1_010_000 + drawn % 30_000) // 1_000_000
        low = min(opened, closed) * (990_000 - (drawn >> 20) % 30_000) // 1_000_000
        lots = self._lots * _ERA * (60 + (drawn >> 40) % 81) // 100
        return _Stretch(number * _ERA, _ERA, opened, high, low, closed, lots, jumps=False)

    def _anchor(self, number: int) -> int:
        """Within 6 % of the first price, plus the basis."""
        millionths = 1_000_000 + draw(self._coin, ~number) % 120_001 - 60_000
        if self._basis:
            wide = 2 * self._basis + 1
            millionths += draw(self._basis_key, number) % wide - self._basis
        return self._first * millionths // 1_000_000

    def _halved(self, stretch: _Stretch) -> tuple[_Stretch, _Stretch]:
        place = stretch.start, stretch.length
        known = self._halves.get(place)
        if known is None:
            if len(self._halves) >= _KEPT:
                self._halves.clear()
            key = self._near if stretch.length <= _MINUTE else self._coin
            known = self._halves[place] = _halved(
                stretch, draw(key, (stretch.start << 24) + stretch.length)
            )
        return known


def joined(before: Bar | None, after: Bar) -> Bar:
    if before is None:
        return after
    return Bar(
        before.open,
        max(before.high, after.high),
        min(before.low, after.low),
        after.close,
        before.volume + after.volume,
    )


def _halved(whole: _Stretch, drawn: int) -> tuple[_Stretch, _Stretch]:
    """Divide a stretch; `drawn` are 64 bits that decide everything that is open."""
    start, length, opened, high, low, closed, lots, jumps = whole
    first = _LEFT.get(length, length // 2)
    left_lots = lots * first * (96 + (drawn & 63)) // (length * 128)
    jumps = jumps or (length in _JUMPING and drawn >> 58 < _JUMPING[length])
    if jumps:
        return _jumped(whole, first, left_lots, drawn)
    span = high - low
    around = (drawn >> 6 & 1023) + (drawn >> 16 & 1023) - 1023
    middle = opened + (closed - opened) * first // length + around * span // _CALM
    middle = min(max(middle, low), high)
    here = first * 256 // length
    left_high, right_high = _shared(
        (max(opened, middle), max(middle, closed), high),
        drawn >> 26 & 255 < here,
        drawn >> 42 & 255,
    )
    left_low, right_low = _shared(
        (min(opened, middle), min(middle, closed), low),
        drawn >> 34 & 255 < here,
        drawn >> 50 & 255,
    )
    return (
        _Stretch(start, first, opened, left_high, left_low, middle, left_lots, jumps=False),
        _Stretch(
            start + first,
            length - first,
            middle,
            right_high,
            right_low,
            closed,
            lots - left_lots,
            jumps=False,
        ),
    )


def _shared(reached: tuple[int, int, int], to_left: bool, extra: int) -> tuple[int, int]:
    """One half reaches the extreme of the whole, the other some way beyond its own ends."""
    left, right, extreme = reached
    if left == extreme or (to_left and right != extreme):
        return extreme, right + (extreme - right) * extra // 300
    return left + (extreme - left) * extra // 300, extreme


def _jumped(whole: _Stretch, first: int, left_lots: int, drawn: int) -> tuple[_Stretch, _Stretch]:
    """All of the move is in one half, and there again in one half: a gap in the end."""
    start, length, opened, high, low, closed, lots, _ = whole
    quiet = (high - low) // 16
    leaps_left = bool(drawn >> 6 & 1)
    still = closed if leaps_left else opened
    leap = (opened, high, low, closed)
    rest = (still, min(still + quiet, high), max(still - quiet, low), still)
    left, right = (leap, rest) if leaps_left else (rest, leap)
    return (
        _Stretch(start, first, *left, left_lots, jumps=leaps_left),
        _Stretch(start + first, length - first, *right, lots - left_lots, jumps=not leaps_left),
    )
