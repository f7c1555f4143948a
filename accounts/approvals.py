"""Two persons: one asks for a dangerous change, another decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import models, transaction
from django.utils import timezone

from accounts import audit
from accounts.contention import retried
from accounts.enums import ApprovalStatus, AuditLevel
from accounts.models import Approval, User
from accounts.redaction import without_secrets
from accounts.roles import Ability, may

LIFETIME: Final = timedelta(hours=24)

Effect = Callable[[Approval, User], None]
_effects: Final[dict[str, Effect]] = {}


class ApprovalError(Exception):
    """The decision cannot be taken."""


class SamePersonError(ApprovalError):
    """Who asks cannot decide."""


class NotAllowedError(ApprovalError):
    """This person may not decide in this desk."""


class AlreadyDecidedError(ApprovalError):
    """The request was decided, or has expired."""


def on_approved(action: str, effect: Effect) -> None:
    """What happens, in the transaction of the decision, once a second person has said yes.

    It gets the approval and that person, and may raise ApprovalError: then nothing was decided.
    """
    _effects[action] = effect


@retried
@transaction.atomic
def request_approval(
    *,
    action: str,
    requested_by: User,
    obj: models.Model | None = None,
    payload: Mapping[str, Any] | None = None,
    reason: str = "",
    lifetime: timedelta = LIFETIME,
) -> Approval:
    """Ask for a second person. The payload is what the action needs once approved."""
    now = timezone.now()
    approval = Approval(
        action=action,
        requested_by=requested_by,
        object_type="" if obj is None else obj._meta.label_lower,
        object_id="" if obj is None else str(obj.pk),
        payload=without_secrets(payload or {}),
        reason=reason,
        requested_at=now,
        expires_at=now + lifetime,
    )
    approval.save()
    audit.record(
        action="approval.requested",
        obj=approval,
        after={"action": action, "payload": approval.payload},
        reason=reason,
        level=AuditLevel.NOTICE,
        actor=requested_by,
    )
    return approval


@retried
@transaction.atomic
def approve(*, approval: Approval, by: User, reason: str = "") -> Approval:
    """Decide yes. Raises ApprovalError and changes nothing for the requester or a late answer."""
    decided = _decide(approval=approval, by=by, status=ApprovalStatus.APPROVED, reason=reason)
    effect = _effects.get(decided.action)
    if effect is not None:
        effect(decided, by)
    return decided


@retried
def refuse(*, approval: Approval, by: User, reason: str = "") -> Approval:
    """Decide no; the same rules."""
    return _decide(approval=approval, by=by, status=ApprovalStatus.REFUSED, reason=reason)


@transaction.atomic
def expire_approvals(*, now: datetime) -> int:
    """Close what nobody decided in time; returns how many. May be repeated."""
    overdue = Approval.objects.filter(status=ApprovalStatus.PENDING, expires_at__lte=now)
    notes = []
    for approval in overdue:
        mine = Approval.objects.filter(pk=approval.pk, status=ApprovalStatus.PENDING)
        if mine.update(status=ApprovalStatus.EXPIRED, decided_at=now):
            notes.append(audit.Note(action="approval.expired", obj=approval))
    return len(audit.record_many(notes))


@transaction.atomic
def _decide(*, approval: Approval, by: User, status: ApprovalStatus, reason: str) -> Approval:
    now = timezone.now()
    approval = Approval.objects.get(pk=approval.pk)
    if approval.requested_by_id == by.pk:
        raise SamePersonError("whoever asks cannot decide")
    if not may(by, Ability.APPROVE):
        raise NotAllowedError("this role may not decide")
    # Conditional, so that of two people deciding at once one is told it was too late.
    pending = Approval.objects.filter(
        pk=approval.pk, status=ApprovalStatus.PENDING, expires_at__gt=now
    )
    if not pending.update(status=status, approved_by=by, decided_at=now):
        raise AlreadyDecidedError("this request was decided or has expired")
    audit.record(
        action=f"approval.{status.value}",
        obj=approval,
        before={"status": ApprovalStatus.PENDING.value},
        after={"status": status.value, "action": approval.action},
        reason=reason,
        level=AuditLevel.NOTICE,
        actor=by,
    )
    approval.refresh_from_db()
    return approval
