"""Documented request limits, counted over a sliding window."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

_SWEPT_AT: Final = 10_000


@dataclass(slots=True)
class _Counter:
    window_ms: int
    hits: deque[int] = field(default_factory=deque)

    def forget(self, now_ms: int) -> None:
        while self.hits and self.hits[0] <= now_ms - self.window_ms:
            self.hits.popleft()


@dataclass(slots=True)
class Limiter:
    """One counter per key; `enabled` is False for load tests.

    Counters whose window has passed are dropped when they become many, since
    keys hold what clients make up.
    """

    enabled: bool = True
    _counters: dict[Hashable, _Counter] = field(default_factory=dict)
    _sweep_at: int = _SWEPT_AT

    def take(self, key: Hashable, limit: int, window_ms: int, now_ms: int, count: int = 1) -> bool:
        """Count this request, or return False and count nothing when it is over the limit."""
        if not self.enabled:
            return True
        counter = self._counters.get(key)
        if counter is None:
            if len(self._counters) >= self._sweep_at:
                self._sweep(now_ms)
            counter = self._counters[key] = _Counter(window_ms)
        counter.forget(now_ms)
        if len(counter.hits) + count > limit:
            return False
        counter.hits.extend([now_ms] * count)
        return True

    def __len__(self) -> int:
        return len(self._counters)

    def _sweep(self, now_ms: int) -> None:
        """Drop idle counters; the next sweep is due when as many again have come."""
        for counter in self._counters.values():
            counter.forget(now_ms)
        self._counters = {key: each for key, each in self._counters.items() if each.hits}
        self._sweep_at = max(_SWEPT_AT, 2 * len(self._counters))
