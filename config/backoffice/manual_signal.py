"""A signal entered by hand, for one account, by the same road as every other."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.roles import Ability, may
from customers.models import ExchangeAccount
from signals.enums import Direction, Intent, QuantityMode
from signals.manual import IdTakenError, enter_manual_signal
from signals.parsing import ParseError, Quantity

FIELD_OF = {"quantity.value": "quantity", "quantity.mode": "mode"}


class ManualSignalForm(forms.Form):
    """The fields of a signal; what they mean together is decided by the parser."""

    account = forms.ModelChoiceField(label=_("Account"), queryset=ExchangeAccount.objects.none())
    instrument = forms.CharField(label=_("Instrument"), initial="BTC-USDT-SWAP", max_length=40)
    intent = forms.ChoiceField(label=_("Intent"), choices=Intent.choices)
    direction = forms.ChoiceField(label=_("Direction"), choices=Direction.choices)
    quantity = forms.DecimalField(
        label=_("Quantity"),
        required=False,
        min_value=Decimal(0),
        help_text=_("Not needed to close or to cancel."),
    )
    mode = forms.ChoiceField(label=_("Counted in"), choices=QuantityMode.choices)
    leverage = forms.DecimalField(label=_("Leverage"), required=False, min_value=Decimal(1))
    take_profit = forms.DecimalField(
        label=_("Take profit"),
        required=False,
        min_value=Decimal(0),
        help_text=_("A price. The exchange closes what this opens when it is reached."),
    )
    stop_loss = forms.DecimalField(label=_("Stop loss"), required=False, min_value=Decimal(0))
    external_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account: Any = self.fields["account"]
        account.queryset = ExchangeAccount.objects.tradable().select_related("customer")


def page(request: HttpRequest) -> HttpResponse:
    """Show the form; a valid one becomes a signal, and its page is shown."""
    if not may(request, Ability.TRADE_MANUALLY):
        raise PermissionDenied
    form = ManualSignalForm(request.POST or None, initial={"account": request.GET.get("account")})
    if form.is_valid():
        signal = _enter(request, form)
        if signal is not None:
            messages.success(request, _("The signal was taken. Its decision follows at once."))
            return HttpResponseRedirect(reverse("admin:signals_signal_change", args=(signal.pk,)))
    context = {**admin.site.each_context(request), "title": _("New manual signal"), "form": form}
    return TemplateResponse(request, "admin/manual_signal.html", context)


def _enter(request: HttpRequest, form: ManualSignalForm) -> Any:
    given = form.cleaned_data
    value = given["quantity"]
    try:
        received = enter_manual_signal(
            user=request.user,  # type: ignore[arg-type]
            account=given["account"],
            instrument=given["instrument"].strip().upper(),
            intent=Intent(given["intent"]),
            direction=Direction(given["direction"]),
            quantity=None if value is None else Quantity(QuantityMode(given["mode"]), value),
            leverage=given["leverage"],
            take_profit=given["take_profit"],
            stop_loss=given["stop_loss"],
            external_id=str(given["external_id"]),
        )
    except ParseError as error:
        name = FIELD_OF.get(error.field, error.field)
        form.add_error(name if name in form.fields else None, error.reason)
        return None
    except IdTakenError:
        form.add_error(
            None, _("This form was sent before, with another instruction. Open it anew.")
        )
        return None
    return received.signal
