"""The small pages on which people ask something of an order or a protection, with a reason."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.roles import Ability, may
from trading.actions import ActionRefusedError, amend_order, cancel_order
from trading.enums import FINAL_STATES, RESTING_TYPES
from trading.models import Order, Position, Protection
from trading.protecting import cancel_protection, move_protection, protect_position

WAITS = _("It was asked. What becomes of it is shown here in a moment.")
REASON_LETTERS = 300
Words = tuple[Any, Any, Any]
Facts = tuple[tuple[Any, Decimal | None], ...]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("goes into the audit trail"),
        required=True,
        max_length=REASON_LETTERS,
    )


class AmendForm(ReasonForm):
    """What is left as it is stays."""

    quantity = forms.DecimalField(
        label=_("Quantity"), required=False, help_text=_("Less than now, more than has filled.")
    )
    price = forms.DecimalField(label=_("Price"), required=False)
    field_order = ("quantity", "price", "reason")


class ProtectionForm(ReasonForm):
    take_profit = forms.DecimalField(label=_("Take profit"), required=False)
    stop_loss = forms.DecimalField(label=_("Stop loss"), required=False)
    quantity = forms.DecimalField(
        label=_("Quantity"), required=False, help_text=_("Contracts. Empty: all that is held.")
    )
    field_order = ("take_profit", "stop_loss", "quantity", "reason")


class MoveForm(ProtectionForm):
    """What is empty stays as it is."""

    def __init__(self, *args: Any, protection: Protection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["quantity"].help_text = _("Empty: as it is.")
        for name in ("take_profit", "stop_loss"):
            if getattr(protection, name) is None:
                del self.fields[name]


def may_ask(request: HttpRequest, order: Order) -> bool:
    return may(request, Ability.OPERATE_ORDERS) and order.state not in FINAL_STATES


def order_page(model_admin: Any, request: HttpRequest, object_id: Any) -> HttpResponse:
    """Cancel an order, or change one that rests."""
    order = _row(model_admin, request, object_id)
    if request.GET.get("do") == "amend" and order.order_type in RESTING_TYPES:
        form: forms.Form = AmendForm(request.POST or None)
        ask: Callable[..., Any] = amend_order
        title, button = _("Change an order"), _("Change the order")
        warning = _("What fills before OKX hears of it stays filled.")
    else:
        form, ask = ReasonForm(request.POST or None), cancel_order
        title, button = _("Cancel an order"), _("Cancel the order")
        warning = _("What fills before OKX hears of it is filled, and stays in the position.")
    if _asked(request, form, lambda given: ask(order=order, actor=request.user, **given)):
        return _back("trading_order", order.pk)
    facts: Facts = (
        (_("Quantity"), order.quantity),
        (pgettext_lazy("quantity", "Filled"), order.filled_quantity),
        (_("Price"), order.price),
    )
    return _show(model_admin, request, form, order, (title, button, warning), facts)


def position_page(model_admin: Any, request: HttpRequest, object_id: Any) -> HttpResponse:
    """Place a take profit, a stop loss or both."""
    position: Position = _row(model_admin, request, object_id)
    form = ProtectionForm(request.POST or None)
    place = partial(protect_position, position=position, actor=request.user)  # type: ignore[arg-type]
    if _asked(request, form, lambda given: place(**given)):
        return _back("trading_position", position.pk)
    title, button = _("Protect a position"), _("Place it")
    warning = _("OKX itself watches the last price, and closes by market when it is reached.")
    facts: Facts = (
        (_("Quantity"), position.quantity),
        (_("Entry"), position.average_price),
        (_("Mark"), position.mark_price),
    )
    return _show(model_admin, request, form, position, (title, button, warning), facts)


def protection_page(model_admin: Any, request: HttpRequest, object_id: Any) -> HttpResponse:
    """Move a protection, or take it away."""
    kept: Protection = _row(model_admin, request, object_id)
    if request.GET.get("do") == "move":
        form: forms.Form = MoveForm(request.POST or None, protection=kept)
        ask: Callable[..., Any] = move_protection
        title, button = _("Move a protection"), _("Move it")
        warning = _("Until OKX has taken it over, the old price is in force.")
    else:
        form, ask = ReasonForm(request.POST or None), cancel_protection
        title, button = _("Take a protection away"), _("Take it away")
        warning = _("The position stays open, without it.")
    if _asked(request, form, lambda given: ask(protection=kept, actor=request.user, **given)):
        return _back("trading_protection", kept.pk)
    facts: Facts = (
        (_("Take profit"), kept.take_profit),
        (_("Stop loss"), kept.stop_loss),
        (_("Quantity"), kept.quantity),
    )
    return _show(model_admin, request, form, kept, (title, button, warning), facts)


def _row(model_admin: Any, request: HttpRequest, object_id: Any) -> Any:
    row = model_admin.get_object(request, str(object_id))
    if row is None or not model_admin.has_view_permission(request, row):
        raise Http404
    if not may(request, Ability.OPERATE_ORDERS):
        raise PermissionDenied
    return row


def _asked(request: HttpRequest, form: forms.Form, ask: Callable[[dict[str, Any]], Any]) -> bool:
    """Ask; what is refused is said beside its field, and nothing was done."""
    if request.method != "POST" or not form.is_valid():
        return False
    try:
        ask(form.cleaned_data)
    except ActionRefusedError as error:
        form.add_error(error.field if error.field in form.fields else None, error.reason)
        return False
    messages.success(request, WAITS)
    return True


def _back(model: str, pk: Any) -> HttpResponse:
    return HttpResponseRedirect(reverse(f"admin:{model}_change", args=(pk,)))


def _show(
    model_admin: Any, request: HttpRequest, form: forms.Form, row: Any, words: Words, facts: Facts
) -> HttpResponse:
    title, button, warning = words
    name = f"admin:trading_{model_admin.opts.model_name}_change"
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "form": form,
        "row": row,
        "facts": facts,
        "button": button,
        "warning": warning,
        "back": reverse(name, args=(row.pk,)),
    }
    return TemplateResponse(request, "admin/trading/ask.html", context)
