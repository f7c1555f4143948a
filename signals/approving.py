"""What people and time do to signals that wait for approval.

Approving lets a signal go the way of every other: whatever stands in the way of trading, its age
among it, is looked at when it is copied and again before an order leaves.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import audit
from accounts.contention import retried
from accounts.enums import AuditLevel
from accounts.roles import Ability, may
from accounts.tenancy import all_tenants
from signals.afterwards import announce
from signals.enums import Intent, SignalReason, SignalStatus
from signals.events import signal_accepted, signal_refused
from signals.holding import end
from signals.models import Signal
from signals.parsing import ParseError
from signals.standing import Stated, apply, read_standing, settle

if TYPE_CHECKING:
    from accounts.models import User

AT_ONCE = 200
TERMS = ("intent", "direction", "quantity", "quantity_mode", "quantity_value", "has_gap")


class DecisionError(Exception):
    """The signal cannot be decided; the words say why."""


class NotAllowedError(DecisionError):
    """This person may not decide in this desk."""


class NotWaitingError(DecisionError):
    """It was decided, overtaken, or has expired."""


class NotItsTurnError(DecisionError):
    """An earlier signal for the same instrument still waits, or a later one went ahead."""


@retried
@transaction.atomic
def approve(*, signal: Signal, by: User, reason: str = "") -> Signal:
    """Let a waiting signal be copied. Raises DecisionError, and then nothing has changed."""
    _check(by)
    signal = _waiting(signal)
    if signal.held_until is not None and signal.held_until <= timezone.now():
        raise NotWaitingError("it has waited too long")
    _check_turn(signal)
    before = _terms(signal)
    _settle_again(signal)
    values = {name: getattr(signal, name) for name in TERMS}
    _decide(signal, by, status=SignalStatus.ACCEPTED, **values)
    audit.record(
        action="signal.approved",
        obj=signal,
        before=before,
        after=_terms(signal),
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=by,
    )
    transaction.on_commit(partial(announce, signal_accepted, signal.pk, signal.source_id))
    return signal


@retried
@transaction.atomic
def reject(*, signal: Signal, by: User, reason: str = "") -> Signal:
    """End a signal's waiting with no. Its id stays taken: sent again it is a duplicate."""
    _check(by)
    signal = _waiting(signal)
    _decide(
        signal,
        by,
        status=SignalStatus.REFUSED,
        reason=SignalReason.REJECTED,
        reason_text=reason[:300],
    )
    audit.record(
        action="signal.rejected",
        obj=signal,
        before=_terms(signal),
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=by,
    )
    transaction.on_commit(partial(announce, signal_refused, signal.pk, signal.source_id))
    return signal


def expire_held(now: datetime) -> int:
    """Close the openings that nobody approved in time; returns how many. May be repeated."""
    with all_tenants("what nobody approved in time, of every desk"):
        due = Signal.objects.filter(status=SignalStatus.HELD, held_until__lte=now)
        return sum(_expire(signal) for signal in due.order_by("held_until")[:AT_ONCE])


@transaction.atomic
def _expire(signal: Signal) -> int:
    if not end(signal, SignalStatus.EXPIRED, SignalReason.NOT_APPROVED):
        return 0
    audit.record(
        action="signal.not_approved",
        obj=signal,
        level=AuditLevel.WARNING,
        tenant=signal.tenant_id,
    )
    return 1


def _check(by: User) -> None:
    if not may(by, Ability.APPROVE):
        raise NotAllowedError("this role may not decide")


def _check_turn(signal: Signal) -> None:
    """In the order in which they were sent, or an opening would follow the close that ended it."""
    others = Signal.objects.filter(source_id=signal.source_id, inst_id=signal.inst_id)
    earlier = others.filter(status=SignalStatus.HELD, received_at__lt=signal.received_at)
    if earlier.exists():
        raise NotItsTurnError("an earlier signal for this instrument waits: decide it first")
    later = others.filter(
        Q(direction=signal.direction) | Q(intent=Intent.FLIP),
        status__in=(SignalStatus.ACCEPTED, SignalStatus.COPIED),
        received_at__gt=signal.received_at,
    )
    if later.exclude(intent=Intent.CANCEL).exists():
        raise NotItsTurnError("a later signal for this position went ahead: reject it")


def _waiting(signal: Signal) -> Signal:
    found: Signal | None = Signal.objects.filter(pk=signal.pk, status=SignalStatus.HELD).first()
    if found is None:
        raise NotWaitingError("it does not wait any longer")
    return found


def _decide(signal: Signal, by: User, **values: object) -> None:
    """Conditional, so that of two people deciding at once one is told it was too late."""
    now = timezone.now()
    mine = Signal.objects.filter(pk=signal.pk, status=SignalStatus.HELD)
    if not mine.update(**values, decided_by=by, decided_at=now):
        raise NotWaitingError("it does not wait any longer")
    signal.refresh_from_db()


def _settle_again(signal: Signal) -> None:
    """What it means beside the position of today: some of what came before it was rejected."""
    if signal.stated is None:
        return
    standing = read_standing(signal.source_id, signal.inst_id, (SignalStatus.ACCEPTED,))
    had_gap = signal.has_gap
    try:
        apply(signal, settle(Stated.of_json(signal.stated), standing))
    except ParseError as error:
        raise DecisionError(error.reason) from None
    signal.has_gap = signal.has_gap or had_gap
    protected = signal.take_profit is not None or signal.stop_loss is not None
    if protected and signal.intent in (Intent.REDUCE, Intent.CLOSE):
        raise DecisionError("it would only reduce by now, and its stop protects nothing: reject it")


def _terms(signal: Signal) -> dict[str, str]:
    quantity = "" if signal.quantity is None else format(signal.quantity.normalize(), "f")
    return {"intent": signal.intent, "direction": signal.direction, "quantity": quantity}
