"""Loss limits, how far each is used, and the thresholds of the margin watch."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin_base import RecordAdmin
from accounts.admin_services import PasswordAdminMixin, ServiceAdmin, ServiceForm
from accounts.display import badge, list_of, moment, num, percent, share, two, two_figures
from accounts.roles import Ability, may
from accounts.stepup import require_fresh
from trading.admin.states import whose
from trading.enums import LossScope
from trading.models import LossLimit, LossState, MarginThreshold
from trading.stops.rules import set_loss_limit, set_margin_threshold

NEAR = 0.8


class ReasonForm(ServiceForm):
    """What allows more than before needs one."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Needed to allow more than before; the diary keeps it."),
    )


class LossLimitForm(ReasonForm):
    class Meta:
        model = LossLimit
        fields = (
            "scope", "customer", "account", "strategy", "subscription", "period", "clock",
            "measure", "max_absolute", "max_relative", "starts_at", "action", "close_positions",
            "is_active",
        )  # fmt: skip


@admin.register(LossLimit)
class LossLimitAdmin(PasswordAdminMixin, ServiceAdmin):
    change_ability = Ability.CHANGE_LIMITS
    form = LossLimitForm
    allowed_lookups = ("account", "subscription")

    list_display = (
        "target", "what", "bound", "then", "is_active", "standing", "changed",
    )  # fmt: skip
    list_filter = ("scope", "period", "measure", "is_active")
    list_select_related = (
        "strategy", "customer", "account__customer", "subscription__account__customer",
        "subscription__strategy", "changed_by", "tenant",
    )  # fmt: skip
    search_fields = ("strategy__name", "customer__name", "account__customer__name")
    ordering = ("scope", "period", "pk")
    autocomplete_fields = ("strategy", "customer", "account", "subscription")
    fieldsets = (
        (
            _("Applies to"),
            {
                "description": _("Beside the scope, fill in only what it names."),
                "fields": ("scope", "customer", "account", "strategy", "subscription"),
            },
        ),
        (_("Counts"), {"fields": (("measure", "period", "clock"), "starts_at")}),
        (_("At most"), {"fields": (("max_absolute", "max_relative"),)}),
        (_("When it is reached"), {"fields": ("action", "close_positions")}),
        (None, {"fields": ("is_active", "reason")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Another scope, period or measure would be another limit."""
        fixed = (
            "scope", "customer", "account", "strategy", "subscription", "measure", "period",
            "clock",
        )  # fmt: skip
        return fixed if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        set_loss_limit(
            obj,
            actor=request.user,  # type: ignore[arg-type]
            reason=form.cleaned_data.get("reason", ""),
            may_loosen=may(request, Ability.LOOSEN_SWITCH),
            on_loosening=partial(require_fresh, request),
        )

    @admin.display(description=_("applies to"), ordering="scope")
    def target(self, row: LossLimit) -> Any:
        if row.scope == LossScope.TENANT:
            return row.tenant
        return getattr(row, row.scope)

    @admin.display(description=_("counted"), ordering="measure")
    def what(self, row: LossLimit) -> str:
        """And for how long."""
        return two(row.get_measure_display(), row.get_period_display())

    @admin.display(description=_("at most"))
    def bound(self, row: LossLimit) -> str:
        """An amount, a part of the equity, or the smaller of both."""
        amount = num(row.max_absolute, 2, unit="USDT")
        if row.max_relative is None:
            return amount
        part = _("%(share)s of the equity") % {"share": percent(row.max_relative)}
        if row.max_absolute is None:
            return format_html('<span class="cd num-col">{}</span>', part)
        return two_figures(amount, part)

    @admin.display(description=_("then"), ordering="action")
    def then(self, row: LossLimit) -> str:
        closes = _("and closes positions at the market") if row.close_positions else ""
        return two(row.get_action_display(), closes)

    @admin.display(description=pgettext_lazy("loss limit", "used"))
    def standing(self, row: LossLimit) -> str:
        return list_of("trading_lossstate", f"limit={row.pk}", _("Show"))

    @admin.display(description=_("changed"), ordering="changed_at")
    def changed(self, row: LossLimit) -> str:
        return moment(row.changed_at)


@admin.register(LossState)
class LossStateAdmin(RecordAdmin):
    allowed_lookups = ("limit", "account", "subscription")

    list_display = (
        "limit_shown", "customer", "following", "used_shown", "lost", "since_shown", "paid_in",
        "reached", "measured",
    )  # fmt: skip
    list_filter = (("breached_at", admin.EmptyFieldListFilter), "limit")
    list_select_related = (
        "account__customer", "limit", "subscription__strategy", "subscription__account__customer",
    )  # fmt: skip
    search_fields = ("account__customer__name", "account__label")
    ordering = ("-used", "pk")
    list_per_page = 50

    @admin.display(description=_("limit"), ordering="limit")
    def limit_shown(self, row: LossState) -> str:
        return two(row.limit.get_period_display(), row.limit.get_measure_display())

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: LossState) -> str:
        return whose(row.account)

    @admin.display(description=_("subscription"))
    def following(self, row: LossState) -> str:
        return str(row.subscription.strategy) if row.subscription else str(_("Whole account"))

    @admin.display(description=pgettext_lazy("loss limit", "used"), ordering="used")
    def used_shown(self, row: LossState) -> str:
        told = percent(row.used, 0)
        if row.breached_at is not None:
            return badge("danger", "block", told)
        return badge("warn", "warning", told) if row.used >= NEAR else badge("ok", "check", told)

    @admin.display(description=_("lost"))
    def lost(self, row: LossState) -> str:
        return num(row.loss, 2, unit="USDT")

    @admin.display(description=_("counted since"), ordering="since")
    def since_shown(self, row: LossState) -> str:
        """With the equity of then."""
        equity = num(row.base, 2, unit="USDT", why=str(_("Equity is not known")))
        return two_figures(moment(row.since), equity)

    @admin.display(description=_("paid in"))
    def paid_in(self, row: LossState) -> str:
        return num(row.paid, 2, unit="USDT", sign=True)

    @admin.display(description=_("reached"), ordering="breached_at")
    def reached(self, row: LossState) -> str:
        return moment(row.breached_at)

    @admin.display(description=_("measured"), ordering="measured_at")
    def measured(self, row: LossState) -> str:
        return moment(row.measured_at)


class MarginThresholdForm(ReasonForm):
    class Meta:
        model = MarginThreshold
        fields = ("level", "ratio", "distance")


@admin.register(MarginThreshold)
class MarginThresholdAdmin(PasswordAdminMixin, ServiceAdmin):
    """A desk's own; what is not listed is the installation's."""

    change_ability = Ability.CHANGE_LIMITS
    form = MarginThresholdForm

    list_display = ("level", "ratio_shown", "away", "changed")
    ordering = ("pk",)
    fieldsets = ((None, {"fields": ("level", ("ratio", "distance"), "reason")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("level",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        set_margin_threshold(
            obj,
            actor=request.user,  # type: ignore[arg-type]
            reason=form.cleaned_data.get("reason", ""),
            may_loosen=may(request, Ability.LOOSEN_SWITCH),
            on_loosening=partial(require_fresh, request),
        )

    @admin.display(description=_("margin ratio"))
    def ratio_shown(self, row: MarginThreshold) -> str:
        return share(row.ratio, 0, why=str(_("Does not count")))

    @admin.display(description=_("distance to liquidation"))
    def away(self, row: MarginThreshold) -> str:
        return share(row.distance, 1, why=str(_("Does not count")))

    @admin.display(description=_("changed"), ordering="changed_at")
    def changed(self, row: MarginThreshold) -> str:
        return moment(row.changed_at)
