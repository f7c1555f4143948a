"""What is asked on the switch's page, and what is at stake in the scope that was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.tenancy import all_tenants
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy
from trading.enums import OrderState, Scope, TradingMode
from trading.models import Cycle, Instrument, Order, Position, TradingState

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
        name = cleaned.get("instrument", "").strip().upper()
        if scope == Scope.INSTRUMENT and name and not _is_known(name):
            self.add_error("instrument", _("No such instrument is known: this would stop nothing."))
        return cleaned

    def target(self) -> Any:
        value = self.cleaned_data.get(self.cleaned_data["scope"])
        return value.strip().upper() if isinstance(value, str) else value


def _is_known(inst_id: str) -> bool:
    """In a market, or in what this desk holds or has set: a switch must be undone, too."""
    kinds: tuple[Any, ...] = (Instrument, Position, TradingState)
    return any(kind.objects.filter(inst_id=inst_id).exists() for kind in kinds)


@dataclass(frozen=True)
class Stakes:
    """What a change would touch, counted now."""

    accounts: int
    positions: int
    worth: Decimal
    at_exchange: int


def stakes() -> Stakes:
    """The numbers of the whole desk."""
    return _stakes(Position.objects, Order.objects, ExchangeAccount.objects.tradable().count())


def at_stake(form: SwitchForm) -> Stakes:
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
