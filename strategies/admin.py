"""Strategies and subscriptions in the back office."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import TenantInline, TenantModelAdmin
from accounts.admin_services import confirm, confirmed
from accounts.display import badge, figure, link_to, list_of, num, two
from accounts.roles import Ability
from customers.admin import apply_to_rows
from strategies import services
from strategies.admin_lifecycle import EndingFilter, LifecycleActions, state_of, with_held
from strategies.enums import SizingMode, StrategyStatus, SubscriptionStatus
from strategies.forms import SourceFormSet, StrategyForm, SubscriptionForm
from strategies.models import Strategy, StrategySource, Subscription

PROTECTION_FIELDS = (
    ("take_profit_ratio", "stop_loss_ratio", "protection_basis"),
    "mirror_protection",
)
AMOUNT_FIELDS = (
    ("follow_ratio", "equity_multiplier", "fixed_notional", "fixed_margin"),
    ("fixed_quantity", "available_ratio", "risk_ratio"),
)
_M = SizingMode
_SIZED_BY: dict[SizingMode, tuple[str, str, Any]] = {
    _M.FIXED_RATIO: ("follow_ratio", "×", ""),
    _M.EQUITY_PROPORTIONAL: ("equity_multiplier", "×", _("of equity")),
    _M.MARGIN_PROPORTIONAL: ("", "", _("As the leader's margin")),
    _M.FIXED_NOTIONAL: ("fixed_notional", "USDT", ""),
    _M.FIXED_MARGIN: ("fixed_margin", "USDT", _("margin")),
    _M.FIXED_QTY: ("fixed_quantity", "", _("contracts")),
    _M.PCT_AVAILABLE: ("available_ratio", "×", _("of what is available")),
    _M.FIXED_RISK: ("risk_ratio", "×", _("at risk")),
}
_STATES = {
    "active": ("ok", "play_arrow"),
    "paused": ("warn", "pause"),
    "archived": ("idle", "inventory_2"),
}


def sized_by(row: Strategy) -> str:
    """The number that the sizing of a strategy goes by, and what it is a number of."""
    name, unit, words = _SIZED_BY[SizingMode(row.sizing_mode)]
    if not name:
        return str(words)
    number = num(getattr(row, name), unit=unit)
    return two(number, words) if words else number


def state_badge(row: Strategy) -> str:
    kind, icon = _STATES[row.status]
    return badge(kind, icon, row.get_status_display())


class SourceInline(TenantInline):
    model = StrategySource
    formset = SourceFormSet
    change_ability = Ability.MANAGE_STRATEGIES
    verbose_name_plural = _("listens to")
    extra = 1
    can_delete = True
    show_change_link = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)


@admin.register(Strategy)
class StrategyAdmin(TenantModelAdmin):
    change_ability = Ability.MANAGE_STRATEGIES
    compressed_fields = False
    allowed_lookups = ("sources",)
    form = StrategyForm

    list_display = (
        "name", "state", "sizing", "leverage_cap", "listens", "followers", "traded", "age_limit",
    )  # fmt: skip
    list_filter = ("status", "sizing_mode", "margin_mode", "open_orders")
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", ("max_age_seconds", "refuse_repeats", "reverse"))}),
        (
            _("Instruments"),
            {"fields": (("instruments", "denied_instruments"), "instrument_terms")},
        ),
        (
            _("Sizing"),
            {
                "description": _(
                    "How large an opening is. Afterwards each follower keeps its share of the "
                    "leader's position. Of the amounts, only that of the chosen sizing counts."
                ),
                "fields": (("sizing_mode", "per_signal"), *AMOUNT_FIELDS),
            },
        ),
        (
            _("Bounds"),
            {
                "fields": (
                    ("allocated_capital", "max_account_leverage"),
                    ("min_size_policy", "round_up_floor", "over_max_policy"),
                )
            },
        ),
        (
            _("Margin and leverage"),
            {"fields": (("margin_mode", "leverage_mode", "leverage", "max_leverage"),)},
        ),
        (_("Prices"), {"fields": (("open_orders", "max_slippage", "flip_policy"),)}),
        (
            _("Limit copying"),
            {
                "description": _(
                    "Only where openings are sent so: they wait at a discount to the leader's "
                    "price, and are canceled when the leader closes."
                ),
                "fields": (
                    ("discount_min", "discount_max"),
                    ("rungs", "max_orders"),
                    ("ttl_hours", "post_only"),
                ),
            },
        ),
        (_("Take profit and stop loss"), {"fields": PROTECTION_FIELDS}),
    )
    inlines = (SourceInline,)
    actions = ("activate", "pause", "archive")

    def get_queryset(self, request: HttpRequest) -> Any:
        active = Q(subscriptions__status=SubscriptionStatus.ACTIVE)
        return (
            super()
            .get_queryset(request)
            .annotate(
                source_count=Count("source_links", distinct=True),
                follower_count=Count("subscriptions", filter=active, distinct=True),
            )
        )

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Strategy) -> str:
        return state_badge(row)

    @admin.display(description=_("sizing"))
    def sizing(self, row: Strategy) -> str:
        return sized_by(row)

    @admin.display(description=_("leverage"), ordering="max_leverage")
    def leverage_cap(self, row: Strategy) -> str:
        return num(row.max_leverage, unit="×")

    @admin.display(description=_("sources"), ordering="source_count")
    def listens(self, row: Any) -> str:
        return num(row.source_count)

    @admin.display(description=_("followers"), ordering="follower_count")
    def followers(self, row: Any) -> str:
        query = f"strategy__id__exact={row.pk}"
        return list_of("strategies_subscription", query, figure(row.follower_count))

    @admin.display(description=_("instruments"))
    def traded(self, row: Strategy) -> str:
        shown = ", ".join(row.instruments[:2]) or str(_("All"))
        return f"{shown} …" if len(row.instruments) > 2 else shown  # noqa: PLR2004 - fits a column

    @admin.display(description=_("opens expire"))
    def age_limit(self, row: Strategy) -> str:
        return num(row.max_age_seconds, unit="s")

    @admin.action(description=_("Activate"), permissions=["manage_strategies"])
    def activate(self, request: HttpRequest, queryset: Any) -> Any:
        return self._set(request, queryset, StrategyStatus.ACTIVE)

    @admin.action(description=_("Pause"), permissions=["manage_strategies"])
    def pause(self, request: HttpRequest, queryset: Any) -> Any:
        return self._set(request, queryset, StrategyStatus.PAUSED)

    @admin.action(description=_("Archive"), permissions=["manage_strategies"])
    def archive(self, request: HttpRequest, queryset: Any) -> Any:
        return self._set(request, queryset, StrategyStatus.ARCHIVED)

    def _set(self, request: HttpRequest, queryset: Any, status: StrategyStatus) -> Any:
        queryset = Strategy.objects.filter(pk__in=queryset.order_by().values("pk"))
        reason = confirmed(request)
        if reason is None:
            title = _("Set %(count)d strategies to %(verb)s") % {
                "count": queryset.count(),
                "verb": str(status.label).lower(),
            }
            text = _CONSEQUENCES[status.value]
            return confirm(self, request, queryset, title=title, consequences=[text], button=title)
        terms: Any = {"status": status, "actor": request.user, "reason": reason}
        run = partial(services.set_strategy_status, **terms)
        return apply_to_rows(self, request, queryset, lambda row: run(strategy=row))


@admin.register(StrategySource)
class StrategySourceAdmin(TenantModelAdmin):
    """Edited inside the strategy; here only to be looked up."""

    list_display = ("strategy", "source")
    list_select_related = ("strategy", "source")
    ordering = ("strategy__name",)


@admin.register(Subscription)
class SubscriptionAdmin(LifecycleActions, TenantModelAdmin):
    change_ability = Ability.MANAGE_STRATEGIES
    compressed_fields = False
    form = SubscriptionForm
    allowed_lookups = ("strategy", "account", "account__customer")

    list_display = (
        "customer",
        "strategy_link",
        "state",
        "ratio",
        "amount",
        "leverage_cap",
        "orders",
    )
    list_filter = ("status", EndingFilter, "strategy")
    list_select_related = ("strategy", "account__customer")
    search_fields = ("account__customer__name", "account__label", "strategy__name")
    search_help_text = _("Customer, account or strategy")
    ordering = ("strategy__name", "account__customer__name")
    list_per_page = 50
    autocomplete_fields = ("strategy", "account")
    fieldsets = (
        (None, {"fields": (("strategy", "account"), ("copy_existing", "state"))}),
        (
            _("Instead of the strategy's terms"),
            {
                "description": _("What is empty is the strategy's."),
                "fields": (
                    ("sizing_mode", "reverse", "max_slippage"),
                    *AMOUNT_FIELDS,
                    ("min_size_policy", "over_max_policy"),
                    ("margin_mode", "leverage_mode", "leverage"),
                ),
            },
        ),
        (
            _("Limits besides the strategy's"),
            {"fields": (("allocated_capital", "max_account_leverage", "max_leverage"),)},
        ),
        (_("Instruments"), {"fields": ("denied_instruments", "instrument_terms")}),
        (
            _("Take profit and stop loss"),
            {"description": _("What is empty is the strategy's."), "fields": PROTECTION_FIELDS},
        ),
    )
    actions = ("resume", "pause", "close_only", "stop", "stop_and_close", "stop_and_leave")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("strategy", "account__customer")
        return with_held(rows)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("strategy", "account", "copy_existing", "state") if obj else ("state",)

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: Subscription) -> str:
        return two(row.account.customer.name, row.account.label)

    @admin.display(description=_("strategy"), ordering="strategy__name")
    def strategy_link(self, row: Subscription) -> str:
        return link_to("strategies_strategy", row.strategy_id, row.strategy)

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Subscription) -> str:
        return state_of(row)

    @admin.display(description=_("ratio"))
    def ratio(self, row: Subscription) -> str:
        return num(row.follow_ratio, unit="×", why=str(_("The strategy's")))

    @admin.display(description=_("notional"))
    def amount(self, row: Subscription) -> str:
        return num(row.fixed_notional, 2, unit="USDT", why=str(_("The strategy's")))

    @admin.display(description=_("leverage"), ordering="max_leverage")
    def leverage_cap(self, row: Subscription) -> str:
        return num(row.max_leverage, unit="×", why=str(_("The strategy's")))

    @admin.display(description=_("orders"))
    def orders(self, row: Subscription) -> str:
        return list_of("trading_order", f"subscription={row.pk}", _("Orders"))


_CONSEQUENCES = {
    "active": _("Signals are copied again from now on."),
    "paused": _("Nothing new is opened. What is held is closed with the leader."),
    "archived": _("Nobody follows it any more: its subscriptions are stopped."),
}
