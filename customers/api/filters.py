"""What lists of customers and accounts can be narrowed by."""

from __future__ import annotations

import django_filters

from accounts.api.filters import DeskFilterSet, FromFilter, Ordering, Search, UntilFilter
from customers.enums import AccountStatus, CustomerStatus, KeyStatus, Market


class CustomerFilters(DeskFilterSet):
    searched = ("name", "email")

    start_date = FromFilter(field_name="created_at")
    end_date = UntilFilter(field_name="created_at")
    customer_id = django_filters.UUIDFilter(field_name="uid")
    status = django_filters.ChoiceFilter(choices=CustomerStatus.choices)
    search = Search()
    ordering = Ordering({"name": "name", "created_at": "created_at"})


class AccountFilters(DeskFilterSet):
    searched = ("label", "customer__name")

    start_date = FromFilter(field_name="created_at")
    end_date = UntilFilter(field_name="created_at")
    customer_id = django_filters.UUIDFilter(field_name="customer__uid")
    status = django_filters.ChoiceFilter(choices=AccountStatus.choices)
    key_status = django_filters.ChoiceFilter(choices=KeyStatus.choices)
    market = django_filters.ChoiceFilter(choices=Market.choices)
    search = Search()
    ordering = Ordering({"customer_name": "customer__name", "created_at": "created_at"})
