"""What the diary says of a signal that was just stored."""

from __future__ import annotations

from collections.abc import Iterable

from accounts import audit
from accounts.enums import AuditLevel
from signals.models import Signal


def note(signals: Iterable[Signal]) -> None:
    """Tell of those that somebody should know of. Runs in the transaction that stores them."""
    audit.record_many([_gap(signal) for signal in signals if signal.has_gap])


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
