"""What the diary says of a signal that was just stored."""

from __future__ import annotations

from collections.abc import Iterable

from accounts import audit
from accounts.enums import AuditLevel
from signals.enums import SignalStatus
from signals.models import Signal


def note(signals: Iterable[Signal]) -> None:
    """Tell of those that somebody should know of. Runs in the transaction that stores them."""
    notes = []
    for signal in signals:
        notes += [_gap(signal)] if signal.has_gap else []
        notes += [_held(signal)] if signal.status == SignalStatus.HELD else []
    audit.record_many(notes)


def _held(signal: Signal) -> audit.Note:
    until = signal.held_until
    return audit.Note(
        action="signal.held",
        obj=signal,
        after={"source": signal.source.name, "until": None if until is None else until.isoformat()},
        level=AuditLevel.WARNING,
        tenant=signal.tenant_id,
    )


def _gap(signal: Signal) -> audit.Note:
    stated = signal.stated or {}
    return audit.Note(
        action="signal.gap",
        obj=signal,
        before={"position": stated.get("before")},
        after={"position": stated.get("after"), "intent": signal.intent},
        level=AuditLevel.WARNING,
        reason=signal.reason_text,
        tenant=signal.tenant_id,
    )
