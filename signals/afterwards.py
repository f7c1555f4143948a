"""What follows a stored call: its source's counts and the announcement of its signal.

Done at once and in this thread, unless somebody gathers it to do it for several calls together
when they have been answered. Either way only after the commit: what was not stored is neither
counted nor announced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.dispatch import Signal as Event

from accounts.tenancy import all_tenants
from signals.enums import SignalStatus
from signals.events import signal_accepted, signal_held, signal_refused
from signals.models import Signal, SignalSource

EVENTS = {SignalStatus.ACCEPTED: signal_accepted, SignalStatus.HELD: signal_held}


@dataclass(slots=True)
class Counts:
    """What is new at one source."""

    refused: int = 0
    duplicates: int = 0
    heard_at: datetime | None = None

    def add(self, other: Counts) -> None:
        self.refused += other.refused
        self.duplicates += other.duplicates
        self.heard_at = other.heard_at or self.heard_at

    def write(self, source_id: int) -> None:
        """One statement, also for a source that there is not: a stranger's call costs as much."""
        values: dict[str, Any] = {}
        if self.refused:
            values["refused_count"] = F("refused_count") + self.refused
        if self.duplicates:
            values["duplicate_count"] = F("duplicate_count") + self.duplicates
        if self.heard_at is not None:
            values["last_signal_at"] = self.heard_at
        with all_tenants("the calls of one moment may be of several desks"):
            SignalSource.objects.filter(pk=source_id).update(**values)


@dataclass(frozen=True, slots=True)
class Announcement:
    """A signal was stored: which event says so, and whose signal it is."""

    event: Event
    signal_id: str
    source_id: int


@dataclass(slots=True)
class Afterwards:
    """Gathered: counts by source, and announcements in the order of the calls."""

    counts: dict[int, Counts] = field(default_factory=dict)
    announcements: list[Announcement] = field(default_factory=list)

    def take_counts(self, other: Afterwards) -> None:
        """What another was to count as well."""
        for source_id, counts in other.counts.items():
            self.counts.setdefault(source_id, Counts()).add(counts)
        other.counts.clear()

    def write_counts(self) -> None:
        for source_id, counts in self.counts.items():
            counts.write(source_id)
        self.counts.clear()


_gathering: ContextVar[Afterwards | None] = ContextVar("signals_afterwards", default=None)


@contextmanager
def gathered() -> Iterator[Afterwards]:
    """Whoever asks for this sees to it that all is done soon."""
    afterwards = Afterwards()
    token = _gathering.set(afterwards)
    try:
        yield afterwards
    finally:
        _gathering.reset(token)


def event_of(signal: Signal) -> Event:
    """What a signal that was just stored is announced as."""
    return EVENTS.get(SignalStatus(signal.status), signal_refused)


def count(source_id: int, counts: Counts) -> None:
    gathering = _gathering.get()
    if gathering is None:
        counts.write(source_id)
    else:
        gathering.counts.setdefault(source_id, Counts()).add(counts)


def count_when_stored(source_id: int, counts: Counts) -> None:
    """Count once all is stored: what fails then does not fail the call any more.

    Not in the same transaction: the inserts hold the source's row as their parent, and two
    callers that both want to change it would wait for each other for ever.
    """

    def note() -> None:  # it has a name, which Django says when it fails
        count(source_id, counts)

    transaction.on_commit(note, robust=True)


def announce(event: Event, signal_id: UUID, source_id: int) -> None:
    gathering = _gathering.get()
    announcement = Announcement(event, str(signal_id), source_id)
    if gathering is None:
        tell([announcement])
    else:
        gathering.announcements.append(announcement)


def tell(announcements: Sequence[Announcement]) -> None:
    """Announce them in order. Each knows whether another of its source follows at once."""
    last = {(one.event, one.source_id): number for number, one in enumerate(announcements)}
    for number, one in enumerate(announcements):
        followed = last[one.event, one.source_id] != number
        one.event.send_robust(Signal, signal_id=one.signal_id, followed=followed)
