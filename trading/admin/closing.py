"""Close all positions, cancel all orders: of an account, a customer or a strategy.

The page lists what will happen before it does, and wants a reason and a recent password.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.roles import Ability, may
from accounts.stepup import is_fresh, redirect_to_step_up
from customers.models import Customer, ExchangeAccount
from strategies.models import Strategy, Subscription
from trading.admin.asking import REASON_LETTERS
from trading.admin.states import order_badge, side_mark, whose
from trading.execution.by_staff import cancel_all, cancelable, closable, close_position

MOST: Final = 500


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("goes into the audit trail"),
        max_length=REASON_LETTERS,
    )
    once = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class Chosen:
    """The accounts that a page is about, and what to call them."""

    def __init__(self, request: HttpRequest) -> None:
        self.subscription_ids: list[int] | None = None
        given = request.GET
        accounts = ExchangeAccount.objects.select_related("customer", "tenant")
        if name := given.get("account"):
            account = accounts.filter(pk=_number(name)).first()
            self.name, self.accounts = str(account), [account] if account else []
        elif name := given.get("customer"):
            customer = Customer.objects.filter(pk=_number(name)).first()
            self.name = str(customer)
            self.accounts = list(accounts.filter(customer=customer).order_by("pk"))
        elif name := given.get("strategy"):
            strategy = Strategy.objects.filter(pk=_number(name)).first()
            links = Subscription.objects.filter(strategy=strategy)
            self.name = str(strategy)
            self.subscription_ids = list(links.values_list("pk", flat=True))
            ids = links.values("account_id")
            self.accounts = list(accounts.filter(pk__in=ids).order_by("pk"))
        else:
            self.name, self.accounts = "", []
        if not self.accounts:
            raise Http404


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 - a bigint
        raise Http404
    return int(text)


def close_page(request: HttpRequest) -> HttpResponse:
    """Close what our orders hold: one line for each position that would be closed."""
    if not may(request, Ability.TRADE_MANUALLY):
        raise PermissionDenied
    chosen = Chosen(request)
    only = request.GET.get("inst_id", ""), request.GET.get("side", "")
    found = [
        each
        for each in closable(chosen.accounts, subscription_ids=chosen.subscription_ids)[:MOST]
        if not only[0] or (each.one.inst_id, each.one.position_side) == only
    ]
    form = ReasonForm(request.POST or None)
    if request.method == "POST":
        if not is_fresh(request):
            return redirect_to_step_up(request)
        if form.is_valid():
            _close(request, found, form)
            return HttpResponseRedirect(reverse("admin:beside"))
    rows = [
        {
            "inst_id": each.one.inst_id,
            "whose": whose(each.account),
            "side": side_mark(each.direction),
            "quantity": each.quantity,
            "theirs": each.theirs,
        }
        for each in found
    ]
    words = {
        "title": _("Close positions"),
        "button": _("Close them at the market"),
        "nothing": _("Our orders hold nothing here."),
        "consequences": [
            _("Each is closed at the market, and its following ends: what the leader does next "
              "with that position is not followed."),
            _("What a customer holds beside it stays. To close everything, whoever opened it, "
              "flatten the account on the page of the trading switch."),
        ],
    }  # fmt: skip
    return _show(request, chosen, form, rows, words)


def cancel_page(request: HttpRequest) -> HttpResponse:
    """Cancel every order of ours that waits."""
    if not may(request, Ability.OPERATE_ORDERS):
        raise PermissionDenied
    chosen = Chosen(request)
    form = ReasonForm(request.POST or None)
    if request.method == "POST":
        if not is_fresh(request):
            return redirect_to_step_up(request)
        if form.is_valid():
            _cancel(request, chosen, form.cleaned_data["reason"])
            return HttpResponseRedirect(reverse("admin:trading_order_changelist"))
    rows = [
        {
            "inst_id": order.inst_id,
            "whose": whose(account),
            "side": side_mark(order.side, order.position_side),
            "quantity": order.quantity,
            "state": order_badge(order.state),
        }
        for account in chosen.accounts
        for order in cancelable(account)
    ][:MOST]
    words = {
        "title": _("Cancel orders"),
        "button": _("Cancel the orders"),
        "nothing": _("No order of ours waits here."),
        "consequences": [
            _("What fills before OKX hears of it is filled."),
            _("Orders that are not ours are not touched."),
        ],
    }
    return _show(request, chosen, form, rows, words)


def _close(request: HttpRequest, found: list[Any], form: ReasonForm) -> None:
    closed = 0
    for each in found:
        ids = close_position(
            account=each.account,
            inst_id=each.one.inst_id,
            position_side=each.one.position_side,
            once=form.cleaned_data["once"].hex,
            reason=form.cleaned_data["reason"],
            actor=request.user,  # type: ignore[arg-type]
        )
        closed += bool(ids)
    told = ngettext("%(n)d position is being closed.", "%(n)d positions are being closed.", closed)
    level = messages.SUCCESS if closed else messages.INFO
    messages.add_message(request, level, told % {"n": closed})


def _cancel(request: HttpRequest, chosen: Chosen, reason: str) -> None:
    asked, refused = 0, list[str]()
    for account in chosen.accounts:
        some, why = cancel_all(account=account, reason=reason, actor=request.user)  # type: ignore[arg-type]
        asked, refused = asked + some, refused + why
    told = ngettext("%(count)d cancel asked.", "%(count)d cancels asked.", asked)
    level = messages.SUCCESS if asked else messages.INFO
    messages.add_message(request, level, told % {"count": asked})
    for words in sorted(set(refused)):
        messages.warning(request, f"{refused.count(words)}: {words}")


def _show(
    request: HttpRequest, chosen: Chosen, form: ReasonForm, rows: list[Any], words: dict[str, Any]
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        **words,
        "name": chosen.name,
        "form": form,
        "rows": rows,
        "back": reverse("admin:beside"),
    }
    return TemplateResponse(request, "admin/trading/close_all.html", context)
