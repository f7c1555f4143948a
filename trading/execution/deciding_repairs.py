"""What a person decides about a difference: bring it to the target, follow from what is there,
end the following, or leave it. Increases against somebody else's will need a second person.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts import audit
from accounts.approvals import ApprovalError, request_approval
from accounts.contention import retried
from accounts.enums import ApprovalStatus, AuditLevel
from accounts.models import Approval, User
from strategies.enums import SubscriptionStatus
from strategies.models import Subscription
from strategies.services import set_subscription_status
from trading.enums import DriftClass, RepairAction, RepairState
from trading.leases import db_now
from trading.models import Cycle, Repair
from trading.repairs import step
from trading.sync.apply.claim import claimed
from trading.sync.truth import Compared, compare

REOPEN: Final = "repair.reopen"
_A = RepairAction
ZERO = Decimal(0)


class DecidedMeanwhileError(ApprovalError):
    """Somebody else was faster, or the difference is gone."""


def choices_of(repair: Repair) -> list[RepairAction]:
    """What a person may choose, the harmless first."""
    less = abs(repair.ours) < abs(repair.target)
    match repair.kind:
        case DriftClass.FOREIGN if repair.cycle_id is None:
            return [_A.FOLLOW]
        case DriftClass.FOREIGN:
            left = _left(repair)
            more = [_A.INCREASE] if abs(left) < abs(repair.target) else []
            return [_A.FOLLOW, _A.END, *more]
        case DriftClass.UNDER | DriftClass.MISSING:
            return [_A.INCREASE, _A.FOLLOW] if less else [_A.FOLLOW]
        case DriftClass.ORPHAN | DriftClass.WRONG_SIDE:
            return [_A.CLOSE]
        case DriftClass.OVER:
            return [_A.REDUCE]
        case _:
            return [_A.NOTHING]


def needs_second_person(repair: Repair, action: RepairAction) -> bool:
    """To open again what somebody closed by hand is a decision of two."""
    return repair.kind == DriftClass.FOREIGN and action == RepairAction.INCREASE


def ask_to_approve(
    *, repair: Repair, action: RepairAction, reason: str, actor: User
) -> Repair | Approval:
    """Approve, or ask for the second person that it needs. Raises ValidationError by field."""
    _check(repair, action, reason)
    if not needs_second_person(repair, action):
        return approve_repair(repair=repair, action=action, reason=reason, actor=actor)
    if open_requests(repair).exists():
        raise ValidationError(_("Somebody asked for this already. A second person must agree."))
    return request_approval(
        action=REOPEN,
        requested_by=actor,
        obj=repair,
        payload={"repair": str(repair.pk), "action": str(action)},
        reason=reason,
    )


def open_requests(repair: Repair) -> Any:
    return Approval.objects.filter(
        action=REOPEN,
        object_id=str(repair.pk),
        status=ApprovalStatus.PENDING,
        expires_at__gt=db_now(),
    )


def reopen(approval: Approval, by: User) -> None:
    """A second person agreed."""
    repair = Repair.objects.filter(pk=approval.payload["repair"]).first()
    if repair is None or repair.state != RepairState.PROPOSED:
        raise DecidedMeanwhileError(_("It was decided meanwhile. Nothing was changed."))
    try:
        approve_repair(
            repair=repair, action=RepairAction.INCREASE, reason=approval.reason, actor=by
        )
    except ValidationError as error:
        raise DecidedMeanwhileError(" ".join(error.messages)) from error


@retried
def approve_repair(*, repair: Repair, action: RepairAction, reason: str, actor: User) -> Repair:
    """Do what needs no order at once; what does is carried out by an executor."""
    with claimed(repair.account) as now:
        repair = Repair.objects.select_related("account", "cycle").get(pk=repair.pk)
        _check(repair, action, reason)
        one = _now(repair)
        _DO[action](repair, one, now, reason, actor)
        audit.record(
            action="repair.approved",
            obj=repair,
            after={
                "account": str(repair.account),
                "instrument": repair.inst_id,
                "class": repair.kind,
                "what": str(action),
            },
            level=AuditLevel.WARNING,
            reason=reason,
            actor=actor,
        )
    return repair


@retried
def reject_repair(*, repair: Repair, reason: str, actor: User) -> Repair:
    """Leave it as it is. What is the customer's own is told again only when it changes.

    What somebody else closed is not bought back by the leader's next addition, when the link goes
    on: to open it again takes two persons.
    """
    with claimed(repair.account) as now:
        repair = Repair.objects.select_related("account", "cycle").get(pk=repair.pk)
        _check(repair, None, reason)
        one = _now(repair)
        if repair.kind == DriftClass.FOREIGN and one is not None and _is_less(one):
            _go_on_from_here(repair, one, now)
        decided = _decided(now, reason, actor) | _accepting(repair, one)
        _step(repair, RepairState.REJECTED, **decided, finished_at=now)
        audit.record(
            action="repair.rejected",
            obj=repair,
            after={"account": str(repair.account), "instrument": repair.inst_id},
            level=AuditLevel.NOTICE,
            reason=reason,
            actor=actor,
        )
    return repair


def _check(repair: Repair, action: RepairAction | None, reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the diary keeps it.")})
    if repair.state != RepairState.PROPOSED:
        raise ValidationError(_("It was decided meanwhile. Nothing was changed."))
    if action is not None and action not in choices_of(repair):
        raise ValidationError({"action": _("This does not put it right.")})


def _now(repair: Repair) -> Compared | None:
    place = (repair.inst_id, repair.position_side)
    found = compare([repair.account], None)
    return next((one for one in found if (one.inst_id, one.position_side) == place), None)


def _trade(repair: Repair, one: Compared | None, now: datetime, reason: str, actor: User) -> None:
    """What an executor does with an order."""
    action = repair.action
    columns = _decided(now, reason, actor) | _accepting(repair, one)
    if repair.kind == DriftClass.FOREIGN:
        action = RepairAction.INCREASE
        if one is None:
            raise ValidationError(_("The difference is gone. Nothing was changed."))
        columns["quantity"] = abs(one.three.target) - abs(one.three.ours)
        _resume(repair, actor, reason)
    _step(repair, RepairState.APPROVED, **columns, action=action)


def _follow(repair: Repair, one: Compared | None, now: datetime, reason: str, actor: User) -> None:
    """From what is held beside where the leader is; what is not ours stays the customer's."""
    _go_on_from_here(repair, one, now)
    _resume(repair, actor, reason)
    columns = _decided(now, reason, actor) | _accepting(repair, one)
    _step(repair, RepairState.DONE, **columns, action=RepairAction.FOLLOW, finished_at=now)


def _is_less(one: Compared) -> bool:
    return abs(one.three.ours) < abs(one.three.target)


def _go_on_from_here(repair: Repair, one: Compared | None, now: datetime) -> None:
    cycle = repair.cycle
    if cycle is None or cycle.ended_at is not None:
        return
    held = abs(one.three.ours) if one else ZERO
    leader = one.followed.leader if one and one.followed else ZERO
    if held > 0 and leader > 0:
        Cycle.objects.filter(pk=cycle.pk).update(follower_base=held, leader_base=leader)
    elif held == 0:
        Cycle.objects.filter(pk=cycle.pk).update(ended_at=now, active_key=None)


def _end(repair: Repair, one: Compared | None, now: datetime, reason: str, actor: User) -> None:
    """Nothing of the leader's position is followed here any more; what is ours is closed."""
    if repair.cycle_id is not None:
        Cycle.objects.filter(pk=repair.cycle_id, ended_at__isnull=True).update(
            ended_at=now, active_key=None
        )
    _resume(repair, actor, reason)
    columns = _decided(now, reason, actor) | _accepting(repair, one)
    if one is not None and one.three.ours:
        columns["quantity"] = abs(one.three.ours)
        _step(repair, RepairState.APPROVED, **columns, action=RepairAction.CLOSE)
    else:
        _step(repair, RepairState.DONE, **columns, action=RepairAction.END, finished_at=now)


def _take_note(
    repair: Repair, one: Compared | None, now: datetime, reason: str, actor: User
) -> None:
    _step(repair, RepairState.DONE, **_decided(now, reason, actor), finished_at=now)


_Doing = Callable[[Repair, Compared | None, datetime, str, User], None]
_DO: Final[dict[RepairAction, _Doing]] = {
    _A.CLOSE: _trade,
    _A.REDUCE: _trade,
    _A.INCREASE: _trade,
    _A.FOLLOW: _follow,
    _A.END: _end,
    _A.NOTHING: _take_note,
}


def _left(repair: Repair) -> Decimal:
    """What was ours once the orders by hand were taken into account."""
    taken = sum((Decimal(each["quantity"]) for each in repair.evidence.get("orders", ())), ZERO)
    owned: Decimal = abs(repair.ours)
    return max(owned - taken, ZERO)


def _decided(now: datetime, reason: str, actor: User) -> dict[str, object]:
    return {"reason": reason.strip()[:300], "decided_by": actor, "decided_at": now}


def _accepting(repair: Repair, one: Compared | None) -> dict[str, object]:
    """What is the customer's own from here on."""
    if repair.kind != DriftClass.FOREIGN:
        return {}
    foreign = one.three.foreign if one else ZERO
    external = one.external if one else ZERO
    return {
        "accepted": foreign,
        "evidence": {**repair.evidence, "external": f"{external:f}"},
    }


def _resume(repair: Repair, actor: User, reason: str) -> None:
    """Let the link go on as it was before this paused it."""
    before = repair.evidence.get("link_was")
    if not before or repair.subscription_id is None:
        return
    link = Subscription.objects.get(pk=repair.subscription_id)
    if link.status == SubscriptionStatus.PAUSED:
        with suppress(ValidationError):
            set_subscription_status(
                subscription=link, status=SubscriptionStatus(before), actor=actor, reason=reason
            )


def _step(repair: Repair, to: RepairState, **columns: object) -> None:
    if not step(repair, to, **columns):
        raise ValidationError(_("It was decided meanwhile. Nothing was changed."))
