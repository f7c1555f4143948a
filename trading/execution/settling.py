"""What a person may decide about an order whose outcome nobody could find out.

Adopt an order of the exchange, confirm that it was never placed (two persons), or close what
it may have opened. The resolver may be faster: then nothing is done, and it says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.approvals import ApprovalError, request_approval
from accounts.contention import retried
from accounts.enums import ApprovalStatus, AuditLevel
from accounts.models import Approval, User
from trading.enums import (
    EventSource,
    OrderState,
    Reason,
    Scope,
    SettlementKind,
    SettlementState,
    TradingMode,
)
from trading.events import settlements_asked
from trading.execution.resolve import FORGETS_UNFILLED, MAX_OPEN_ATTEMPTS, is_superseded
from trading.leases import db_now
from trading.models import Order, Settlement
from trading.switch import set_mode
from trading.transition import Change, transition

NOT_PLACED = "order.not_placed"
# An order is left to the engine for so long before a person may decide.
ENGINE_FIRST = timedelta(seconds=60)
STUCK = (OrderState.UNKNOWN, OrderState.MANUAL, OrderState.SENDING)


class SettledMeanwhileError(ValidationError):
    """The engine found out what became of the order. Nothing was changed."""


class SettledError(ApprovalError):
    """The same, told to whoever was to agree."""


def is_stuck(order: Order, now: datetime) -> bool:
    """May a person decide about it? What is being sent or asked about for less is the engine's."""
    if order.state == OrderState.MANUAL:
        return True
    if order.state not in STUCK or now - (order.sent_at or order.created_at) < ENGINE_FIRST:
        return False
    lapsed = order.lease_until is None or order.lease_until < now
    return order.state == OrderState.UNKNOWN or lapsed


def ask_to_adopt(*, order: Order, exchange_order_id: str, reason: str, actor: User) -> Settlement:
    """Have an executor verify this order of the exchange and take it for ours."""
    text = exchange_order_id.strip()
    if not text.isalnum() or len(text) > 40:  # noqa: PLR2004 - the column's length
        raise ValidationError({"exchange_order_id": _("Letters and digits, as OKX shows them.")})
    twin = Order.objects.filter(account_id=order.account_id, exchange_order_id=text)
    if twin.exclude(pk=order.pk).exists():
        raise ValidationError({"exchange_order_id": _("This belongs to another order of ours.")})
    return _ask(order, SettlementKind.ADOPT, reason, actor, exchange_order_id=text)


@retried
@transaction.atomic
def ask_to_close(*, order: Order, reason: str, actor: User) -> Settlement:
    """Flatten the order's account; the order ends when the account is verified to be flat.

    Flatten is the only thing that may pass an order of unknown outcome: it acts on what the
    exchange really holds, and never flips it.
    """
    wish = _ask(order, SettlementKind.CLOSE, reason, actor)
    set_mode(
        mode=TradingMode.FLATTEN,
        reason=reason,
        actor=actor,
        tenant=order.tenant,
        scope=Scope.ACCOUNT,
        target=order.account,
    )
    return wish


@retried
@transaction.atomic
def ask_not_placed(*, order: Order, reason: str, actor: User) -> Approval:
    """Say that the order was never placed; a second person must agree."""
    _assert_stuck(order, reason)
    if open_requests(order).exists():
        raise ValidationError(_("Somebody asked for this already. A second person must agree."))
    return request_approval(
        action=NOT_PLACED,
        requested_by=actor,
        obj=order,
        payload={
            "order": str(order.pk),
            "client_order_id": order.client_order_id,
            "attempt": order.attempt,
        },
        reason=reason,
    )


def open_requests(order: Order) -> Any:
    return Approval.objects.filter(
        action=NOT_PLACED,
        object_id=str(order.pk),
        status=ApprovalStatus.PENDING,
        expires_at__gt=db_now(),
    )


def confirm_not_placed(approval: Approval, by: User) -> None:
    """A second person agreed: the order goes on as one that was proved not to be placed."""
    now = db_now()
    order = Order.objects.filter(pk=approval.payload["order"]).first()
    # What was said of one attempt says nothing of the next.
    if (
        order is None
        or not is_stuck(order, now)
        or order.attempt != approval.payload.get("attempt")
    ):
        raise SettledError(_("The engine has settled this order meanwhile. Nothing was changed."))
    to, reason = _after_confirmation(order, now)
    columns = {
        "claim_token": None,
        "lease_until": None,
        "not_before": None,
        "not_found_count": 0,
        "reason": reason,
    }
    note = f"not placed, say {approval.requested_by} and {by}"[:300]
    change = Change(order, to, columns, note, proved_not_placed=True)
    if not transition([change], source=EventSource.STAFF, at=now):
        raise SettledError(_("The engine has settled this order meanwhile. Nothing was changed."))
    audit.record(
        action="order.confirmed_not_placed",
        obj=order,
        after={"state": to, "client_order_id": order.client_order_id},
        level=AuditLevel.WARNING,
        reason=approval.reason,
        actor=by,
    )


def _after_confirmation(order: Order, now: datetime) -> tuple[OrderState, Reason]:
    """Sent again only while that still makes sense: never what is stale."""
    age = now - (order.sent_at or order.created_at)
    if not order.opens:
        if age > FORGETS_UNFILLED:
            return OrderState.EXPIRED, Reason.EXPIRED
        return OrderState.READY, Reason.NONE
    stale = order.expires_at is not None and now > order.expires_at
    if stale or order.attempt >= MAX_OPEN_ATTEMPTS or age > FORGETS_UNFILLED:
        return OrderState.EXPIRED, Reason.EXPIRED
    if is_superseded(order):
        return OrderState.EXPIRED, Reason.SUPERSEDED
    return OrderState.READY, Reason.NONE


def _ask(order: Order, kind: SettlementKind, reason: str, actor: User, **more: str) -> Settlement:
    _assert_stuck(order, reason)
    wish = Settlement(
        order=order,
        kind=kind,
        reason=reason.strip()[:300],
        asked_by=actor,
        open_key=order.pk.hex,
        asked_at=db_now(),
        **more,
    )
    try:
        with transaction.atomic():
            wish.save(force_insert=True)
            audit.record(
                action="order.settlement_asked",
                obj=order,
                after={"asks": kind, **more},
                level=AuditLevel.NOTICE,
                reason=reason,
                actor=actor,
            )
            transaction.on_commit(partial(settlements_asked.send_robust, Settlement))
    except IntegrityError as error:
        raise ValidationError(_("Somebody is settling this order already.")) from error
    return wish


def _assert_stuck(order: Order, reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the diary keeps it.")})
    fresh = Order.objects.get(pk=order.pk)
    if not is_stuck(fresh, db_now()):
        raise SettledMeanwhileError(
            _("The engine has settled this order meanwhile. Nothing was changed.")
        )


def end(wish: Settlement, state: SettlementState, result: str) -> bool:
    """Write down what became of a wish; False when somebody else did."""
    ended: int = Settlement.objects.filter(pk=wish.pk, state=SettlementState.WAITING).update(
        state=state, result=result[:300], finished_at=db_now(), open_key=None
    )
    return ended == 1
