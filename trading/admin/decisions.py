"""Decisions and cycles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.admin_base import RecordAdmin
from accounts.display import badge, link_to, list_of, moment, num, two
from trading.admin.number_words import told_numbers
from trading.admin.states import decision_badge, reason_words, whose
from trading.models import Cycle, Decision


@admin.register(Decision)
class DecisionAdmin(RecordAdmin):
    live_streams = "signals"
    allowed_lookups = ("signal", "account", "subscription", "account__customer")

    list_display = (
        "decided", "result", "why", "instrument", "customer", "quantity", "strategy", "signal_link",
    )  # fmt: skip
    list_filter = ("outcome", "reason")
    list_select_related = ("signal", "account__customer", "subscription__strategy")
    search_fields = ("signal__inst_id", "account__customer__name", "reason")
    search_help_text = _("Instrument, customer or reason code")
    ordering = ("-decided_at", "-id")
    list_per_page = 50

    @admin.display(description=_("decided"), ordering="decided_at")
    def decided(self, row: Decision) -> str:
        return moment(row.decided_at)

    @admin.display(description=_("outcome"), ordering="outcome")
    def result(self, row: Decision) -> str:
        return decision_badge(row.outcome, row.reason)

    @admin.display(description=_("reason"), ordering="reason")
    def why(self, row: Decision) -> str:
        return reason_words(row.reason)

    @admin.display(description=_("instrument"), ordering="signal__inst_id")
    def instrument(self, row: Decision) -> str:
        intent, direction = row.signal.get_intent_display(), row.signal.get_direction_display()
        return two(row.signal.inst_id, f"{intent} {direction}".strip().lower())

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: Decision) -> str:
        return whose(row.account)

    @admin.display(description=_("quantity"))
    def quantity(self, row: Decision) -> str:
        return num(as_number(row.numbers.get("quantity")), why=str(_("Nothing was ordered")))

    @admin.display(description=_("strategy"), ordering="subscription__strategy__name")
    def strategy(self, row: Decision) -> str:
        if row.subscription is None:
            return str(_("Manual"))
        return link_to(
            "strategies_strategy", row.subscription.strategy_id, row.subscription.strategy
        )

    @admin.display(description=_("signal"))
    def signal_link(self, row: Decision) -> str:
        return link_to("signals_signal", row.signal_id, _("Signal"))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        obj: Decision = kwargs.get("obj") or args[-1]
        context |= {
            "has_story": True,
            "decision": obj,
            "badge_html": decision_badge(obj.outcome, obj.reason),
            "reason_html": reason_words(obj.reason),
            "numbers": told_numbers(obj.numbers),
            "orders": list(obj.made_orders),
        }
        return super().render_change_form(request, context, *args, **kwargs)


class CycleFilter(admin.SimpleListFilter):
    """Where a cycle is: closing are those whose leader left while orders still waited."""

    title = _("status")
    parameter_name = "state"
    states = {
        "open": (pgettext_lazy("cycle", "Open"), {"ended_at": None, "closing_at": None}),
        "closing": (_("Closing"), {"ended_at": None, "closing_at__isnull": False}),
        "ended": (_("Ended"), {"ended_at__isnull": False}),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(key, label) for key, (label, _columns) in self.states.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.states.get(self.value() or "")
        return queryset.filter(**chosen[1]) if chosen else queryset


@admin.register(Cycle)
class CycleAdmin(RecordAdmin):
    allowed_lookups = ("account", "subscription", "source")

    list_display = (
        "opened", "state", "inst_id", "direction", "account_link", "base", "leader", "orders",
        "ended",
    )  # fmt: skip
    list_filter = ("direction", CycleFilter)
    list_select_related = ("account__customer",)
    search_fields = ("inst_id", "account__customer__name")
    ordering = ("-opened_at",)

    @admin.display(description=_("opened"), ordering="opened_at")
    def opened(self, row: Cycle) -> str:
        return moment(row.opened_at)

    @admin.display(description=_("account"))
    def account_link(self, row: Cycle) -> str:
        return link_to("customers_exchangeaccount", row.account_id, row.account)

    @admin.display(description=_("follower's base"))
    def base(self, row: Cycle) -> str:
        return num(row.follower_base)

    @admin.display(description=_("leader's base"))
    def leader(self, row: Cycle) -> str:
        return num(row.leader_base)

    @admin.display(description=_("status"))
    def state(self, row: Cycle) -> str:
        if row.ended_at is not None:
            return badge("idle", "stop", str(_("Ended")))
        if row.closing_at is not None:
            return badge("warn", "arrow_downward", str(_("Closing")))
        return badge("ok", "play_arrow", str(pgettext_lazy("cycle", "Open")))

    @admin.display(description=_("orders"))
    def orders(self, row: Cycle) -> str:
        return list_of("trading_order", f"cycle={row.pk}", _("Orders"))

    @admin.display(description=_("ended"), ordering="ended_at")
    def ended(self, row: Cycle) -> str:
        return moment(row.ended_at)


def as_number(value: object) -> Any:
    """A decimal string of the numbers used, or None where it is none."""
    from decimal import Decimal, InvalidOperation

    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
