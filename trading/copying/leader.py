"""The position a source would hold had it traded its own signals.

A source without an account has no position to read, so it keeps a virtual one: per
instrument and direction, absolute, in contracts or in percent points of equity.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from signals.enums import Direction, Intent, QuantityMode, SignalPurpose, Unit
from signals.models import LeaderPosition, Signal
from signals.standing import moved

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LeaderMove:
    """Where a signal takes the leader: absolute positions in the signal's direction.

    `opposite_before` is what the leader holds the other way; a flip closes it.
    """

    intent: Intent
    direction: Direction
    before: Decimal
    after: Decimal
    opposite_before: Decimal
    unit: Unit


def opposite(direction: Direction) -> Direction:
    return Direction.SHORT if direction == Direction.LONG else Direction.LONG


def leader_move(signal: Signal) -> LeaderMove:
    """Read the leader's position and say where the signal takes it."""
    rows = {
        row.direction: row
        for row in LeaderPosition.objects.filter(
            source_id=signal.source_id, scope_key=_scope_key(signal), inst_id=signal.inst_id
        )
    }
    direction = Direction(signal.direction)
    if signal.link_uid is not None:
        return _move_of_one_link(signal, rows.get(direction))
    own, other = rows.get(direction), rows.get(opposite(direction))
    before = own.quantity if own else ZERO
    running = before > 0 and own is not None
    return LeaderMove(
        intent=Intent(signal.intent),
        direction=direction,
        before=before,
        after=moved(signal, before),
        opposite_before=other.quantity if other else ZERO,
        unit=Unit(own.unit) if running and own else Unit(signal.unit),
    )


def _move_of_one_link(signal: Signal, own: LeaderPosition | None) -> LeaderMove:
    """The leader stays where it is: one follower leaves it, or comes to where it is by now."""
    held = own.quantity if own else ZERO
    leaves = signal.purpose == SignalPurpose.LEAVE
    return LeaderMove(
        intent=Intent.CLOSE if leaves else Intent.TARGET,
        direction=Direction(signal.direction),
        before=held if leaves else ZERO,
        after=ZERO if leaves else held,
        opposite_before=ZERO,
        unit=Unit(own.unit) if own else Unit(signal.unit),
    )


def counts_otherwise(signal: Signal, move: LeaderMove) -> bool:
    """Is its quantity of another unit than the position that it adds to or takes from?

    Refused on receipt where that position was known: what came in beside its opening was not.
    """
    if not signal.quantity or signal.quantity_mode == QuantityMode.PERCENT:
        return False
    return signal.link_uid is None and move.unit != signal.unit


def without_openings(move: LeaderMove) -> LeaderMove | None:
    """What of a move takes something off; None where nothing does."""
    if move.intent == Intent.FLIP and move.opposite_before > 0:
        other = opposite(move.direction)
        return LeaderMove(Intent.CLOSE, other, move.opposite_before, ZERO, move.before, move.unit)
    takes_off = move.after == 0 or move.after < move.before
    return move if takes_off or move.intent == Intent.CANCEL else None


def write_leader(signal: Signal, move: LeaderMove, at: datetime) -> None:
    """Store where the leader is now. Runs in the transaction that finishes the signal."""
    if move.intent == Intent.CANCEL or signal.link_uid is not None:
        return
    _store(signal, move.direction, move.after, move.unit, at, signal.leader_entry)
    if move.intent == Intent.FLIP and move.opposite_before > 0:
        _store(signal, opposite(move.direction), ZERO, move.unit, at)


def _store(
    signal: Signal,
    direction: Direction,
    quantity: Decimal,
    unit: Unit,
    at: datetime,
    entry: Decimal | None = None,
) -> None:
    key = {
        "source_id": signal.source_id,
        "scope_key": _scope_key(signal),
        "inst_id": signal.inst_id,
        "direction": direction,
    }
    values = {"quantity": quantity, "unit": unit, "average_entry": entry, "updated_at": at}
    LeaderPosition.objects.update_or_create(
        **key, defaults=values, create_defaults={**key, **values, "account_id": signal.account_id}
    )


def _scope_key(signal: Signal) -> str:
    """Manual signals move the leader of one account only."""
    return f"account:{signal.account_id}" if signal.is_by_hand else ""
