"""The trading switch: how far trading goes, for a desk or a part of it, from this moment."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.approvals import ApprovalError, approve, refuse
from accounts.models import Approval
from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up
from accounts.tenancy import all_tenants
from config.backoffice.flattening import flight, progress, requests
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy
from trading.admin.limits import applies_to
from trading.admin.states import mode_badge
from trading.enums import OrderState, Scope, TradingMode
from trading.execution.flatten.leaving import ACTION, ask_to_leave, try_again
from trading.models import Cycle, FlattenAccount, Order, Position, TradingState
from trading.switch import is_tighter, set_mode

SCOPES = (
    (Scope.TENANT, gettext_lazy("Whole desk")),
    (Scope.STRATEGY, gettext_lazy("One strategy")),
    (Scope.CUSTOMER, gettext_lazy("One customer")),
    (Scope.ACCOUNT, gettext_lazy("One account")),
    (Scope.INSTRUMENT, gettext_lazy("One instrument")),
)
SYSTEM = (Scope.SYSTEM, gettext_lazy("Whole installation"))
MODES = (
    (TradingMode.ACTIVE, gettext_lazy("Active")),
    (TradingMode.REDUCE_ONLY, gettext_lazy("Reduce only")),
    (TradingMode.HALTED, gettext_lazy("Halted")),
    (TradingMode.FLATTEN, gettext_lazy("Flatten")),
)
AT_THE_EXCHANGE = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)


class SwitchForm(forms.Form):
    """What to stop, how far, and why."""

    scope = forms.ChoiceField(choices=SCOPES, initial=Scope.TENANT)
    strategy = forms.ModelChoiceField(Strategy.objects.none(), required=False)
    customer = forms.ModelChoiceField(Customer.objects.none(), required=False)
    account = forms.ModelChoiceField(ExchangeAccount.objects.none(), required=False)
    instrument = forms.CharField(required=False, max_length=40)
    mode = forms.ChoiceField(choices=MODES)
    reason = forms.CharField(max_length=300)
    confirmed = forms.BooleanField(required=False)

    def __init__(self, *args: Any, owns_installation: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if owns_installation:
            self.fields["scope"].choices = [*SCOPES, SYSTEM]  # type: ignore[attr-defined]
        fields: dict[str, Any] = self.fields
        fields["strategy"].queryset = Strategy.objects.order_by("name")
        fields["customer"].queryset = Customer.objects.order_by("name")
        fields["account"].queryset = ExchangeAccount.objects.select_related("customer")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        scope = cleaned.get("scope")
        if scope in self.fields and not cleaned.get(scope):
            self.add_error(scope, _("Choose what this applies to."))
        return cleaned

    def target(self) -> Any:
        value = self.cleaned_data.get(self.cleaned_data["scope"])
        return value.strip().upper() if isinstance(value, str) else value


@dataclass(frozen=True)
class Stakes:
    """What a change would touch, counted now."""

    accounts: int
    positions: int
    worth: Decimal
    at_exchange: int


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
        "at_stake": _at_stake(form) if confirm else None,
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


def stakes() -> Stakes:
    """The numbers of the whole desk."""
    return _stakes(Position.objects, Order.objects, ExchangeAccount.objects.tradable().count())


def _at_stake(form: SwitchForm) -> Stakes:
    """The numbers of the scope that is about to be flattened."""
    scope, target = Scope(form.cleaned_data["scope"]), form.target()
    if scope == Scope.SYSTEM:
        with all_tenants("what the owner of the installation is about to flatten"):
            return _stakes(Position.objects, Order.objects)
    within = {
        Scope.TENANT: Q(),
        Scope.CUSTOMER: Q(account__customer=target),
        Scope.ACCOUNT: Q(account=target),
        Scope.INSTRUMENT: Q(inst_id=target),
    }
    if scope != Scope.STRATEGY:
        return _stakes(Position.objects.filter(within[scope]), Order.objects.filter(within[scope]))
    cycles = Cycle.objects.filter(subscription__strategy=target, ended_at__isnull=True)
    held = Q(pk__in=[])
    for account, inst_id in cycles.values_list("account_id", "inst_id"):
        held |= Q(account_id=account, inst_id=inst_id)
    orders = Order.objects.filter(subscription__strategy=target)
    return _stakes(Position.objects.filter(held), orders)


def _stakes(positions: Any, orders: Any, accounts: int | None = None) -> Stakes:
    """Money is added here: the database would round it."""
    held = list(positions.exclude(quantity=0).values_list("account_id", "notional"))
    return Stakes(
        accounts=len({account for account, _worth in held}) if accounts is None else accounts,
        positions=len(held),
        worth=sum((abs(worth) for _account, worth in held if worth is not None), Decimal(0)),
        at_exchange=orders.filter(state__in=AT_THE_EXCHANGE).count(),
    )


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
        )
    except ValidationError as refusal:
        form.add_error(None, refusal.messages)
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
