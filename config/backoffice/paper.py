"""Simulated accounts in the back office: opened for a customer, funded, reset."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.display import figure
from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up
from customers.admin_keys import key_badge, market_badge
from customers.enums import Market, PositionMode
from customers.models import Customer, ExchangeAccount
from customers.services import recheck_keys
from trading import paper
from trading.models import Balance, Instrument, Order, Position

# What a beginning is asked for; everything that is traded can be paid in later.
USUAL: Final = ("USDT", "BTC", "ETH")
AMOUNT: Final[dict[str, Any]] = {"max_digits": 21, "decimal_places": paper.PLACES}


class BalancesForm(forms.Form):
    """An amount for each currency that an account may begin with; empty is nothing."""

    def __init__(self, *args: Any, balances: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currencies = list(dict.fromkeys((*USUAL, *balances)))
        for currency in self.currencies:
            self.fields[_field(currency)] = forms.DecimalField(
                label=currency,
                required=False,
                min_value=Decimal(0),
                max_value=paper.LARGEST,
                initial=balances.get(currency),
                **AMOUNT,
            )

    def balances(self) -> dict[str, Decimal]:
        given = ((c, self.cleaned_data[_field(c)]) for c in self.currencies)
        return {currency: amount for currency, amount in given if amount}


class OpenForm(BalancesForm):
    """A new simulated account."""

    label = forms.CharField(label=_("Label"), max_length=80, initial="paper")
    position_mode = forms.ChoiceField(label=_("Position mode"), choices=PositionMode.choices)


class ResetForm(BalancesForm):
    """The balances of a new beginning."""

    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("goes into the audit trail"),
        required=False,
        max_length=300,
    )


class PaymentForm(forms.Form):
    """Play money, in or out."""

    currency = forms.ChoiceField(label=_("Currency"))
    amount = forms.DecimalField(label=_("Amount"), max_value=paper.LARGEST, **AMOUNT)

    def __init__(self, *args: Any, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: Any = self.fields["currency"]
        choice.choices = [(currency, currency) for currency in currencies]

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if amount <= 0:
            raise ValidationError(_("An amount above zero is expected."))
        return amount


def open_page(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """Open a simulated account for the customer; its page follows the check of the key."""
    customer: Customer | None = model_admin.get_object(request, str(object_id))
    if customer is None or not model_admin.has_view_permission(request, customer):
        raise Http404
    _must_manage(request)
    form = OpenForm(request.POST or None, balances={"USDT": "10000"})
    if request.method == "POST" and form.is_valid():
        made: list[ExchangeAccount] = []
        if _tried(form, lambda: made.append(_open(request, customer, form))):
            return HttpResponseRedirect(_account_page(made[0]))
    return _show(model_admin, request, "open", customer=customer, form=form)


def purse_page(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """Show what the account was opened with and owns; pay in or out; have it opened again."""
    account = _paper_account(model_admin, request, object_id)
    form = PaymentForm(
        request.POST if request.POST.get("do") in {"fund", "withdraw"} else None,
        currencies=_currencies(),
    )
    if request.method == "POST" and request.POST.get("do") == "reopen":
        recheck_keys(account=account, actor=request.user)  # type: ignore[arg-type]
        messages.success(
            request, _("The simulator is being asked. An account it has lost is opened again.")
        )
        return HttpResponseRedirect(_account_page(account))
    if request.method == "POST" and _paid(request, account, form):
        return HttpResponseRedirect(request.path)
    balances = Balance.objects.filter(account=account).exclude(currency=Balance.TOTAL)
    return _show(
        model_admin,
        request,
        "purse",
        account=account,
        form=form,
        balances=balances.order_by("currency"),
    )


def reset_page(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """Say what a reset does, with numbers; after a recent password, do it."""
    account = _paper_account(model_admin, request, object_id)
    if not is_fresh(request):
        return redirect_to_step_up(request)
    form = ResetForm(request.POST or None, balances=account.paper_balances)
    if request.method == "POST" and form.is_valid():
        given: dict[str, Any] = {
            "account": account,
            "balances": form.balances(),
            "actor": request.user,
            "reason": form.cleaned_data["reason"].strip(),
        }
        if _tried(form, lambda: paper.reset(**given)):
            messages.success(request, _("The account begins again. Its figures follow at once."))
            return HttpResponseRedirect(_account_page(account))
    held = Position.objects.filter(account=account).exclude(quantity=0)
    waiting = Order.objects.filter(account=account).open()
    numbers = {"held": held.count(), "waiting": waiting.count()}
    return _show(model_admin, request, "reset", account=account, form=form, **numbers)


def _open(request: HttpRequest, customer: Customer, form: OpenForm) -> ExchangeAccount:
    return paper.open_paper_account(
        customer=customer,
        label=form.cleaned_data["label"],
        balances=form.balances(),
        position_mode=PositionMode(form.cleaned_data["position_mode"]),
        actor=request.user,  # type: ignore[arg-type]
    )


def _paid(request: HttpRequest, account: ExchangeAccount, form: PaymentForm) -> bool:
    if not form.is_valid():
        return False
    given = form.cleaned_data
    terms: dict[str, Any] = {
        "account": account,
        "actor": request.user,
        "currency": given["currency"],
        "amount": given["amount"],
    }
    if request.POST["do"] == "fund":
        act, said = paper.fund, _("Paid in: %(amount)s %(currency)s.")
    else:
        act, said = paper.withdraw, _("Taken out: %(amount)s %(currency)s.")
    if not _tried(form, lambda: act(**terms)):
        return False
    amount = figure(given["amount"])
    messages.success(request, said % {"amount": amount, "currency": given["currency"]})
    return True


def _tried(form: forms.Form, act: Callable[[], object]) -> bool:
    """Do it, or say in the form what was refused."""
    try:
        act()
    except ValidationError as refusal:
        for name, texts in getattr(refusal, "message_dict", {"": refusal.messages}).items():
            form.add_error(name if name in form.fields else None, texts)
        return False
    return True


def _paper_account(model_admin: Any, request: HttpRequest, object_id: int) -> ExchangeAccount:
    """An account of this desk that the platform opened; any other is as if it never was."""
    account: ExchangeAccount | None = model_admin.get_object(request, str(object_id))
    if account is None or not model_admin.has_view_permission(request, account):
        raise Http404
    if not account.is_paper:
        raise Http404
    _must_manage(request)
    return account


def _must_manage(request: HttpRequest) -> None:
    if not may(request, Ability.MANAGE_KEYS):
        raise PermissionDenied


def _currencies() -> list[str]:
    """What is traded at the simulator, as far as its instruments are known here."""
    rows = Instrument.objects.filter(market=Market.SIMULATOR)
    pairs = rows.values_list("base_currency", "settle_currency", "quote_currency")
    known = {currency for pair in pairs for currency in pair if currency}
    usual = [currency for currency in USUAL if currency in known or currency == "USDT"]
    return [*usual, *sorted(c for c in known - set(usual) if paper.CURRENCY.fullmatch(c))]


def _show(model_admin: Any, request: HttpRequest, page: str, **parts: Any) -> TemplateResponse:
    titles = {
        "open": _("New simulated account"),
        "purse": _("Simulated account"),
        "reset": _("Reset the simulated account"),
    }
    account = parts.get("account")
    badges: dict[str, Any] = {}
    if account is not None:
        badges = {"key_html": key_badge(account), "market_html": market_badge(account)}
    context = {
        **model_admin.admin_site.each_context(request),
        "title": titles[page],
        "opts": model_admin.opts,
        "configured": paper.is_configured(),
        **badges,
        **parts,
    }
    return TemplateResponse(request, f"admin/paper/{page}.html", context)


def _account_page(account: ExchangeAccount) -> str:
    return reverse("admin:customers_exchangeaccount_change", args=(account.pk,))


def _field(currency: str) -> str:
    return f"balance_{currency}"
