"""What lists of trades, positions, balances and decisions can be narrowed by."""

from __future__ import annotations

from typing import Any, Final

import django_filters
from django.db.models import F

from accounts.api.filters import DeskFilterSet, FromFilter, Ordering, SymbolFilter, UntilFilter
from customers.enums import Market
from trading.enums import DecisionOutcome, OrderState, Reason, Side
from trading.orders import WORDS, OrderWord

# People's words first: where a word and a state are spelled alike, the word is meant.
STATUSES: Final[dict[str, list[str]]] = {
    **{state.value: [state.value] for state in OrderState},
    **{word.value: [s.value for s, w in WORDS.items() if w == word] for word in OrderWord},
}
POSITION_STATUSES: Final = (("open", "Open"), ("closed", "Closed"), ("all", "All"))


class StrategyFilter(django_filters.UUIDFilter):
    """Rows of a strategy, found by the accounts that follow it: they have an index."""

    def __init__(self) -> None:
        super().__init__("subscription__strategy__uid")

    def filter(self, qs: Any, value: Any) -> Any:
        rows = super().filter(qs, value)
        return rows.filter(account_id=F("subscription__account_id")) if value else rows


class TradeFilters(DeskFilterSet):
    start_date = FromFilter(field_name="created_at")
    end_date = UntilFilter(field_name="created_at")
    customer_id = django_filters.UUIDFilter(field_name="account__customer__uid")
    account_id = django_filters.UUIDFilter(field_name="account__uid")
    strategy_id = StrategyFilter()
    signal_id = django_filters.UUIDFilter(field_name="signal_id")
    symbol = SymbolFilter()
    side = django_filters.ChoiceFilter(choices=Side.choices)
    market = django_filters.ChoiceFilter(choices=Market.choices)
    status = django_filters.ChoiceFilter(
        choices=[(name, name) for name in STATUSES], method="by_status"
    )
    state = django_filters.ChoiceFilter(choices=OrderState.choices)
    ordering = Ordering({"created_at": "created_at"})

    def by_status(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(state__in=STATUSES[value])


class PositionFilters(DeskFilterSet):
    start_date = FromFilter(field_name="updated_at")
    end_date = UntilFilter(field_name="updated_at")
    customer_id = django_filters.UUIDFilter(field_name="account__customer__uid")
    account_id = django_filters.UUIDFilter(field_name="account__uid")
    symbol = SymbolFilter()
    market = django_filters.ChoiceFilter(field_name="account__market", choices=Market.choices)
    status = django_filters.ChoiceFilter(choices=POSITION_STATUSES, method="by_status")

    def filter_queryset(self, queryset: Any) -> Any:
        rows = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data.get("status") else rows.open()

    def by_status(self, rows: Any, name: str, value: str) -> Any:
        if value == "open":
            return rows.open()
        return rows.filter(quantity=0) if value == "closed" else rows


class BalanceFilters(DeskFilterSet):
    start_date = FromFilter(field_name="updated_at")
    end_date = UntilFilter(field_name="updated_at")
    customer_id = django_filters.UUIDFilter(field_name="account__customer__uid")
    account_id = django_filters.UUIDFilter(field_name="account__uid")
    currency = django_filters.CharFilter(max_length=20)
    market = django_filters.ChoiceFilter(field_name="account__market", choices=Market.choices)


class DecisionFilters(DeskFilterSet):
    start_date = FromFilter(field_name="decided_at")
    end_date = UntilFilter(field_name="decided_at")
    customer_id = django_filters.UUIDFilter(field_name="account__customer__uid")
    account_id = django_filters.UUIDFilter(field_name="account__uid")
    strategy_id = StrategyFilter()
    signal_id = django_filters.UUIDFilter(field_name="signal_id")
    symbol = SymbolFilter(field_name="signal__inst_id")
    status = django_filters.ChoiceFilter(field_name="outcome", choices=DecisionOutcome.choices)
    reason = django_filters.ChoiceFilter(choices=[c for c in Reason.choices if c[0]])
    ordering = Ordering({"decided_at": "decided_at"})
