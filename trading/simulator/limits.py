"""Documented request limits, counted over a sliding window."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Limiter:
    """One counter per key; `enabled` is False for load tests."""

    enabled: bool = True
    _hits: dict[Hashable, deque[int]] = field(default_factory=dict)

    def take(self, key: Hashable, limit: int, window_ms: int, now_ms: int, count: int = 1) -> bool:
        """Count this request, or return False and count nothing when it is over the limit."""
        if not self.enabled:
            return True
        hits = self._hits.setdefault(key, deque())
        while hits and hits[0] <= now_ms - window_ms:
            hits.popleft()
        if len(hits) + count > limit:
            return False
        hits.extend([now_ms] * count)
        return True
