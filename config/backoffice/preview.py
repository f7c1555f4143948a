"""What would happen: a strategy, an account and a signal, decided without trading."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from accounts.roles import Ability, may
from customers.models import ExchangeAccount
from signals.enums import Direction, Intent, LeaderMarginMode, QuantityMode
from signals.models import Signal
from strategies.enums import MarginMode
from strategies.models import Strategy
from trading.admin.number_words import told_numbers
from trading.admin.states import decision_badge, side_mark
from trading.copying.drafts import OrderDraft
from trading.copying.foreseeing import Foreseen, followers, foresee
from trading.copying.imagined import COUNTED_IN, Typed, as_if_now, typed_signal
from trading.explaining.decisions import explain, instruction

_MARGIN = dict(MarginMode.choices)
NEEDS_QUANTITY = frozenset({Intent.OPEN, Intent.ADD, Intent.REDUCE, Intent.FLIP, Intent.TARGET})
PRICE: dict[str, Any] = {"required": False, "min_value": Decimal(0), "max_digits": 38}


class PreviewForm(forms.Form):
    """A signal by its id, or else as it is typed."""

    strategy = forms.ModelChoiceField(
        label=_("Strategy"), queryset=Strategy.objects.none(), empty_label=_("Choose a strategy")
    )
    account = forms.ModelChoiceField(
        label=_("Account"),
        queryset=ExchangeAccount.objects.none(),
        required=False,
        empty_label=_("All that follow"),
        help_text=_("Also one that does not follow yet."),
    )
    signal = forms.UUIDField(
        label=_("Signal"),
        required=False,
        help_text=_("The id of a stored one, as if it came now. Or fill in what follows:"),
    )
    instrument = forms.CharField(label=_("Instrument"), max_length=40, required=False)
    intent = forms.ChoiceField(label=_("Intent"), choices=Intent.choices, required=False)
    direction = forms.ChoiceField(label=_("Direction"), choices=Direction.choices, required=False)
    quantity = forms.DecimalField(label=_("Quantity"), **PRICE)
    mode = forms.ChoiceField(
        label=_("Counted in"),
        choices=[(mode.value, mode.label) for mode in COUNTED_IN],
        required=False,
    )
    reference_price = forms.DecimalField(
        label=_("Leader's price"), help_text=_("Empty takes the market's."), **PRICE
    )
    leverage = forms.DecimalField(label=_("Leverage"), **PRICE | {"min_value": Decimal(1)})
    leader_equity = forms.DecimalField(label=_("Leader's equity"), help_text=_("USDT"), **PRICE)
    margin_mode = forms.ChoiceField(
        label=_("Leader's margin mode"),
        choices=[("", "—"), *LeaderMarginMode.choices],
        required=False,
    )
    take_profit = forms.DecimalField(label=_("Take profit"), **PRICE)
    stop_loss = forms.DecimalField(label=_("Stop loss"), **PRICE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["strategy"].queryset = Strategy.objects.order_by("name")
        accounts = ExchangeAccount.objects.select_related("customer")
        fields["account"].queryset = accounts.order_by("customer__name", "label")

    def clean_signal(self) -> Signal | None:
        wanted: uuid.UUID | None = self.cleaned_data["signal"]
        if wanted is None:
            return None
        found: Signal | None = (
            Signal.objects.filter(pk=wanted).select_related("source", "tenant").first()
        )
        if found is None:
            raise forms.ValidationError(_("There is no signal with this id."))
        if not found.intent or not found.direction:
            raise forms.ValidationError(_("This signal was refused unread."))
        return found

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("signal") or self.errors:
            return given
        if not given.get("instrument"):
            self.add_error("instrument", _("Name an instrument, or a stored signal."))
        if given.get("intent") in NEEDS_QUANTITY and given.get("quantity") is None:
            self.add_error("quantity", _("This intent needs a quantity."))
        strategy = given["strategy"]
        if not strategy.sources.exists():
            self.add_error("strategy", _("It listens to no source."))
        return given


def page(request: HttpRequest) -> HttpResponse:
    """Show the form, and for a valid one what would become of the signal."""
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    known: dict[str, Any] = {
        name: request.GET.get(name) for name in ("strategy", "account", "signal")
    }
    usual = {"instrument": "BTC-USDT-SWAP", "mode": QuantityMode.CONTRACTS}
    if known["signal"] and not known["strategy"]:
        known["strategy"] = _listening(known["signal"])
    form = PreviewForm(request.POST or None, initial=usual | known)
    context = {**admin.site.each_context(request), "title": _("What would happen"), "form": form}
    if form.is_valid():
        context |= _foreseen(form.cleaned_data)
    return TemplateResponse(request, "admin/preview.html", context)


def _listening(signal_id: str) -> int | None:
    """The strategy that listens to the signal's source, where it is the only one."""
    try:
        wanted = uuid.UUID(signal_id)
    except ValueError:
        return None
    source = Signal.objects.filter(pk=wanted).values("source")
    listening = list(Strategy.objects.filter(sources__in=source).values_list("pk", flat=True)[:2])
    return listening[0] if len(listening) == 1 else None


def _foreseen(given: dict[str, Any]) -> dict[str, Any]:
    strategy: Strategy = given["strategy"]
    signal = as_if_now(given["signal"]) if given["signal"] else _typed(strategy, given)
    accounts, is_cut = ([given["account"]], False) if given["account"] else followers(strategy)
    found = foresee(signal, strategy, accounts)
    return {
        "results": [_told(one) for one in found],
        "asked": True,
        "instruction": instruction(signal),
        "source": signal.source,
        "move": found[0].move if found else None,
        "is_cut": is_cut,
    }


def _typed(strategy: Strategy, given: dict[str, Any]) -> Signal:
    source = strategy.sources.select_related("tenant").order_by("name").first()
    return typed_signal(
        source,
        Typed(
            inst_id=given["instrument"].strip().upper(),
            intent=Intent(given["intent"] or Intent.OPEN),
            direction=Direction(given["direction"] or Direction.LONG),
            quantity=given["quantity"],
            mode=QuantityMode(given["mode"] or QuantityMode.CONTRACTS),
            reference_price=given["reference_price"] or None,
            leverage=given["leverage"] or None,
            leader_equity=given["leader_equity"] or None,
            margin_mode=LeaderMarginMode(given["margin_mode"]) if given["margin_mode"] else None,
            take_profit=given["take_profit"] or None,
            stop_loss=given["stop_loss"] or None,
        ),
    )


def _told(one: Foreseen) -> dict[str, Any]:
    decision = one.decision
    return {
        "account": one.account,
        "follows": one.follows,
        "badge": decision_badge(decision.outcome, decision.reason),
        "reason": decision.reason,
        "words": explain(decision),
        "numbers": told_numbers(decision.numbers),
        "orders": [_order(one, order) for order in one.draft.orders],
    }


def _order(one: Foreseen, order: OrderDraft) -> dict[str, Any]:
    return {
        "leg": order.leg.label,
        "side": side_mark(order.direction),
        "inst_id": one.draft.facts.link.inst_id,
        "slices": [(q, order.asked(n)) for n, q in enumerate(order.quantities)],
        "type": order.asking.order_type.label,
        "leverage": order.leverage,
        "keeps": order.keeps_leverage,
        "margin_mode": _MARGIN.get(order.margin_mode, order.margin_mode),
    }
