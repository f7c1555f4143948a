"""The way out of a flatten: one person asks, another agrees. And another try, for one account."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts import audit
from accounts.approvals import ApprovalError, NotAllowedError, request_approval
from accounts.contention import retried
from accounts.enums import ApprovalStatus, AuditLevel
from accounts.models import Approval, User
from accounts.tenancy import all_tenants
from trading.enums import FlattenStep, TradingMode
from trading.execution.flatten.reach import ON_THEIR_WAY, Reach
from trading.leases import db_now
from trading.models import FlattenAccount, FlattenRun, Order, TradingState
from trading.switch import bump_version, leave_flatten

ACTION = "trading_state.leave_flatten"


class NotFlatteningError(ApprovalError):
    """The scope is not being flattened any more."""


class StillClosingError(ApprovalError):
    """A close of this flatten may still be accepted: it must not meet a new position."""


class AskedAlreadyError(ApprovalError):
    """Somebody asked for this already."""


@retried
@transaction.atomic
def ask_to_leave(*, state: TradingState, mode: TradingMode, reason: str, by: User) -> Approval:
    """Ask for a second person, in the open desk. Raises ApprovalError; nothing changes yet."""
    if state.mode != TradingMode.FLATTEN:
        raise NotFlatteningError(_("This scope is not being flattened."))
    if open_requests(state).exists():
        raise AskedAlreadyError(_("Somebody asked for this already. A second person must agree."))
    payload = {"state": state.pk, "mode": TradingMode(mode).value, "run": _run_of(state)}
    return request_approval(
        action=ACTION, requested_by=by, obj=state, payload=payload, reason=reason
    )


def open_requests(state: TradingState) -> Any:
    return Approval.objects.filter(
        action=ACTION,
        object_id=str(state.pk),
        status=ApprovalStatus.PENDING,
        expires_at__gt=db_now(),
    )


def leave(approval: Approval, by: User) -> None:
    """A second person agreed: the effect of the approval, in its transaction."""
    state = TradingState.objects.select_related("tenant").get(pk=approval.payload["state"])
    # No close is marked from here on: those that were are seen below.
    bump_version(state.tenant_id)
    state.refresh_from_db()
    if state.mode != TradingMode.FLATTEN or _run_of(state) != approval.payload.get("run"):
        raise NotFlatteningError(_("This scope is not being flattened any more."))
    if state.tenant_id is None and not by.is_superuser:
        raise NotAllowedError(_("Only an owner of the installation may decide this."))
    if _is_closing(state):
        raise StillClosingError(_("A close is still on its way. Try again in a few seconds."))
    mode = TradingMode(approval.payload["mode"])
    leave_flatten(state=state, mode=mode, reason=approval.reason, actor=by)


@retried
@transaction.atomic
def try_again(*, row: FlattenAccount, actor: User) -> None:
    """Give an account that was handed to a person another few rounds."""
    now = db_now()
    given = FlattenAccount.objects.filter(pk=row.pk, step=FlattenStep.MANUAL).update(
        step=FlattenStep.READING,
        round=0,
        problem="",
        not_before=now,
        step_at=now,
        alerted_at=None,
        # Whoever looks at it just now must not write down what it was.
        version=F("version") + 1,
        lease_until=None,
    )
    if given:
        audit.record(
            action="flatten.tried_again",
            obj=row.account,
            level=AuditLevel.NOTICE,
            actor=actor,
            tenant=row.tenant_id,
        )


def _run_of(state: TradingState) -> int | None:
    """The flatten that goes on: who agrees to end one says nothing of the next."""
    run: FlattenRun | None = FlattenRun.objects.filter(active_key=state.scope_key).first()
    return run.pk if run else None


def _is_closing(state: TradingState) -> bool:
    patience_ms = round((settings.SKEW_S + settings.GRACE_S) * 1000)
    now_ms = round(db_now().timestamp() * 1000)
    with all_tenants("closes of a flatten that ends"):
        return bool(
            Order.objects.filter(
                Reach.of(state).rows(),
                flattens=True,
                state__in=ON_THEIR_WAY,
                exp_at_ms__gt=now_ms - patience_ms,
            ).exists()
        )
