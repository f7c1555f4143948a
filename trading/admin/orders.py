"""Orders with their story, their attempts and fills, and orders that are not ours."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from accounts.admin_base import RecordAdmin
from accounts.admin_services import confirm, confirmed
from accounts.display import figure, link_to, moment, num, short, two, two_figures
from trading.actions import ActionRefusedError, cancel_order
from trading.admin.asking import may_ask, order_page
from trading.admin.protections import actions_of
from trading.admin.settling import settle_page
from trading.admin.states import (
    external_badge,
    order_badge,
    order_icon,
    order_kind,
    reason_words,
    side_mark,
    whose,
)
from trading.enums import FINAL_STATES, RESTING_TYPES, OrderCause, OrderState
from trading.models import ExternalOrder, Fill, Order, OrderAttempt, OrderEvent, Protection

BULK = 500


class WordFilter(admin.SimpleListFilter):
    """The five words people see, and what a person must settle."""

    title = _("status")
    parameter_name = "word"
    words = {
        "open": (
            pgettext_lazy("orders", "Open"),
            [s for s in OrderState.values if s not in FINAL_STATES],
        ),
        "settle": (_("To be settled"), [OrderState.UNKNOWN, OrderState.MANUAL]),
        "filled": (_("Filled"), [OrderState.FILLED, OrderState.PARTIALLY_FILLED]),
        "canceled": (_("Canceled"), [OrderState.CANCELED, OrderState.EXPIRED]),
        "failed": (_("Failed"), [OrderState.REJECTED, OrderState.DENIED]),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(key, label) for key, (label, _states) in self.words.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.words.get(self.value() or "")
        return queryset.filter(state__in=chosen[1]) if chosen else queryset


def _at(price: Decimal) -> str:
    return _("at %(price)s") % {"price": figure(price)}


@admin.register(Order)
class OrderAdmin(RecordAdmin):
    live_streams = "orders"
    allowed_lookups = (
        "signal", "decision", "account", "subscription", "account__customer", "cycle", "inst_id",
    )  # fmt: skip

    list_display = (
        "instrument", "side_shown", "ordered", "filled", "status", "customer", "created",
        "signal_link",
    )  # fmt: skip
    list_filter = (WordFilter, "state", "order_type", "side", "leg", "market", "reason")
    list_select_related = ("account__customer", "signal__source")
    search_fields = (
        "client_order_id", "exchange_order_id", "inst_id", "account__customer__name",
        "exchange_code",
    )  # fmt: skip
    search_help_text = _("Instrument, customer, order id or exchange code")
    ordering = ("-created_at", "-id")
    list_per_page = 50
    actions = ("cancel",)

    @admin.action(description=_("Cancel"), permissions=["operate_orders"])
    def cancel(self, request: HttpRequest, queryset: Any) -> Any:
        """Ask for the cancel of each; what cannot be asked is said, and stops no other."""
        rows = Order.objects.filter(pk__in=queryset.values("pk"))
        reason = confirmed(request)
        if reason is None:
            return confirm(
                self,
                request,
                rows,
                title=_("Cancel orders"),
                consequences=[_("What fills before OKX hears of it is filled.")],
                button=_("Cancel the orders"),
                danger=True,
            )
        return self._cancel(request, rows, reason)

    def _cancel(self, request: HttpRequest, rows: Any, reason: str) -> None:
        asked, refused = 0, []
        for order in rows[:BULK]:
            try:
                cancel_order(order=order, reason=reason, actor=request.user)  # type: ignore[arg-type]
                asked += 1
            except ActionRefusedError as error:
                refused.append(error.reason)
        told = ngettext("%(count)d cancel asked.", "%(count)d cancels asked.", asked)
        level = messages.SUCCESS if asked else messages.INFO
        self.message_user(request, told % {"count": asked}, level)
        for words, count in Counter(refused).items():
            self.message_user(request, f"{count}: {words}", messages.WARNING)

    @admin.display(description=_("instrument"), ordering="inst_id")
    def instrument(self, row: Order) -> str:
        cause = "" if row.cause == OrderCause.SIGNAL else f" · {row.get_cause_display()}"
        words = f"{row.get_leg_display()} · {row.get_order_type_display()}{cause}"
        return two(row.inst_id, words)

    @admin.display(description=_("side"), ordering="side")
    def side_shown(self, row: Order) -> str:
        return side_mark(row.side, row.position_side)

    @admin.display(description=_("quantity"))
    def ordered(self, row: Order) -> str:
        if row.price is None:
            return num(row.quantity)
        return two_figures(num(row.quantity), _at(row.price))

    @admin.display(description=_("filled"))
    def filled(self, row: Order) -> str:
        """At its average price."""
        if row.average_price is None:
            return num(row.filled_quantity)
        return two_figures(num(row.filled_quantity), _at(row.average_price))

    @admin.display(description=_("status"), ordering="state")
    def status(self, row: Order) -> str:
        """With the reason of what did not go as ordered."""
        if not (row.reason or row.exchange_code):
            return order_badge(row.state)
        code = f"OKX {row.exchange_code}" if row.exchange_code else ""
        words = [each for each in (reason_words(row.reason), code) if each]
        return two(order_badge(row.state), format_html_join(" · ", "{}", ((w,) for w in words)))

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: Order) -> str:
        return whose(row.account)

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, row: Order) -> str:
        return moment(row.created_at)

    @admin.display(description=_("signal"))
    def signal_link(self, row: Order) -> str:
        return link_to("signals_signal", row.signal_id, row.signal.source)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("account__customer", "signal__source")

    def get_urls(self) -> list[URLPattern]:
        ask = self.admin_site.admin_view(partial(order_page, self))
        settle = self.admin_site.admin_view(settle_page)
        return [
            path("<uuid:object_id>/ask/", ask, name="trading_order_ask"),
            path("<uuid:object_id>/settle/", settle, name="trading_order_settle"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        order = kwargs.get("obj") or args[-1]
        context |= order_story(order)
        context |= {
            "may_ask": may_ask(request, order),
            "may_amend": may_ask(request, order) and order.order_type in RESTING_TYPES,
        }
        return super().render_change_form(request, context, *args, **kwargs)


def order_story(order: Order) -> dict[str, Any]:
    """What the page of an order tells: states in order, attempts, fills, and who waits."""
    events = order.diary
    behind = Order.objects.filter(lane_key=order.lane_key, lane_at__gte=order.lane_at)
    waiting = behind.exclude(pk=order.pk).exclude(state__in=FINAL_STATES)
    return {
        "has_story": True,
        "order": order,
        "source": order.signal.source,
        "strategy": order.subscription.strategy if order.subscription else None,
        "status_html": order_badge(order.state),
        "side_html": side_mark(order.side, order.position_side),
        "reason_html": reason_words(order.reason),
        "to_settle": order.state in {OrderState.UNKNOWN, OrderState.MANUAL},
        "sent_for": (order.acked_at - order.signal.received_at) if order.acked_at else None,
        "events": [(e, order_kind(e.to_state), order_icon(e.to_state)) for e in events],
        "attempts": [(a, datetime.fromtimestamp(a.exp_at_ms / 1000, tz=UTC)) for a in order.sends],
        "fills": list(Fill.objects.filter(order=order).order_by("filled_at", "id")),
        "actions": actions_of(order=order),
        "protections": list(Protection.objects.filter(Q(order=order) | Q(closing_order=order))),
        "lane": [(w, order_badge(w.state)) for w in waiting.order_by("lane_at", "id")[:20]],
    }


@admin.register(Fill)
class FillAdmin(RecordAdmin):
    live_streams = "orders"
    allowed_lookups = ("order", "account", "account__customer")

    list_display = (
        "filled", "inst_id", "side_shown", "amount", "at_price", "charged", "pnl", "customer",
        "order_link",
    )  # fmt: skip
    list_display_links = ("filled",)
    list_filter = ("side", "liquidity")
    list_select_related = ("account__customer", "order")
    search_fields = ("inst_id", "trade_id", "exchange_order_id", "account__customer__name")
    search_help_text = _("Instrument, customer, trade id or exchange order id")
    ordering = ("-filled_at", "-id")
    list_per_page = 50
    readonly_fields = ("order_link", "account_link")
    exclude = ("order", "account")

    @admin.display(description=_("filled"), ordering="filled_at")
    def filled(self, row: Fill) -> str:
        return moment(row.filled_at)

    @admin.display(description=_("side"), ordering="side")
    def side_shown(self, row: Fill) -> str:
        return side_mark(row.side, row.position_side)

    @admin.display(description=_("quantity"))
    def amount(self, row: Fill) -> str:
        return num(row.quantity)

    @admin.display(description=_("price"))
    def at_price(self, row: Fill) -> str:
        return num(row.price)

    @admin.display(description=_("fee"))
    def charged(self, row: Fill) -> str:
        return num(row.fee, unit=row.fee_currency)

    @admin.display(description=_("realized PnL"))
    def pnl(self, row: Fill) -> str:
        return num(row.realized_pnl, 2, sign=True)

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: Fill) -> str:
        return two(row.account.customer.name, row.account.label)

    @admin.display(description=_("order"))
    def order_link(self, row: Fill) -> str:
        if row.order is None:
            return str(_("not ours"))
        return link_to("trading_order", row.order_id, short(row.order.client_order_id))

    @admin.display(description=_("account"))
    def account_link(self, row: Fill) -> str:
        return link_to("customers_exchangeaccount", row.account_id, row.account)


@admin.register(OrderAttempt)
class OrderAttemptAdmin(RecordAdmin):
    allowed_lookups = ("order",)

    list_display = ("started", "number", "outcome", "http_status", "code", "message", "order_link")
    list_filter = ("outcome",)
    list_select_related = ("order",)
    search_fields = ("code", "order__client_order_id")
    ordering = ("-started_at", "-id")

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, row: OrderAttempt) -> str:
        return moment(row.started_at)

    @admin.display(description=_("order"))
    def order_link(self, row: OrderAttempt) -> str:
        return link_to("trading_order", row.order_id, row.order)


@admin.register(OrderEvent)
class OrderEventAdmin(RecordAdmin):
    allowed_lookups = ("order",)

    list_display = ("happened", "to_state", "from_state", "source", "note", "order_link")
    list_filter = ("to_state", "source")
    list_select_related = ("order",)
    ordering = ("-at", "-id")

    @admin.display(description=_("at"), ordering="at")
    def happened(self, row: OrderEvent) -> str:
        return moment(row.at)

    @admin.display(description=_("order"))
    def order_link(self, row: OrderEvent) -> str:
        return link_to("trading_order", row.order_id, row.order)


@admin.register(ExternalOrder)
class ExternalOrderAdmin(RecordAdmin):
    live_streams = "orders"
    list_display = ("seen", "instrument", "side_shown", "amount", "status", "customer", "their_id")
    list_display_links = ("seen",)
    list_filter = ("state", "foreign_deployment")
    list_select_related = ("account__customer",)
    search_fields = (
        "exchange_order_id", "client_order_id", "inst_id", "account__customer__name",
    )  # fmt: skip
    search_help_text = _("Instrument, customer or order id")
    ordering = ("-seen_at",)
    list_per_page = 50

    @admin.display(description=_("seen"), ordering="seen_at")
    def seen(self, row: ExternalOrder) -> str:
        return moment(row.seen_at)

    @admin.display(description=_("instrument"), ordering="inst_id")
    def instrument(self, row: ExternalOrder) -> str:
        return two(row.inst_id, _("Another deployment's") if row.foreign_deployment else "")

    @admin.display(description=_("side"), ordering="side")
    def side_shown(self, row: ExternalOrder) -> str:
        return side_mark(row.side)

    @admin.display(description=_("filled"))
    def amount(self, row: ExternalOrder) -> str:
        """What was filled, of how much."""
        whole = _("of %(quantity)s") % {"quantity": figure(row.quantity)}
        return two_figures(num(row.filled_quantity), whole)

    @admin.display(description=_("state"), ordering="state")
    def status(self, row: ExternalOrder) -> str:
        return external_badge(row.state)

    @admin.display(description=_("customer"), ordering="account__customer__name")
    def customer(self, row: ExternalOrder) -> str:
        return whose(row.account)

    @admin.display(description=_("exchange order id"))
    def their_id(self, row: ExternalOrder) -> str:
        return short(row.exchange_order_id)
