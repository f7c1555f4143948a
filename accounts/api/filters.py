"""Narrowing a list by its query string: every parameter known by name, or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, Final

import django_filters
from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from drf_spectacular.utils import extend_schema_field

from accounts.models import Tenant

SEARCH_LETTERS: Final = 100
INSTRUMENT_LETTERS: Final = 40
YEARS: Final = range(2000, 2200)
DAY_OR_MOMENT: Final = [
    {"type": "string", "format": "date"},
    {"type": "string", "format": "date-time"},
]
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})"
)


class DayOrMomentField(forms.CharField):
    """A desk's day ("2026-01-31") or a moment with an offset ("2026-01-31T08:00:00Z").

    What consists of spaces only is no time: it is refused, and does not count as not given.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "strip": False})

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            if _DAY.fullmatch(text):
                read: date = date.fromisoformat(text)
            elif _MOMENT.fullmatch(text):
                read = datetime.fromisoformat(text)
            else:
                raise ValueError(text)
        except ValueError:
            raise forms.ValidationError(
                _("ISO 8601: a day such as 2026-01-31 or a time such as 2026-01-31T08:00:00Z.")
            ) from None
        if read.year not in YEARS:
            raise forms.ValidationError(_("A year from 2000 to 2199."))
        return read


class _Edge(django_filters.Filter):
    field_class = DayOrMomentField
    later: ClassVar[bool] = False

    def filter(self, qs: Any, value: Any) -> Any:
        if value is None:
            return qs
        tenant: Tenant = self.parent.request.tenant
        if isinstance(value, datetime):
            lookup = "lte" if self.later else "gte"
            return qs.filter(**{f"{self.field_name}__{lookup}": value})
        if self.later:
            return qs.filter(
                **{f"{self.field_name}__lt": _day_start(tenant, value + timedelta(days=1))}
            )
        return qs.filter(**{f"{self.field_name}__gte": _day_start(tenant, value)})


@extend_schema_field(
    {
        "oneOf": DAY_OR_MOMENT,
        "description": "From this time on; a plain day from its beginning in the desk's zone.",
    }
)
class FromFilter(_Edge):
    """At or after: from the beginning of a plain day."""


@extend_schema_field(
    {
        "oneOf": DAY_OR_MOMENT,
        "description": "Up to this time; a plain day to its end in the desk's zone.",
    }
)
class UntilFilter(_Edge):
    """At or before: to the end of a plain day."""

    later = True


@extend_schema_field(
    {
        "type": "string",
        "maxLength": INSTRUMENT_LETTERS,
        "description": "An instrument, as OKX spells it: `BTC-USDT-SWAP`.",
    }
)
class SymbolFilter(django_filters.CharFilter):
    """An instrument, spelled as OKX does."""

    def __init__(self, field_name: str = "inst_id") -> None:
        super().__init__(field_name, max_length=INSTRUMENT_LETTERS)

    def filter(self, qs: Any, value: Any) -> Any:
        """In capitals, as OKX writes them: databases differ in whether they tell them apart."""
        return super().filter(qs, value.upper() if value else value)


class DeskFilterSet(FilterSet):
    """The parameters of a list. Declare filters; set `searched` to offer `search`.

    For `ordering` declare `ordering = Ordering({"name": "name", "at": "created_at"})`.
    """

    searched: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def parameters(cls) -> set[str]:
        return set(cls.base_filters)

    def search_rows(self, rows: Any, name: str, value: str) -> Any:
        wanted = Q()
        for field in self.searched:
            wanted |= Q(**{f"{field}__icontains": value})
        return rows.filter(wanted)


@extend_schema_field(
    {
        "type": "string",
        "maxLength": SEARCH_LETTERS,
        "description": "Text that a row contains, in whatever case.",
    }
)
class Search(django_filters.CharFilter):
    """Text that a row contains, in the fields its filter set names."""

    def __init__(self) -> None:
        super().__init__(method="search_rows", max_length=SEARCH_LETTERS)


class Ordering(django_filters.ChoiceFilter):
    """By one field, `-` in front for the other way round; ties are broken by key.

    `fields` maps what is asked for to what is ordered by.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.columns = fields
        names = [text for name in fields for text in (name, f"-{name}")]
        words = _("By this; with a minus in front, the other way round.")
        super().__init__(choices=[(name, name) for name in names], help_text=words)

    def filter(self, qs: Any, value: Any) -> Any:
        if not value:
            return qs
        back = value.startswith("-")
        column = self.columns[value.removeprefix("-")]
        return qs.order_by(f"-{column}" if back else column, "-pk" if back else "pk")


class FilterBackend(DjangoFilterBackend):
    """django-filter, told which desk asks."""


def _day_start(tenant: Tenant, day: date) -> datetime:
    return datetime.combine(day, time(tenant.day_starts_at), tenant.zone)
