"""Followings and their shadows, compared on pages; and how a shadow is opened."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.roles import Ability, may
from strategies.admin_lifecycle import state_of
from strategies.enums import SubscriptionStatus
from strategies.models import Subscription
from trading.admin.states import decision_badge, reason_words
from trading.paper import is_configured
from trading.paper.shadows import open_shadow
from trading.performance.shadows import compare


class ShadowForm(forms.Form):
    subscription = forms.ModelChoiceField(
        label=gettext_lazy("Subscription"), queryset=Subscription.objects.none()
    )
    balance = forms.DecimalField(
        label=gettext_lazy("Play money"),
        required=False,
        min_value=1,
        max_digits=14,
        decimal_places=2,
        help_text=gettext_lazy("USDT. Empty: as much as the account is worth."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("goes into the audit trail"),
        required=False,
        max_length=300,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["subscription"]
        field.queryset = (
            Subscription.objects.filter(is_shadow=False)
            .exclude(status=SubscriptionStatus.STOPPED)
            .select_related("strategy", "account__customer")
        )


def list_page(request: HttpRequest) -> HttpResponse:
    """Every shadow beside its live one, and a form that opens another."""
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    form = ShadowForm(request.POST or None)
    if request.method == "POST":
        if not may(request, Ability.MANAGE_STRATEGIES):
            raise PermissionDenied
        if opened := _opened(request, form):
            return HttpResponseRedirect(
                reverse("admin:strategies_subscription_shadow", args=(opened.pk,))
            )
    rows = (
        Subscription.objects.filter(is_shadow=True)
        .select_related("strategy", "account", "shadow_of__account__customer")
        .order_by("status", "strategy__name", "pk")
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Shadows"),
        "form": form,
        "rows": [(row, state_of(row), state_of(row.shadow_of)) for row in rows[:200]],
        "may_open": may(request, Ability.MANAGE_STRATEGIES) and is_configured(),
    }
    return TemplateResponse(request, "admin/shadows.html", context)


def compare_page(request: HttpRequest, object_id: int) -> HttpResponse:
    """One shadow: signal by signal what each decided and what came of it."""
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    shadow = (
        Subscription.objects.filter(pk=object_id, is_shadow=True)
        .select_related("strategy", "account", "shadow_of__account__customer")
        .first()
    )
    if shadow is None:
        raise Http404
    found = compare(shadow)
    context = {
        **admin.site.each_context(request),
        "title": _("Live and shadow"),
        "shadow": shadow,
        "live": shadow.shadow_of,
        "badges": (state_of(shadow.shadow_of), state_of(shadow)),
        "found": found,
        "rows": [(row, _sides(row)) for row in found.rows],
    }
    return TemplateResponse(request, "admin/shadow.html", context)


def _opened(request: HttpRequest, form: ShadowForm) -> Subscription | None:
    if not form.is_valid():
        return None
    given = form.cleaned_data
    try:
        shadow = open_shadow(actor=request.user, **given)  # type: ignore[arg-type]
    except ValidationError as refusal:
        for name, errors in getattr(refusal, "error_dict", {None: refusal}).items():
            form.add_error(name if name in form.fields else None, errors)
        return None
    messages.success(request, _("The shadow follows as soon as its key is checked."))
    return shadow


def _sides(row: Any) -> list[tuple[Any, Any, Any]]:
    return [
        (
            side,
            decision_badge(side.outcome, side.reason) if side.outcome else "",
            reason_words(side.reason),
        )
        for side in (row.live, row.shadow)
    ]
