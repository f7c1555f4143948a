"""Positions, balances and the equity they add up to."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Subquery
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.admin_base import RecordAdmin
from accounts.display import badge, link_to, moment, num, percent, two, two_figures, when
from accounts.roles import Ability, may
from trading.admin.asking import position_page
from trading.admin.states import side_mark, whose
from trading.enums import MarginLevel
from trading.models import Balance, EquitySnapshot, Instrument, Position, Protection
from trading.stops.margin import nearness

MARGIN_BADGES = {
    MarginLevel.WARN: ("warn", "warning"),
    MarginLevel.CRITICAL: ("danger", "crisis_alert"),
}


class HeldFilter(admin.SimpleListFilter):
    """Open positions unless all are asked for."""

    title = _("held")
    parameter_name = "held"

    def lookups(self, request, model_admin):  # type: ignore[no-untyped-def]
        return [("open", pgettext_lazy("positions", "Open")), ("flat", _("Flat"))]

    def queryset(self, request, queryset):  # type: ignore[no-untyped-def]
        match self.value():
            case "open":
                return queryset.exclude(quantity=0)
            case "flat":
                return queryset.filter(quantity=0)
        return queryset


class MarginFilter(admin.SimpleListFilter):
    """Positions of which people were told that their margin is low."""

    title = _("margin")
    parameter_name = "margin"

    def lookups(self, request, model_admin):  # type: ignore[no-untyped-def]
        return [("low", pgettext_lazy("margin", "Low")), ("critical", MarginLevel.CRITICAL.label)]

    def queryset(self, request, queryset):  # type: ignore[no-untyped-def]
        match self.value():
            case "low":
                return queryset.filter(margin_watch__level__in=tuple(MARGIN_BADGES))
            case "critical":
                return queryset.filter(margin_watch__level=MarginLevel.CRITICAL)
        return queryset


class EndingFilter(admin.SimpleListFilter):
    """Positions in instruments that the exchange has announced to end, or does not trade."""

    title = _("instrument")
    parameter_name = "instrument_state"

    def lookups(self, request, model_admin):  # type: ignore[no-untyped-def]
        return [("ending", _("Delisted soon")), ("suspended", _("Not trading"))]

    def queryset(self, request, queryset):  # type: ignore[no-untyped-def]
        match self.value():
            case "ending":
                return queryset.filter(Exists(_instruments().filter(expires_at__isnull=False)))
            case "suspended":
                return queryset.filter(Exists(_instruments().exclude(state="live")))
        return queryset


def _instruments() -> Any:
    """The instrument of each position, in its account's market."""
    return Instrument.objects.filter(
        market=OuterRef("account__market"), inst_id=OuterRef("inst_id")
    )


def _side(row: Position) -> str:
    if row.position_side == "net":
        return side_mark("short" if row.quantity < 0 else "long")
    return side_mark(row.position_side)


@admin.register(Position)
class PositionAdmin(RecordAdmin):
    live_streams = "positions"
    allowed_lookups = ("account", "account__customer", "inst_id")

    list_display = (
        "instrument", "side_shown", "held", "prices", "pnl", "liquidation", "margin", "customer",
        "changed",
    )  # fmt: skip
    list_filter = (HeldFilter, MarginFilter, EndingFilter, "position_side", "margin_mode")
    list_select_related = ("account__customer", "margin_watch")
    search_fields = ("inst_id", "account__customer__name", "account__label")
    search_help_text = _("Instrument, customer or account")
    ordering = ("inst_id", "account")
    list_per_page = 50
    readonly_fields = ("customer",)
    exclude = ("account",)

    def get_queryset(self, request: HttpRequest) -> Any:
        ends = _instruments().values("expires_at")[:1]
        return super().get_queryset(request).annotate(ends_at=Subquery(ends))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(position_page, self))
        place = path("<int:object_id>/protect/", view, name="trading_position_protect")
        return [place, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        position = kwargs.get("obj") or args[-1]
        kept = Protection.objects.filter(
            account=position.account,
            inst_id=position.inst_id,
            position_side=position.position_side,
        )
        context |= {
            "has_story": True,
            "position": position,
            "side_html": _side(position),
            "away": nearness(position, None).distance,
            "margin_mode": position.get_margin_mode_display(),
            "protections": list(kept.order_by("-created_at")[:20]),
            "may_ask": bool(position.quantity) and may(request, Ability.OPERATE_ORDERS),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("instrument"), ordering="inst_id")
    def instrument(self, row: Any) -> str:
        shown = two(row.inst_id, row.get_margin_mode_display())
        if row.ends_at is None:
            return shown
        ends = _("Delisted %(when)s") % {"when": when(row.ends_at)}
        return format_html("{}{}", shown, badge("warn", "event_busy", ends))

    @admin.display(description=_("side"))
    def side_shown(self, row: Position) -> str:
        """With its leverage."""
        lever = num(row.leverage, unit="×", why=str(_("Not told by the exchange yet")))
        return two(_side(row), lever)

    @admin.display(description=_("contracts"), ordering="quantity")
    def held(self, row: Position) -> str:
        """And what they are worth."""
        worth = num(row.notional, 2, unit="USDT", why=str(_("Not told by the exchange yet")))
        return two_figures(num(row.quantity), worth)

    @admin.display(description=_("entry, mark"))
    def prices(self, row: Position) -> str:
        return two_figures(
            num(row.average_price, why=str(_("No position"))),
            num(row.mark_price, why=str(_("Not told by the exchange yet"))),
        )

    @admin.display(description=_("unrealized PnL"))
    def pnl(self, row: Position) -> str:
        return num(row.unrealized_pnl, 2, sign=True)

    @admin.display(description=_("liquidation"))
    def liquidation(self, row: Position) -> str:
        """And how far the mark is from it."""
        if row.liquidation_price is None:
            return num(None, why=str(_("None at this size")))
        distance = nearness(row, None).distance
        away = "" if distance is None else _("%(share)s away") % {"share": percent(distance, 1)}
        return two_figures(num(row.liquidation_price), away)

    @admin.display(description=_("margin ratio"))
    def margin(self, row: Position) -> str:
        """As OKX counts it: at 100 % it liquidates."""
        if row.margin_ratio is None or not row.quantity:
            return num(None, why=str(_("None at this size")))
        told = percent(row.margin_ratio, 0)
        watch = getattr(row, "margin_watch", None)
        kind = MARGIN_BADGES.get(watch.level) if watch else None
        shown = badge(*kind, told) if kind else told
        return format_html('<span class="cd num-col">{}</span>', shown)

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: Position) -> str:
        return whose(row.account)

    @admin.display(description=_("updated"), ordering="updated_at")
    def changed(self, row: Position) -> str:
        return moment(row.updated_at)


@admin.register(Balance)
class BalanceAdmin(RecordAdmin):
    live_streams = "equity"
    allowed_lookups = ("account", "account__customer")

    list_display = ("customer", "currency", "total", "free", "held_back", "pnl", "changed")
    list_filter = ("currency",)
    list_select_related = ("account__customer",)
    search_fields = ("account__customer__name", "account__label", "currency")
    search_help_text = _("Customer, account or currency")
    ordering = ("account", "currency")
    list_per_page = 50

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: Balance) -> str:
        return whose(row.account)

    @admin.display(description=_("equity"))
    def total(self, row: Balance) -> str:
        return num(row.equity, 2)

    @admin.display(description=_("available"))
    def free(self, row: Balance) -> str:
        return num(row.available, 2)

    @admin.display(description=_("frozen"))
    def held_back(self, row: Balance) -> str:
        return num(row.frozen, 2)

    @admin.display(description=_("unrealized PnL"))
    def pnl(self, row: Balance) -> str:
        return num(row.unrealized_pnl, 2, sign=True)

    @admin.display(description=_("updated"), ordering="updated_at")
    def changed(self, row: Balance) -> str:
        return moment(row.updated_at)


@admin.register(EquitySnapshot)
class EquitySnapshotAdmin(RecordAdmin):
    live_streams = "equity"
    allowed_lookups = ("account", "account__customer")

    list_display = ("taken", "account_link", "total", "pnl")
    list_select_related = ("account__customer",)
    search_fields = ("account__customer__name",)
    ordering = ("-at",)

    @admin.display(description=_("at"), ordering="at")
    def taken(self, row: EquitySnapshot) -> str:
        return moment(row.at)

    @admin.display(description=_("account"))
    def account_link(self, row: EquitySnapshot) -> str:
        return link_to("customers_exchangeaccount", row.account_id, row.account)

    @admin.display(description=_("equity"))
    def total(self, row: EquitySnapshot) -> str:
        return num(row.equity, 2)

    @admin.display(description=_("unrealized PnL"))
    def pnl(self, row: EquitySnapshot) -> str:
        return num(row.unrealized_pnl, 2, sign=True)
