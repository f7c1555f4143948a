"""The prices of one instrument over all time: its paths, as held, moved and traded by hand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from trading.simulator.decimals import ZERO
from trading.simulator.instruments import BY_ID, Instrument
from trading.simulator.noise import key_of
from trading.simulator.paths import STEP_MS, Path

KINDS: Final = ("last", "mark", "index")

_DAY_USD: Final = 2_000_000_000
_STEPS_A_DAY: Final = 86_400_000 // STEP_MS
_BASIS: Final = 400
_ALWAYS: Final = -(1 << 62)
_PARTS_KEPT: Final = 2000
_PRINTS_KEPT: Final = 5000
_SECOND: Final = 1000
_HOUR: Final = 3_600_000


class PriceBar(NamedTuple):
    """What happened in a stretch of time; the volume is in contracts (spot: coins)."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class _Part:
    """From a moment on: the path times `up / down`, or one price when it is held."""

    since: int
    up: int
    down: int
    held: Decimal | None = None


class _Print(NamedTuple):
    """Customers' trades of one second (older ones: of one hour)."""

    at: int
    high: Decimal
    low: Decimal
    volume: Decimal


class Walk:
    """Prices by wall time, in milliseconds; the path is walked `speed` times as fast.

    The same seed, speed and changes by hand give the same prices whenever they are
    asked for: before they happen, live, and after a restart.
    """

    def __init__(self, listed: Instrument, seed: int, speed: int) -> None:
        self.instrument = listed
        self._speed = speed
        self._paths = _paths(listed, seed)
        self._parts = [_Part(_ALWAYS, 1, 1)]
        self._prints: list[_Print] = []

    @property
    def held(self) -> bool:
        return self._parts[-1].held is not None

    def start_from(self, price: Decimal, now_ms: int) -> None:
        """Make the whole past lead to this price, and hold it."""
        up, down = self._scale(price, now_ms)
        self._parts = [_Part(_ALWAYS, up, down), _Part(now_ms, up, down, price)]

    def hold(self, price: Decimal, now_ms: int) -> None:
        """From now on every price is this one."""
        self._change(_Part(now_ms, *self._scale(price, now_ms), price))

    def walk_from(self, price: Decimal, now_ms: int) -> None:
        """From now on the path's moves start at this price."""
        self._change(_Part(now_ms, *self._scale(price, now_ms)))

    def price(self, at_ms: int, kind: str = "last") -> Decimal:
        part = self._parts[self._index(at_ms)]
        return part.held or self._scaled(part, self._path_price(at_ms, kind))

    def bar(self, start_ms: int, end_ms: int, kind: str = "last") -> PriceBar:
        """Of a stretch of whole steps; flat when it is empty. Customers' trades are in it."""
        opened, closed = self.price(start_ms, kind), self.price(end_ms, kind)
        high, low, volume = max(opened, closed), min(opened, closed), ZERO
        for each in self._walked(start_ms, end_ms, kind):
            high, low = max(high, each.high), min(low, each.low)
            volume += each.volume
        if kind == "last":
            for done in self._printed(start_ms, end_ms):
                high, low = max(high, done.high), min(low, done.low)
                volume += done.volume
        return PriceBar(opened, high, low, closed, volume)

    def move(self, step: int) -> PriceBar | None:
        """What the market itself did in this step; None while the price is held."""
        part = self._parts[self._index((step + 1) * STEP_MS - 1)]
        return None if part.held is not None else self._path_bar(part, step, step + 1, "last")

    def traded(self, price: Decimal, size: Decimal, now_ms: int) -> None:
        """A trade of customers: it counts in the candles of its moment."""
        second = now_ms // _SECOND * _SECOND
        if self._prints and self._prints[-1].at >= second:
            self._prints[-1] = _added(self._prints[-1], price, price, size)
        else:
            self._prints.append(_Print(second, price, price, size))
        if len(self._prints) >= 2 * _PRINTS_KEPT:
            self._prints = _hourly(self._prints[:-_PRINTS_KEPT]) + self._prints[-_PRINTS_KEPT:]

    def _walked(self, start_ms: int, end_ms: int, kind: str) -> Iterator[PriceBar]:
        """The bars of each part that was not held, and a flat one where it was."""
        for number in range(self._index(start_ms), len(self._parts)):
            part = self._parts[number]
            if part.since >= end_ms and part.since > start_ms:
                return
            since = max(part.since, start_ms)
            after = self._parts[number + 1].since if number + 1 < len(self._parts) else end_ms
            until = min(after, end_ms)
            if part.held is not None:
                if until > since:
                    yield PriceBar(part.held, part.held, part.held, part.held, ZERO)
            elif until // STEP_MS > since // STEP_MS:
                yield self._path_bar(part, since // STEP_MS, until // STEP_MS, kind)

    def _path_bar(self, part: _Part, first: int, after: int, kind: str) -> PriceBar:
        bar = self._paths[kind].bar(first * self._speed, after * self._speed)
        opened, high, low, closed = (self._scaled(part, each) for each in bar[:4])
        return PriceBar(opened, high, low, closed, self.instrument.lot * bar.volume)

    def _path_price(self, at_ms: int, kind: str) -> int:
        return self._paths[kind].price(at_ms // STEP_MS * self._speed)

    def _scaled(self, part: _Part, ticks: int) -> Decimal:
        return self.instrument.tick * max(ticks * part.up // part.down, 2)

    def _scale(self, price: Decimal, now_ms: int) -> tuple[int, int]:
        return int(price / self.instrument.tick), self._path_price(now_ms, "last")

    def _change(self, part: _Part) -> None:
        """What was to happen later by an earlier change does not."""
        while len(self._parts) > 1 and self._parts[-1].since >= part.since:
            self._parts.pop()
        self._parts.append(part)
        if len(self._parts) > _PARTS_KEPT:
            del self._parts[: _PARTS_KEPT // 2]

    def _index(self, at_ms: int) -> int:
        return max(bisect_right(self._parts, at_ms, key=_since) - 1, 0)

    def _printed(self, start_ms: int, end_ms: int) -> Iterator[_Print]:
        first = bisect_right(self._prints, start_ms - 1, key=_at)
        for each in self._prints[first:]:
            if each.at >= end_ms:
                return
            yield each


def _paths(listed: Instrument, seed: int) -> dict[str, Path]:
    """The index is the spot pair's path; a contract keeps its distance (basis) from it."""
    first = int(listed.first_price / listed.tick)
    coin, own = key_of(seed, listed.base), key_of(seed, listed.inst_id)
    lot_usd = listed.usd_notional(listed.lot, listed.first_price)
    lots = max(int(_DAY_USD / lot_usd / _STEPS_A_DAY), 1)
    if listed.is_spot:
        spot = Path(coin, coin, first, lots)
        return dict.fromkeys(KINDS, spot)
    pair = BY_ID.get(listed.family)
    index = int(pair.first_price / listed.tick) if pair else first
    return {
        "last": Path(coin, own, first, lots, own, _BASIS),
        "mark": Path(coin, coin, first, lots, own, _BASIS),
        "index": Path(coin, coin, index, lots),
    }


def _hourly(prints: list[_Print]) -> list[_Print]:
    """Prints of the same hour become one, at the beginning of the hour."""
    made: list[_Print] = []
    for each in prints:
        hour = each.at // _HOUR * _HOUR
        if made and made[-1].at == hour:
            made[-1] = _added(made[-1], each.high, each.low, each.volume)
        else:
            made.append(each._replace(at=hour))
    return made


def _added(before: _Print, high: Decimal, low: Decimal, volume: Decimal) -> _Print:
    return _Print(before.at, max(before.high, high), min(before.low, low), before.volume + volume)


def _since(part: _Part) -> int:
    return part.since


def _at(each: _Print) -> int:
    return each.at
