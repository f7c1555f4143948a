"""What was copied of a leader beside what it holds: the two must not drift apart.

They differ lawfully where a person refused an opening, or its source was disabled. They differ
by a fault where a signal was set aside. Less is always followed; more never is by itself, or
what was refused would be bought after all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts import audit
from accounts.enums import AuditLevel
from signals.enums import Direction, SourceStatus
from signals.leaders import record_position
from signals.models import LeaderAccount, LeaderPosition, Signal
from signals.standing import WAITING, read_standing
from trading.sync.leaders.moves import Book
from trading.sync.leaders.telling import Gap, Teller


@dataclass(frozen=True, slots=True)
class Drift:
    """What was copied of one side of an instrument, and what the leader holds of it."""

    inst_id: str
    direction: Direction
    copied: Decimal
    held: Decimal


ONCE = "?"  # seen by one reading: the second acts


def mend_drifts(leader: LeaderAccount, book: Book, teller: Teller, now: datetime) -> None:
    """Tell of each difference once; let followers who hold too much come down to the leader."""
    if leader.source.status != SourceStatus.ENABLED:
        return
    found = {}
    for inst_id, direction in _suspects(leader, book):
        held = book.total(inst_id, direction)
        copied = read_standing(leader.source_id, inst_id).of(direction).quantity
        if copied == held:
            continue
        key, marker = f"{inst_id} {direction.value}", f"{_text(copied)}|{_text(held)}"
        before = leader.drifts.get(key)
        if before == marker:
            found[key] = marker
        elif before == ONCE + marker:
            found[key] = marker
            _mend(leader, book, Drift(inst_id, direction, copied, held), teller, now)
        else:
            found[key] = ONCE + marker
    leader.drifts = found


def _mend(leader: LeaderAccount, book: Book, drift: Drift, teller: Teller, now: datetime) -> None:
    words = f"{drift.inst_id} {drift.direction.value}: {_text(drift.copied)} was copied of "
    words += f"{_text(drift.held)} that the leader holds"
    if drift.copied == 0:
        # Nobody follows it: from here on it is as old as what was held before.
        entry = book.entry(drift.inst_id, drift.direction)
        record_position(leader.source, drift.inst_id, drift.direction, drift.held, entry, now)
    elif drift.copied > drift.held:
        gap = Gap(
            drift.inst_id,
            drift.direction,
            drift.copied,
            drift.held,
            name=f"drift:{drift.inst_id}:{drift.direction.value}:{int(now.timestamp() * 1000)}",
            words=words,
            at=now,
            entry=book.entry(drift.inst_id, drift.direction),
        )
        teller.gap(gap, None)
    audit.record(
        action="leader.drift",
        obj=leader,
        before={"copied": _text(drift.copied)},
        after={"held": _text(drift.held)},
        level=AuditLevel.NOTICE if drift.copied == 0 else AuditLevel.WARNING,
        reason=words,
    )


def _suspects(leader: LeaderAccount, book: Book) -> Iterator[tuple[str, Direction]]:
    """Where a difference is possible. What is on its way is counted by whoever looks closer."""
    copied = {
        (inst_id, Direction(direction)): quantity
        for inst_id, direction, quantity in LeaderPosition.objects.filter(
            source_id=leader.source_id, scope_key=""
        ).values_list("inst_id", "direction", "quantity")
    }
    waiting = Signal.objects.filter(source_id=leader.source_id, status__in=WAITING).order_by()
    moving = set(waiting.values_list("inst_id", flat=True).distinct())
    sides = {(place.inst_id, place.direction) for place in book.held} | copied.keys()
    for inst_id, direction in sorted(sides):
        at_rest = copied.get((inst_id, direction), Decimal(0))
        if inst_id in moving or at_rest != book.total(inst_id, direction):
            yield inst_id, direction


def _text(number: Decimal) -> str:
    return format(number.normalize(), "f")
