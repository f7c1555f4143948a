"""The trading switch: how far trading goes, for a desk or a part of it, from this moment."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy
from trading.admin.limits import applies_to
from trading.admin.states import mode_badge
from trading.enums import OrderState, Scope, TradingMode
from trading.models import Order, Position, TradingState
from trading.switch import is_tighter, set_mode

SCOPES = (
    (Scope.TENANT, gettext_lazy("Whole desk")),
    (Scope.STRATEGY, gettext_lazy("One strategy")),
    (Scope.CUSTOMER, gettext_lazy("One customer")),
    (Scope.ACCOUNT, gettext_lazy("One account")),
    (Scope.INSTRUMENT, gettext_lazy("One instrument")),
)
MODES = (
    (TradingMode.ACTIVE, gettext_lazy("Active")),
    (TradingMode.REDUCE_ONLY, gettext_lazy("Reduce only")),
    (TradingMode.HALTED, gettext_lazy("Halted")),
)
AT_THE_EXCHANGE = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)
IN_FLIGHT = (OrderState.SENDING, OrderState.UNKNOWN)


class SwitchForm(forms.Form):
    """What to stop, how far, and why."""

    scope = forms.ChoiceField(choices=SCOPES, initial=Scope.TENANT)
    strategy = forms.ModelChoiceField(Strategy.objects.none(), required=False)
    customer = forms.ModelChoiceField(Customer.objects.none(), required=False)
    account = forms.ModelChoiceField(ExchangeAccount.objects.none(), required=False)
    instrument = forms.CharField(required=False, max_length=40)
    mode = forms.ChoiceField(choices=MODES)
    reason = forms.CharField(max_length=300)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
    in_flight: int


def page(request: HttpRequest) -> HttpResponse:
    """Show what is in force and what a change would do; a posted change takes effect at once.

    Tightening is one click. Loosening asks for the password first.
    """
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    form = SwitchForm(request.POST or None)
    if form.is_valid():
        answer = _apply(request, form)
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
        "scopes": SCOPES,
        "mode_now": own.mode if own else TradingMode.ACTIVE,
        "badge_html": mode_badge(own.mode if own else TradingMode.ACTIVE),
        "states": [(s, applies_to(s), mode_badge(s.mode)) for s in states[:50]],
        "stakes": stakes(),
        "may_tighten": may(request, Ability.TIGHTEN_SWITCH),
        "may_loosen": may(request, Ability.LOOSEN_SWITCH),
        "fresh": is_fresh(request),
        "step_up": f"{reverse('accounts:step_up')}?next={request.path}",
    }
    return TemplateResponse(request, "admin/switch.html", context)


def stakes() -> Stakes:
    """The numbers of the whole desk. Money is added here: the database would round it."""
    held = list(Position.objects.exclude(quantity=0).values_list("notional", flat=True))
    return Stakes(
        accounts=ExchangeAccount.objects.tradable().count(),
        positions=len(held),
        worth=sum((abs(value) for value in held if value is not None), Decimal(0)),
        at_exchange=Order.objects.filter(state__in=AT_THE_EXCHANGE).count(),
        in_flight=Order.objects.filter(state__in=IN_FLIGHT).count(),
    )


def current_mode(scope: Scope, target: Any, tenant_id: int) -> TradingMode:
    key = str(tenant_id)
    if scope != Scope.TENANT:
        key = f"{key}|{scope.value}|{getattr(target, 'pk', target)}"
    mode = TradingState.objects.filter(scope_key=key).values_list("mode", flat=True).first()
    return TradingMode(mode or TradingMode.ACTIVE)


def _apply(request: HttpRequest, form: SwitchForm) -> HttpResponse | None:
    scope, mode = Scope(form.cleaned_data["scope"]), TradingMode(form.cleaned_data["mode"])
    tenant = request.tenant  # type: ignore[attr-defined]
    tightens = is_tighter(mode, current_mode(scope, form.target(), tenant.pk))
    if not may(request, Ability.TIGHTEN_SWITCH if tightens else Ability.LOOSEN_SWITCH):
        raise PermissionDenied
    if not tightens and not is_fresh(request):
        return redirect_to_step_up(request)
    try:
        state = set_mode(
            scope=scope,
            mode=mode,
            reason=form.cleaned_data["reason"],
            actor=request.user,  # type: ignore[arg-type]
            tenant=tenant,
            target=form.target(),
        )
    except ValidationError as refusal:
        form.add_error(None, refusal.messages)
        return None
    what = {"what": applies_to(state), "mode": state.get_mode_display()}
    messages.success(request, _("%(what)s: %(mode)s from this moment.") % what)
    return HttpResponseRedirect(reverse("admin:switch"))
