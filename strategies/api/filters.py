"""What lists of strategies and subscriptions can be narrowed by."""

from __future__ import annotations

import django_filters

from accounts.api.filters import DeskFilterSet, FromFilter, Ordering, Search, UntilFilter
from strategies.enums import StrategyStatus, SubscriptionStatus


class StrategyFilters(DeskFilterSet):
    """`customer_id` keeps those that a customer's accounts follow."""

    searched = ("name",)

    start_date = FromFilter(field_name="created_at")
    end_date = UntilFilter(field_name="created_at")
    customer_id = django_filters.UUIDFilter(
        field_name="subscriptions__account__customer__uid", distinct=True
    )
    status = django_filters.ChoiceFilter(choices=StrategyStatus.choices)
    search = Search()
    ordering = Ordering({"name": "name", "created_at": "created_at"})


class SubscriptionFilters(DeskFilterSet):
    searched = ("strategy__name", "account__label", "account__customer__name")

    start_date = FromFilter(field_name="created_at")
    end_date = UntilFilter(field_name="created_at")
    customer_id = django_filters.UUIDFilter(field_name="account__customer__uid")
    account_id = django_filters.UUIDFilter(field_name="account__uid")
    strategy_id = django_filters.UUIDFilter(field_name="strategy__uid")
    status = django_filters.ChoiceFilter(choices=SubscriptionStatus.choices)
    search = Search()
    ordering = Ordering(
        {
            "strategy_name": "strategy__name",
            "customer_name": "account__customer__name",
            "created_at": "created_at",
        }
    )
