"""The pages customers read. They show the user's own rows, and change nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from config.portal.access import Choice, Visit, choose, portal_page
from config.portal.equity import read_equity
from config.portal.figures import base_text, held, instruments, order_facts, settled_in
from config.portal.limits import limit_bar
from config.portal.lists import (
    DECISION_WORDS,
    ORDER_WORDS,
    Filters,
    decisions_of_word,
    listed,
    orders_of_word,
)
from config.portal.numbers import spoken_numbers
from config.portal.story import meaning, story
from trading.models import Decision, Fill, Order, Position
from trading.performance import Period

LATEST = 5
MOST_FILLS = 200


@portal_page
def overview(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Equity with its curve, open positions, and the latest orders and decisions."""
    choice = choose(request, visit)
    asked = request.GET.get("period")
    period = Period(asked) if asked in Period.values else Period.MONTH
    positions = _positions(visit, choice)
    context = {
        "choice": choice,
        "period": period,
        "periods": Period,
        "equity": read_equity(visit, choice, period),
        "positions": held(positions),
        "value": sum((row.notional or 0 for row in positions), 0) if positions else None,
        "orders": _orders(visit, choice)[:LATEST],
        "decisions": _decisions(visit, choice)[:LATEST],
    }
    return TemplateResponse(request, "portal/overview.html", context)


@portal_page
def positions(request: HttpRequest, visit: Visit) -> HttpResponse:
    """What is open now."""
    choice = choose(request, visit, all_kinds=True)
    context = {"choice": choice, "positions": held(_positions(visit, choice))}
    return TemplateResponse(request, "portal/positions.html", context)


@portal_page
def orders(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Every order, newest first."""
    choice = choose(request, visit, all_kinds=True)
    filters = Filters(request.GET, desk=visit.desk, words=ORDER_WORDS)
    rows = filters.within(_orders(visit, choice), "created_at", "inst_id")
    rows = orders_of_word(rows, filters.status_chosen)
    context = {"choice": choice, "listed": listed(request, choice, filters, rows)}
    return TemplateResponse(request, "portal/orders.html", context)


@portal_page
def order(request: HttpRequest, visit: Visit, order_id: UUID) -> HttpResponse:
    """One order with its fills."""
    rows = _orders(visit, Choice(visit.accounts)).select_related("decision", "signal")
    found = get_object_or_404(rows, id=order_id)
    fills = Fill.objects.visible_to(visit.user).filter(order_id=found.id).order_by("filled_at")
    key = (found.market, found.inst_id)
    context = {
        "order": found,
        "facts": order_facts(found),
        "base": base_text(found.quantity, instruments({key}).get(key)),
        "fills": fills[:MOST_FILLS],
        "settled_in": settled_in(found.inst_id),
    }
    return TemplateResponse(request, "portal/order.html", context)


@portal_page
def why(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Each signal of my strategies with what was decided for me, newest first."""
    choice = choose(request, visit, all_kinds=True)
    filters = Filters(request.GET, desk=visit.desk, words=DECISION_WORDS)
    rows = filters.within(_decisions(visit, choice), "decided_at", "signal__inst_id")
    rows = decisions_of_word(rows, filters.status_chosen)
    context = {"choice": choice, "listed": listed(request, choice, filters, rows)}
    return TemplateResponse(request, "portal/why.html", context)


@portal_page
def decision(request: HttpRequest, visit: Visit, decision_id: UUID) -> HttpResponse:
    """One decision: the reason in plain words, the numbers used, the orders it became."""
    found = get_object_or_404(_decisions(visit, Choice(visit.accounts)), id=decision_id)
    made = list(found.made_orders.visible_to(visit.user))
    context = {
        "decision": found,
        "numbers": spoken_numbers(found.numbers, found.signal.inst_id),
        "limit": limit_bar(found),
        "orders": made,
        "story": story(found, made),
        "meaning": meaning(found),
    }
    return TemplateResponse(request, "portal/decision.html", context)


def _positions(visit: Visit, choice: Choice) -> list[Position]:
    rows = choice.rows(Position.objects.open().select_related("account"), visit.user)
    return list(rows.order_by("inst_id", "account__label", "pk"))


def _orders(visit: Visit, choice: Choice) -> Any:
    rows = choice.rows(Order.objects.select_related("account"), visit.user)
    return rows.order_by("-created_at", "-id")


def _decisions(visit: Visit, choice: Choice) -> Any:
    rows = Decision.objects.select_related("account", "signal__source", "subscription__strategy")
    return choice.rows(rows, visit.user).order_by("-decided_at", "-id")
