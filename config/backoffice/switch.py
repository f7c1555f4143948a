"""The trading switch: how far trading goes, for a desk or a part of it, from this moment."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.approvals import ApprovalError, approve, refuse
from accounts.models import Approval
from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up
from config.backoffice.flattening import flight, progress, requests
from config.backoffice.switch_form import SCOPES, SYSTEM, SwitchForm, at_stake, stakes
from trading.admin.limits import applies_to
from trading.admin.states import mode_badge
from trading.enums import Scope, TradingMode
from trading.execution.flatten.leaving import ACTION, ask_to_leave, try_again
from trading.models import FlattenAccount, TradingState
from trading.switch import TwoPersonsError, WouldLoosenError, is_tighter, set_mode


def page(request: HttpRequest) -> HttpResponse:
    """Show what is in force and what a change would do; a posted change takes effect at once.

    Tightening is one click, and flatten one more. Loosening asks for the password first, and
    leaving flatten also for a second person.
    """
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    do = _DONE_HERE.get(request.POST.get("do", ""))
    if do is not None:
        return do(request)
    owns = _owns_installation(request)
    form = SwitchForm(request.POST or None, owns_installation=owns)
    confirm = False
    if form.is_valid():
        confirm = _wants_confirmation(form)
        answer = None if confirm else _apply(request, form)
        if answer is not None:
            return answer
    states = TradingState.objects.select_related(
        "strategy", "customer", "account__customer", "changed_by", "tenant"
    ).order_by("-changed_at")
    own = states.filter(scope=Scope.TENANT).first()
    context = {
        **admin.site.each_context(request),
        "title": _("Trading switch"),
        "form": form,
        "confirm": confirm,
        "confirm_what": _what(form, request) if confirm else "",
        "at_stake": at_stake(form) if confirm else None,
        "by_cycles": form["scope"].value() == Scope.STRATEGY,
        "scopes": [*SCOPES, SYSTEM] if owns else SCOPES,
        "mode_now": own.mode if own else TradingMode.ACTIVE,
        "badge_html": mode_badge(own.mode if own else TradingMode.ACTIVE),
        "states": [(s, applies_to(s), mode_badge(s.mode)) for s in states[:50]],
        "stakes": stakes(),
        "flight": flight(),
        "runs": progress(),
        "leaving": requests(request),
        "may_retry": may(request, Ability.OPERATE_ORDERS),
        "may_tighten": may(request, Ability.TIGHTEN_SWITCH),
        "may_loosen": may(request, Ability.LOOSEN_SWITCH),
        "fresh": is_fresh(request),
        "step_up": f"{reverse('accounts:step_up')}?next={request.path}",
    }
    return TemplateResponse(request, "admin/switch.html", context)


def current_mode(scope: Scope, target: Any, tenant_id: int) -> TradingMode:
    state = _state(scope, target, tenant_id)
    return TradingMode(state.mode) if state else TradingMode.ACTIVE


def _state(scope: Scope, target: Any, tenant_id: int) -> TradingState | None:
    key = "system" if scope == Scope.SYSTEM else str(tenant_id)
    if scope not in (Scope.TENANT, Scope.SYSTEM):
        key = f"{key}|{scope.value}|{getattr(target, 'pk', target)}"
    found: TradingState | None = TradingState.objects.filter(scope_key=key).first()
    return found


def _owns_installation(request: HttpRequest) -> bool:
    """Superusers alone: what binds every desk is nobody's in a desk."""
    user: Any = request.user
    return bool(user.is_active and user.is_superuser)


def _wants_confirmation(form: SwitchForm) -> bool:
    return form.cleaned_data["mode"] == TradingMode.FLATTEN and not form.cleaned_data["confirmed"]


def _what(form: SwitchForm, request: HttpRequest) -> str:
    """The scope by its name, so that nobody closes another desk than the one they mean."""
    scope = Scope(form.cleaned_data["scope"])
    if scope == Scope.SYSTEM:
        return str(SYSTEM[1])
    desk = str(request.tenant)  # type: ignore[attr-defined]
    return desk if scope == Scope.TENANT else f"{desk}: {form.target()}"


def _apply(request: HttpRequest, form: SwitchForm) -> HttpResponse | None:
    scope, mode = Scope(form.cleaned_data["scope"]), TradingMode(form.cleaned_data["mode"])
    tenant = request.tenant  # type: ignore[attr-defined]
    now = current_mode(scope, form.target(), tenant.pk)
    tightens = is_tighter(mode, now)
    if not may(request, Ability.TIGHTEN_SWITCH if tightens else Ability.LOOSEN_SWITCH):
        raise PermissionDenied
    if not tightens and not is_fresh(request):
        return redirect_to_step_up(request)
    if now == TradingMode.FLATTEN:
        return _ask(request, form, scope, mode)
    try:
        state = set_mode(
            scope=scope,
            mode=mode,
            reason=form.cleaned_data["reason"],
            actor=request.user,  # type: ignore[arg-type]
            tenant=None if scope == Scope.SYSTEM else tenant,
            target=form.target(),
            may_loosen=not tightens,
        )
    except ValidationError as refusal:
        form.add_error(None, refusal.messages)
        return None
    except (TwoPersonsError, WouldLoosenError):
        form.add_error(None, _("Somebody changed the switch meanwhile. Nothing was changed."))
        return None
    what = {"what": applies_to(state), "mode": state.get_mode_display()}
    messages.success(request, _("%(what)s: %(mode)s from this moment.") % what)
    return HttpResponseRedirect(reverse("admin:switch"))


def _ask(request: HttpRequest, form: SwitchForm, scope: Scope, mode: TradingMode) -> HttpResponse:
    """Leaving flatten is asked for here, and happens when another person agrees."""
    tenant = request.tenant  # type: ignore[attr-defined]
    state = _state(scope, form.target(), tenant.pk)
    if state is None or mode == TradingMode.FLATTEN:
        messages.warning(request, _("This is being flattened already. Nothing was changed."))
        return HttpResponseRedirect(reverse("admin:switch"))
    try:
        ask_to_leave(state=state, mode=mode, reason=form.cleaned_data["reason"], by=request.user)  # type: ignore[arg-type]
    except ApprovalError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("A second person must agree. Until then flatten goes on."))
    return HttpResponseRedirect(reverse("admin:switch"))


def _decide(request: HttpRequest) -> HttpResponse:
    """The second person's answer."""
    if not may(request, Ability.APPROVE):
        raise PermissionDenied
    if not is_fresh(request):
        return redirect_to_step_up(request)
    approval = Approval.objects.filter(action=ACTION, uid=_uid(request)).first()
    if approval is None:
        raise PermissionDenied
    answer = approve if request.POST["do"] == "approve" else refuse
    try:
        answer(approval=approval, by=request.user)  # type: ignore[arg-type]
    except ApprovalError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("Decided."))
    return HttpResponseRedirect(reverse("admin:switch"))


def _uid(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.POST.get("approval", ""))
    except ValueError:
        return None


def _retry(request: HttpRequest) -> HttpResponse:
    if not may(request, Ability.OPERATE_ORDERS):
        raise PermissionDenied
    pk = request.POST.get("row", "")
    row = FlattenAccount.objects.filter(pk=pk).first() if pk.isdecimal() else None
    if row is None:
        raise PermissionDenied
    try_again(row=row, actor=request.user)  # type: ignore[arg-type]
    messages.success(request, _("It is tried again."))
    return HttpResponseRedirect(reverse("admin:switch"))


_DONE_HERE = {"approve": _decide, "refuse": _decide, "retry": _retry}
