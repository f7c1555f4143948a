"""How far the exchange's clock is from ours. Pure: callers measure, this decides."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

SAMPLES = 5
MAX_ROUND_TRIP_MS = 300
WARN_AT_MS = 500
HALT_AT_MS = 2000


@dataclass(frozen=True, slots=True)
class ClockSample:
    sent_ms: int
    received_ms: int
    exchange_ms: int

    @property
    def round_trip_ms(self) -> int:
        return self.received_ms - self.sent_ms

    @property
    def offset_ms(self) -> int:
        """Exchange minus us, taking the answer to be from the middle of the round trip."""
        return self.exchange_ms - (self.sent_ms + self.received_ms) // 2


class ExchangeClock:
    """The median offset of the last five quick samples; 0 until there is one."""

    def __init__(self, now_ms: Callable[[], int] | None = None) -> None:
        self._host_ms = now_ms or steady_ms
        self._offsets: deque[int] = deque(maxlen=SAMPLES)
        self._offset_ms = 0

    @property
    def offset_ms(self) -> int:
        return self._offset_ms

    @property
    def last_offset_ms(self) -> int:
        """Of the newest sample alone: where the median will be, if the clock was set."""
        return self._offsets[-1] if self._offsets else 0

    @property
    def is_known(self) -> bool:
        return bool(self._offsets)

    def add(self, sample: ClockSample) -> bool:
        """Take a sample in; False when its round trip was too slow (or ran backwards) to tell."""
        if not 0 <= sample.round_trip_ms < MAX_ROUND_TRIP_MS:
            return False
        self._offsets.append(sample.offset_ms)
        self._offset_ms = round(median(self._offsets))
        return True

    def host_ms(self) -> int:
        return self._host_ms()

    def now_ms(self) -> int:
        """The exchange's time, as well as we know it."""
        return self._host_ms() + self._offset_ms

    async def measure(self, fetch_time_ms: Callable[[], Awaitable[int]]) -> bool:
        """Ask once and take the sample in."""
        sent = self._host_ms()
        exchange = await fetch_time_ms()
        return self.add(ClockSample(sent, self._host_ms(), exchange))


# Where there is one, the clock that goes on while the host sleeps.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_WALL_MINUS_STEADY_NS = time.time_ns() - time.clock_gettime_ns(_STEADY)


def steady_ms() -> int:
    """Wall time at import plus the time since: a step of the host's clock is not followed."""
    return (_WALL_MINUS_STEADY_NS + time.clock_gettime_ns(_STEADY)) // 1_000_000
