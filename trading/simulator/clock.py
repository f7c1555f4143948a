"""Wall time with an adjustable offset, so that tests can skew the exchange."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Milliseconds and microseconds since the epoch; `now` may be injected."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self.offset_ms = 0

    def us(self) -> int:
        return self._now_ns() // 1000 + self.offset_ms * 1000

    def ms(self) -> int:
        return self.us() // 1000


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
