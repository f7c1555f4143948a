"""Wall time with an adjustable offset, so that tests can skew the exchange."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Milliseconds and microseconds since the epoch; `now` may be injected.

    `offset_ms` sets it wrong at once, `drift` makes it run too fast or too slow.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self.offset_ms = 0
        self.drift_ppm = 0
        self._drifting_since_us = 0

    def us(self) -> int:
        now = self._now_ns() // 1000
        return now + (self._ahead_us(now) if self.drift_ppm else self.offset_ms * 1000)

    def ms(self) -> int:
        return self.us() // 1000

    def skew_ms(self) -> int:
        """How far ahead of the true time it is, by offset and by what it drifted."""
        return self._ahead_us(self._now_ns() // 1000) // 1000

    def jump(self, offset_ms: int) -> None:
        """Exactly so far ahead (behind when negative); a drift goes on from there."""
        self.offset_ms = offset_ms
        self._drifting_since_us = self._now_ns() // 1000

    def drift(self, ppm: int) -> None:
        """From here on so many microseconds per second too fast; it does not jump."""
        self.jump(self.skew_ms())
        self.drift_ppm = ppm

    def _ahead_us(self, now_us: int) -> int:
        drifted = (now_us - self._drifting_since_us) * self.drift_ppm // 1_000_000
        return self.offset_ms * 1000 + drifted


class IdSource:
    """Rising, even 18 to 19 digit ids, time in the high bits.

    The odd number after an id is never given out: it names the second bill of a trade.
    """

    _EPOCH_MS = 1_500_000_000_000

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        made = (self._clock.ms() - self._EPOCH_MS) << 22
        self._last = max(made, self._last + 2)
        return str(self._last)

    def seen(self, made: str) -> None:
        """Never give out this id or a smaller one again (after a restart)."""
        self._last = max(self._last, int(made) & ~1)
