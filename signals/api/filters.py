"""What lists of sources and signals can be narrowed by."""

from __future__ import annotations

import django_filters

from accounts.api.filters import (
    DeskFilterSet,
    FromFilter,
    Ordering,
    Search,
    SymbolFilter,
    UntilFilter,
)
from signals.enums import Intent, SignalStatus, SourceKind, SourceStatus


class SourceFilters(DeskFilterSet):
    searched = ("name",)

    start_date = FromFilter(field_name="created_at")
    end_date = UntilFilter(field_name="created_at")
    status = django_filters.ChoiceFilter(choices=SourceStatus.choices)
    kind = django_filters.ChoiceFilter(choices=SourceKind.choices)
    search = Search()
    ordering = Ordering(
        {"name": "name", "created_at": "created_at", "last_signal_at": "last_signal_at"}
    )


class SignalFilters(DeskFilterSet):
    """By the time a signal was received; `customer_id` keeps those decided for a customer."""

    searched = ("external_id", "inst_id", "source__name")

    start_date = FromFilter(field_name="received_at")
    end_date = UntilFilter(field_name="received_at")
    customer_id = django_filters.UUIDFilter(
        field_name="decisions__account__customer__uid", distinct=True
    )
    source_id = django_filters.UUIDFilter(field_name="source__uid")
    symbol = SymbolFilter()
    status = django_filters.ChoiceFilter(choices=SignalStatus.choices)
    intent = django_filters.ChoiceFilter(choices=Intent.choices)
    search = Search()
    ordering = Ordering({"received_at": "received_at", "signal_at": "signal_at"})
