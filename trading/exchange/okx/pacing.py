"""When the next call may go without breaking a limit of the exchange's. Pure: time is given."""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from trading.exchange.okx.rates import Rate

# Calls that left evenly spaced arrive unevenly.
SLACK_S = 0.25
BACK_OFF_S = 0.2
# So that what waits for the longest of them is still in time.
MOST_DOUBLINGS = 3
FORGIVEN_AFTER_S = 10.0
_SWEPT_AT = 4096
# Below this a bucket is not looked through for what is over.
_PRUNED_AT = 32


@dataclass(frozen=True, slots=True)
class Toll:
    """One of the limits that a call counts against; `name` says whose, and for which instrument."""

    name: Hashable
    rate: Rate
    count: int = 1


@dataclass(slots=True)
class _Bucket:
    """Every token comes back a window after it was used. `used` also holds what is promised."""

    rate: Rate
    used: list[float] = field(default_factory=list)
    shut_until: float = 0.0
    strikes: int = 0
    struck_at: float = 0.0

    def has_room(self, count: int) -> bool:
        """Certainly: without looking at what is over by now."""
        used = len(self.used)
        return used < _PRUNED_AT and used + count <= self.rate.limit

    def next_at(self, now: float, count: int) -> float:
        """The earliest moment for so many at once."""
        window = self.rate.window_s + SLACK_S
        gone = 0
        for moment in self.used:
            if moment > now - window:
                break
            gone += 1
        del self.used[:gone]
        # A batch larger than the limit waits until nothing else is in the window.
        over = min(len(self.used) + count - self.rate.limit, len(self.used))
        free_at = self.used[over - 1] + window if over > 0 else now
        return max(now, free_at, self.shut_until)

    def take(self, at: float, count: int) -> None:
        if count == 1 and (not self.used or self.used[-1] <= at):
            self.used.append(at)
            return
        if not self.used or self.used[-1] <= at:
            self.used.extend(repeat(at, count))
            return
        for _ in range(count):
            insort(self.used, at)

    def is_idle(self, now: float) -> bool:
        window = self.rate.window_s + SLACK_S
        used = self.used and self.used[-1] > now - window
        return not used and self.shut_until <= now and now - self.struck_at > FORGIVEN_AFTER_S


class Pacer:
    """Buckets by name; what is idle is forgotten, so that an account at rest costs nothing."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._buckets: dict[Hashable, _Bucket] = {}
        self._draw = draw
        self._sweep_at = _SWEPT_AT

    def __len__(self) -> int:
        return len(self._buckets)

    def reserve(self, tolls: Sequence[Toll], now: float, until: float) -> float:
        """When the call may go. Its tokens are taken, unless that is after `until`."""
        buckets, at = [], now
        for toll in tolls:
            bucket = self._buckets.get(toll.name) or self._bucket(toll, now)
            buckets.append(bucket)
            if bucket.shut_until > at or not bucket.has_room(toll.count):
                at = max(at, bucket.next_at(now, toll.count))
        if at <= until:
            for toll, bucket in zip(tolls, buckets, strict=True):
                bucket.take(at, toll.count)
        return at

    def shut_until(self, tolls: Sequence[Toll]) -> float:
        """Until when the exchange's own refusal holds the call up; in the past when it does not."""
        known = (self._buckets.get(toll.name) for toll in tolls)
        return max((bucket.shut_until for bucket in known if bucket), default=0.0)

    def refused(self, toll: Toll, now: float, wait_s: float | None = None) -> None:
        """The exchange counts more than we do: the bucket is empty, and shut for a while that
        doubles with every refusal, or for as long as the exchange asks."""
        bucket = self._bucket(toll, now)
        if now - bucket.struck_at > FORGIVEN_AFTER_S:
            bucket.strikes = 0
        back_off = 0.0
        if now >= bucket.shut_until:
            # Of many refused at once, only the first makes the wait longer.
            back_off = BACK_OFF_S * 2 ** min(bucket.strikes, MOST_DOUBLINGS) * (0.5 + self._draw())
            bucket.strikes += 1
        bucket.struck_at = now
        bucket.shut_until = max(bucket.shut_until, now + max(back_off, wait_s or 0.0))
        step = bucket.rate.window_s / bucket.rate.limit
        promised = [moment for moment in bucket.used if moment > now]
        emptied = [now - step * place for place in range(bucket.rate.limit - len(promised))]
        bucket.used = emptied[::-1] + promised

    def _bucket(self, toll: Toll, now: float) -> _Bucket:
        bucket = self._buckets.get(toll.name)
        if bucket is None:
            if len(self._buckets) >= self._sweep_at:
                self._sweep(now)
            bucket = self._buckets[toll.name] = _Bucket(toll.rate)
        return bucket

    def _sweep(self, now: float) -> None:
        """The next is due when as many again have come."""
        self._buckets = {
            name: each for name, each in self._buckets.items() if not each.is_idle(now)
        }
        self._sweep_at = max(_SWEPT_AT, 2 * len(self._buckets))
