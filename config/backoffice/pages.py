"""Customer, exchange account, source and signal, each with what hangs on it in other rooms."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

import trading.admin  # noqa: F401 - its states are used and its models must be registered
from accounts.display import figure, list_of
from accounts.roles import Ability, may
from config.backoffice.paper import open_page, purse_page, reset_page
from customers.admin import CustomerAdmin, ExchangeAccountAdmin, state_badge
from customers.admin_keys import key_badge, market_badge
from customers.models import Customer, ExchangeAccount
from signals.admin import SignalAdmin, SignalSourceAdmin, signal_badge, source_badge
from signals.enums import Dialect
from signals.models import Signal, SignalSource
from signals.parsing import example
from strategies.admin import state_badge as strategy_badge
from strategies.admin_lifecycle import state_of, with_held
from strategies.models import Subscription
from trading.admin.decisions import as_number
from trading.admin.states import decision_badge, order_badge, reason_words, side_mark
from trading.enums import DecisionOutcome, OrderState
from trading.models import Balance, Decision, Order, Position, StreamLease

SHOWN = 200
RECENT = 15

for _model in (Customer, ExchangeAccount, SignalSource, Signal):
    admin.site.unregister(_model)


@admin.register(Customer)
class CustomerPage(CustomerAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(open_page, self))
        place = path("<int:object_id>/paper/", view, name="customers_customer_paper")
        return [place, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        customer = kwargs.get("obj") or (args[-1] if args else None)
        if customer is not None:
            accounts = list(ExchangeAccount.objects.filter(customer=customer).order_by("label"))
            context |= {
                "customer": customer,
                "state_html": state_badge(customer.status, customer.get_status_display()),
                "accounts": [(a, market_badge(a), key_badge(a), equity_of(a.pk)) for a in accounts],
                "manages_keys": may(request, Ability.MANAGE_KEYS),
                **holdings(Q(account__customer=customer)),
            }
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(ExchangeAccount)
class ExchangeAccountPage(ExchangeAccountAdmin):
    def get_urls(self) -> list[URLPattern]:
        pages = {"paper": purse_page, "reset": reset_page}
        places = [
            path(
                f"<int:object_id>/{name}/",
                self.admin_site.admin_view(partial(view, self)),
                name=f"customers_exchangeaccount_{name}",
            )
            for name, view in pages.items()
        ]
        return [*places, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        account = kwargs.get("obj") or (args[-1] if args else None)
        if account is not None:
            context |= {
                "balances": list(Balance.objects.filter(account=account).order_by("currency")),
                "socket": StreamLease.objects.filter(account_id=account.pk).first(),
                "equity": equity_of(account.pk),
                "may_fund": account.is_paper and may(request, Ability.MANAGE_KEYS),
                **holdings(Q(account=account)),
            }
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(SignalSource)
class SignalSourcePage(SignalSourceAdmin):
    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        source = kwargs.get("obj") or (args[-1] if args else None)
        if source is not None:
            context |= {
                "source": source,
                "state_html": source_badge(source),
                "has_address": bool(source.token_hash),
                "strategies": [(s, strategy_badge(s)) for s in source.strategies.order_by("name")],
                "signals": [(s, signal_badge(s)) for s in source.signals.all()[:RECENT]],
                "may_change": self.has_change_permission(request, source),
                "example": example(Dialect(source.dialect)),
            }
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(Signal)
class SignalPage(SignalAdmin):
    list_display = (
        "instrument", "received", "source_link", "amount", "price", "status_shown",
        "copied_count", "skipped_count", "why",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        """The counts are subqueries, so that they are counted for the rows of the page only."""
        mine = Decision.objects.filter(signal=OuterRef("pk")).order_by().values("signal")
        copied = mine.annotate(n=Count("pk", filter=Q(outcome=DecisionOutcome.COPIED)))
        others = mine.annotate(n=Count("pk", filter=~Q(outcome=DecisionOutcome.COPIED)))
        rows = super().get_queryset(request)
        return rows.annotate(
            copied_n=Subquery(copied.values("n")), skipped_n=Subquery(others.values("n"))
        )

    @admin.display(description=_("copied"))
    def copied_count(self, row: Any) -> str:
        query = f"signal={row.pk}&outcome__exact=copied"
        return list_of("trading_decision", query, figure(row.copied_n or 0))

    @admin.display(description=_("not copied"))
    def skipped_count(self, row: Any) -> str:
        query = f"signal={row.pk}&outcome__exact=skipped"
        return list_of("trading_decision", query, figure(row.skipped_n or 0))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        context |= signal_story(kwargs.get("obj") or args[-1])
        context["may_decide"] = may(request, Ability.APPROVE)
        context["answers"] = (
            ("approve", _("Approve"), "btn-primary"),
            ("reject", _("Reject"), "btn-danger"),
        )
        return super().render_change_form(request, context, *args, **kwargs)


def signal_story(signal: Signal) -> dict[str, Any]:
    """Every decision of a signal with its order, and what they add up to."""
    decisions = list(
        Decision.objects.filter(signal=signal)
        .select_related("account__customer", "subscription__strategy")
        .order_by("outcome", "account__customer__name")[:SHOWN]
    )
    orders: dict[Any, Order] = {}
    for order in Order.objects.filter(signal=signal, signal_at=signal.signal_at).order_by("id"):
        orders.setdefault(order.decision_id, order)
    rows = [
        {
            "decision": d,
            "badge": decision_badge(d.outcome, d.reason),
            "why": reason_words(d.reason),
            "quantity": as_number(d.numbers.get("quantity")),
            "order": orders.get(d.pk),
            "state": order_badge(orders[d.pk].state) if d.pk in orders else "",
        }
        for d in decisions
    ]
    copied = sum(d.outcome == DecisionOutcome.COPIED for d in decisions)
    acks = [o.acked_at - signal.received_at for o in orders.values() if o.acked_at]
    return {
        "has_story": True,
        "signal": signal,
        "status_html": signal_badge(signal),
        "rows": rows,
        "copied": copied,
        "skipped": len(decisions) - copied,
        "slowest": max(acks, default=None),
        "filled": sum(o.state == OrderState.FILLED for o in orders.values()),
    }


def equity_of(account_id: int) -> Any:
    """What the whole account is worth as the exchange last said, or None."""
    rows = Balance.objects.filter(account_id=account_id, currency=Balance.TOTAL)
    return rows.values_list("equity", flat=True).first()


def holdings(where: Q) -> dict[str, Any]:
    """Open positions, last orders and subscriptions of a customer or an account."""
    orders = Order.objects.filter(where).select_related("account", "signal__source")
    positions = Position.objects.filter(where).exclude(quantity=0).select_related("account")
    links = with_held(Subscription.objects.filter(where))
    links = links.select_related("strategy", "account__customer")
    return {
        "positions": [(p, side_mark(_side(p))) for p in positions[:SHOWN]],
        "orders": [(o, order_badge(o.state), side_mark(o.side)) for o in orders[:RECENT]],
        "subscriptions": [(s, state_of(s)) for s in links],
    }


def _side(position: Position) -> str:
    if position.position_side != "net":
        return position.position_side
    return "short" if position.quantity < 0 else "long"
