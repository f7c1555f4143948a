"""Loss limits, how far each is used, and the thresholds of the margin watch."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin_base import RecordAdmin
from accounts.admin_services import ServiceAdmin, ServiceForm
from accounts.display import badge, list_of, moment, num, two
from accounts.roles import Ability, may
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
class LossLimitAdmin(ServiceAdmin):
    change_ability = Ability.CHANGE_LIMITS
    form = LossLimitForm
    allowed_lookups = ("account", "subscription")

    list_display = (
        "target", "what", "period", "bound", "part", "action", "close_positions", "is_active",
        "standing", "changed",
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
        )

    @admin.display(description=_("applies to"), ordering="scope")
    def target(self, row: LossLimit) -> Any:
        if row.scope == LossScope.TENANT:
            return row.tenant
        return getattr(row, row.scope)

    @admin.display(description=_("counted"), ordering="measure")
    def what(self, row: LossLimit) -> str:
        return str(row.get_measure_display())

    @admin.display(description=_("at most"))
    def bound(self, row: LossLimit) -> str:
        return num(row.max_absolute, 2, unit="USDT", why=str(_("Only a part of the equity")))

    @admin.display(description=_("of the equity"))
    def part(self, row: LossLimit) -> str:
        share = None if row.max_relative is None else row.max_relative * 100
        return num(share, unit="%", why=str(_("Only an amount")))

    @admin.display(description=_("used"))
    def standing(self, row: LossLimit) -> str:
        return list_of("trading_lossstate", f"limit={row.pk}", _("Show"))

    @admin.display(description=_("changed"), ordering="changed_at")
    def changed(self, row: LossLimit) -> str:
        return moment(row.changed_at)


@admin.register(LossState)
class LossStateAdmin(RecordAdmin):
    allowed_lookups = ("limit", "account", "subscription")

    list_display = (
        "limit_shown", "customer", "following", "used_shown", "lost", "since_shown", "worth",
        "paid_in", "reached", "measured",
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

    @admin.display(description=_("used"), ordering="used")
    def used_shown(self, row: LossState) -> str:
        share = f"{row.used * 100:.0f} %"
        if row.breached_at is not None:
            return badge("danger", "block", share)
        return badge("warn", "warning", share) if row.used >= NEAR else badge("ok", "check", share)

    @admin.display(description=_("lost"))
    def lost(self, row: LossState) -> str:
        return num(row.loss, 2, unit="USDT")

    @admin.display(description=_("counted since"), ordering="since")
    def since_shown(self, row: LossState) -> str:
        return moment(row.since)

    @admin.display(description=_("equity at the beginning"))
    def worth(self, row: LossState) -> str:
        return num(row.base, 2)

    @admin.display(description=_("paid in"))
    def paid_in(self, row: LossState) -> str:
        return num(row.paid, 2, sign=True)

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
class MarginThresholdAdmin(ServiceAdmin):
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
        )

    @admin.display(description=_("margin ratio"))
    def ratio_shown(self, row: MarginThreshold) -> str:
        return num(row.ratio, why=str(_("Does not count")))

    @admin.display(description=_("distance to liquidation"))
    def away(self, row: MarginThreshold) -> str:
        share = None if row.distance is None else row.distance * 100
        return num(share, unit="%", why=str(_("Does not count")))

    @admin.display(description=_("changed"), ordering="changed_at")
    def changed(self, row: MarginThreshold) -> str:
        return moment(row.changed_at)
