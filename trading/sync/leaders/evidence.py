"""When a difference that no trade explains is believed. Pure.

A failed reading never comes here: it is unknown, not flat. What is lost of a position by a
reading alone may be the exchange's own lag, and closing everybody for it is the worst mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from signals.enums import Direction
from trading.exchange.streams import PositionsEvent
from trading.exchange.types import PositionReport, PositionSide
from trading.sync.leaders.moves import Held, Place, other, place_of

HINT_LASTS = timedelta(seconds=120)
MISSES = 4
MISSED_FOR = timedelta(seconds=20)
GROWN_READS = 2
GROWN_FOR = timedelta(seconds=5)
READS_WHEN_EMPTY = 2


@dataclass(frozen=True, slots=True)
class Difference:
    """What we hold to be true of a leader and what was read, all margin modes together."""

    inst_id: str
    direction: Direction
    ours: Decimal
    theirs: Decimal


@dataclass(slots=True)
class _Seen:
    theirs: Decimal
    since: datetime
    reads: int = 0


@dataclass(slots=True)
class Evidence:
    """What the socket hinted at, and what readings showed again and again. Of one leader."""

    hints: dict[Place, tuple[Decimal, datetime]] = field(default_factory=dict)
    snapshot_at: datetime | None = None
    seen: dict[tuple[str, Direction], _Seen] = field(default_factory=dict)

    def copy(self) -> Evidence:
        """As it is now: it goes on hearing while a reading is judged by it in another thread."""
        seen = {key: replace(each) for key, each in self.seen.items()}
        return Evidence(dict(self.hints), self.snapshot_at, seen)

    def hear(self, event: PositionsEvent, now: datetime) -> None:
        """A push of positions; a snapshot says of all others that they are empty."""
        if event.snapshot:
            self.hints.clear()
            self.snapshot_at = now
        for report in event.reports:
            self._hear(report, now)

    def _hear(self, report: PositionReport, now: datetime) -> None:
        place = place_of(report)
        if place is None:
            return
        self.hints[place] = (abs(report.quantity), now)
        if report.position_side is PositionSide.NET:
            self.hints[place._replace(direction=other(place.direction))] = (Decimal(0), now)

    def believed(
        self, differences: Sequence[Difference], read: Mapping[Place, Held], now: datetime
    ) -> list[Difference]:
        """Those that are certain by this reading, given all before. Forgets what is gone."""
        found, seen = [], {}
        for difference in differences:
            key = (difference.inst_id, difference.direction)
            before = self.seen.get(key)
            if before is None or before.theirs != difference.theirs:
                before = _Seen(difference.theirs, now)
            before.reads += 1
            seen[key] = before
            if self._is_certain(difference, before, read, now):
                found.append(difference)
        self.seen = seen
        waiting = {d.inst_id for d in differences if d.theirs < d.ours and d not in found}
        # What turned is closed before the other side is opened.
        return [d for d in found if d.theirs < d.ours or d.inst_id not in waiting]

    def _is_certain(
        self, difference: Difference, seen: _Seen, read: Mapping[Place, Held], now: datetime
    ) -> bool:
        hinted = self._is_hinted(difference, read, now)
        if hinted:
            return bool(read) or difference.theirs > 0 or seen.reads >= READS_WHEN_EMPTY
        if difference.theirs > difference.ours:
            return seen.reads >= GROWN_READS and now - seen.since >= GROWN_FOR
        return seen.reads >= MISSES and now - seen.since >= MISSED_FOR

    def _is_hinted(self, difference: Difference, read: Mapping[Place, Held], now: datetime) -> bool:
        """Whether the socket said the same a short while ago, and nothing else."""
        hints = []
        for place, (quantity, at) in self.hints.items():
            ours = place.inst_id == difference.inst_id and place.direction == difference.direction
            if ours and now - at <= HINT_LASTS:
                hints.append(quantity == read.get(place, Held()).quantity)
        if not hints and self.snapshot_at is not None and now - self.snapshot_at <= HINT_LASTS:
            return difference.theirs == 0
        return bool(hints) and all(hints)
