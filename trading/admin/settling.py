"""Orders whose outcome nobody could find out: the evidence, and what a person may decide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.approvals import ApprovalError, approve, refuse
from accounts.models import Approval
from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up
from trading.admin.states import external_badge, order_badge, side_mark
from trading.enums import FINAL_STATES, OrderState
from trading.execution.settling import (
    NOT_PLACED,
    STUCK,
    ask_not_placed,
    ask_to_adopt,
    ask_to_close,
    is_stuck,
    open_requests,
)
from trading.leases import db_now
from trading.models import (
    ExternalOrder,
    Fill,
    Order,
    Position,
    ReconcileRun,
    Settlement,
)
from trading.sync.truth import find_drifts

MOST_SHOWN = 100
_NEEDS = {
    "adopt": Ability.OPERATE_ORDERS,
    "not_placed": Ability.OPERATE_ORDERS,
    "close": Ability.TIGHTEN_SWITCH,
    "approve": Ability.APPROVE,
    "refuse": Ability.APPROVE,
}


def list_page(request: HttpRequest) -> HttpResponse:
    """Every order that waits for the engine or a person, the oldest first."""
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    now = db_now()
    rows = Order.objects.filter(state__in=STUCK).select_related("account__customer")
    orders = [o for o in rows.order_by("sent_at", "created_at") if _shown(o, now)][:MOST_SHOWN]
    waiting = dict(
        Order.objects.filter(lane_key__in={order.lane_key for order in orders})
        .exclude(state__in=[*FINAL_STATES, *STUCK])
        .order_by()
        .values_list("lane_key")
        .annotate(n=Count("id"))
    )
    wishes = set(
        Settlement.objects.filter(
            order_id__in=[o.pk for o in orders], open_key__isnull=False
        ).values_list("order_id", flat=True)
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Unsettled orders"),
        "rows": [
            {
                "order": order,
                "badge": order_badge(order.state),
                "side": side_mark(order.side, order.position_side),
                "behind": waiting.get(order.lane_key, 0),
                "yours": is_stuck(order, now),
                "asked": order.pk in wishes,
            }
            for order in orders
        ],
    }
    return TemplateResponse(request, "admin/unsettled.html", context)


def settle_page(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """One order's evidence, and the three ways to settle it."""
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    order = (
        Order.objects.filter(pk=object_id)
        .select_related("account__customer", "signal__source", "tenant")
        .first()
    )
    if order is None:
        raise Http404
    if request.method == "POST":
        return _answer(request, order)
    context = {
        **admin.site.each_context(request),
        "title": _("Settle an order"),
        **evidence(order),
        "may_operate": may(request, Ability.OPERATE_ORDERS),
        "may_close": may(request, Ability.TIGHTEN_SWITCH),
        "may_approve": may(request, Ability.APPROVE),
        "requests": [
            (approval, approval.requested_by_id == request.user.pk)
            for approval in open_requests(order).select_related("requested_by")
        ],
    }
    return TemplateResponse(request, "admin/settle_order.html", context)


def evidence(order: Order) -> dict[str, Any]:
    """What is known, and where it comes from; only our own rows, nothing is asked here."""
    now = db_now()
    behind = Order.objects.filter(lane_key=order.lane_key, lane_at__gte=order.lane_at)
    drift = next((d for d in find_drifts(order.account) if d["inst_id"] == order.inst_id), None)
    return {
        "order": order,
        "is_open": order.state in STUCK,
        "is_theirs": is_stuck(order, now),
        "badge": order_badge(order.state),
        "side": side_mark(order.side, order.position_side),
        "deadline": _at(order.exp_at_ms),
        "attempts": [(a, _at(a.exp_at_ms)) for a in order.sends],
        "events": order.diary[:-21:-1],
        "behind": [
            (other, order_badge(other.state))
            for other in behind.exclude(pk=order.pk)
            .exclude(state__in=FINAL_STATES)
            .order_by("lane_at", "id")[:20]
        ],
        "drift": drift,
        "positions": list(Position.objects.filter(account=order.account, inst_id=order.inst_id)),
        "read": ReconcileRun.objects.filter(account=order.account).order_by("-started_at").first(),
        "candidates": [
            (found, side_mark(found.side), external_badge(found.state))
            for found in _candidates(order)
        ],
        "wishes": list(
            Settlement.objects.filter(order=order).select_related("asked_by").order_by("-asked_at")
        ),
    }


def _shown(order: Order, now: datetime) -> bool:
    return order.state != OrderState.SENDING or is_stuck(order, now)


def _at(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _candidates(order: Order) -> Any:
    """Orders of the exchange that are nobody's, of the same instrument, side and size."""
    ours = Fill.objects.filter(account=order.account, order__isnull=False)
    return (
        ExternalOrder.objects.filter(
            account=order.account,
            inst_id=order.inst_id,
            side=order.side,
            quantity=order.quantity,
            seen_at__gte=order.created_at,
        )
        .exclude(exchange_order_id__in=ours.values("exchange_order_id"))
        .exclude(Q(client_order_id__gt="") & ~Q(client_order_id=order.client_order_id))
        .order_by("seen_at")[:5]
    )


def _answer(request: HttpRequest, order: Order) -> HttpResponse:
    what = request.POST.get("do", "")
    if what not in _NEEDS or not may(request, _NEEDS[what]):
        raise PermissionDenied
    if not is_fresh(request):
        return redirect_to_step_up(request)
    try:
        messages.success(request, _DO[what](request, order))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    except ApprovalError as refusal:
        messages.warning(request, str(refusal))
    return HttpResponseRedirect(reverse("admin:trading_order_settle", args=(order.pk,)))


def _adopt(request: HttpRequest, order: Order) -> str:
    ask_to_adopt(
        order=order,
        exchange_order_id=request.POST.get("exchange_order_id", ""),
        reason=request.POST.get("reason", ""),
        actor=request.user,  # type: ignore[arg-type]
    )
    return _("OKX is asked about it now. It is taken for ours only when all of it fits.")


def _not_placed(request: HttpRequest, order: Order) -> str:
    ask_not_placed(order=order, reason=request.POST.get("reason", ""), actor=request.user)  # type: ignore[arg-type]
    return _("A second person must agree. Until then nothing changes.")


def _close(request: HttpRequest, order: Order) -> str:
    ask_to_close(order=order, reason=request.POST.get("reason", ""), actor=request.user)  # type: ignore[arg-type]
    return _("The account is being flattened. The order ends when it is flat.")


def _decide(request: HttpRequest, order: Order) -> str:
    pending = Approval.objects.filter(action=NOT_PLACED, object_id=str(order.pk))
    approval = pending.order_by("-requested_at").first()
    if approval is None:
        raise ValidationError(_("Nobody asks for this any more."))
    answer = approve if request.POST["do"] == "approve" else refuse
    answer(approval=approval, by=request.user)  # type: ignore[arg-type]
    return _("Decided.")


_DO: dict[str, Callable[[HttpRequest, Order], str]] = {
    "adopt": _adopt,
    "not_placed": _not_placed,
    "close": _close,
    "approve": _decide,
    "refuse": _decide,
}
