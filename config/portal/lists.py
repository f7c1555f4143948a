"""Filters and pages of the portal's lists; both live in the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Page, Paginator
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant
from config.portal.access import Choice
from trading.enums import DecisionOutcome, Reason
from trading.orders import WORDS, OrderWord

PER_PAGE = 25
LONGEST = 40
# The first and last days of the calendar have no midnight in some zones.
SENSIBLE = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31)))


class Filters(forms.Form):
    """From and to are days of the desk; whatever cannot be read is said beside its field."""

    since = forms.DateField(
        label=_("From"),
        required=False,
        validators=SENSIBLE,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    until = forms.DateField(
        label=_("To"),
        required=False,
        validators=SENSIBLE,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    instrument = forms.CharField(
        label=_("Instrument"),
        required=False,
        max_length=LONGEST,
        widget=forms.TextInput(attrs={"placeholder": "BTC-USDT-SWAP", "autocapitalize": "off"}),
    )
    status = forms.ChoiceField(label=_("Status"), required=False)

    def __init__(
        self, *args: Any, desk: Tenant, words: list[tuple[str, Any]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.desk = desk
        status: Any = self.fields["status"]
        status.choices = [("", _("All")), *words]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since and until and until < since:
            self.add_error("until", _("The end lies before the beginning."))
        return given

    def within(self, rows: Any, column: str, inst_id: str) -> Any:
        """The rows of these days and this instrument; none while a field cannot be read."""
        if not self.is_valid():
            return rows.none()
        given = self.cleaned_data
        if given["since"]:
            rows = rows.filter(**{f"{column}__gte": self._begin(given["since"])})
        if given["until"]:
            rows = rows.filter(**{f"{column}__lt": self._begin(given["until"] + timedelta(days=1))})
        if given["instrument"]:
            rows = rows.filter(**{f"{inst_id}__istartswith": given["instrument"].strip()})
        return rows

    def _begin(self, day: date) -> datetime:
        return datetime.combine(day, time(self.desk.day_starts_at), self.desk.zone)

    @property
    def status_chosen(self) -> str:
        return str(self.cleaned_data.get("status", "")) if self.is_valid() else ""


ORDER_WORDS = list(OrderWord.choices)
DECISION_WORDS = [
    ("copied", _("Copied")),
    ("smaller", _("Copied, smaller")),
    ("not_copied", _("Not copied")),
]


def orders_of_word(rows: Any, word: str) -> Any:
    if not word:
        return rows
    return rows.filter(state__in=[state for state, said in WORDS.items() if said == word])


def decisions_of_word(rows: Any, word: str) -> Any:
    copied = DecisionOutcome.COPIED
    match word:
        case "copied":
            return rows.filter(outcome=copied)
        case "smaller":
            return rows.filter(outcome=copied, reason=Reason.CAPPED)
        case "not_copied":
            return rows.exclude(outcome=copied)
    return rows


@dataclass(frozen=True)
class Listed:
    """A page of rows with the addresses of its neighbours, filters kept."""

    rows: list[Any]
    page: Page[Any]
    filters: Filters
    kept: dict[str, str]
    is_filtered: bool

    @property
    def previous(self) -> str:
        return self._at(self.page.previous_page_number()) if self.page.has_previous() else ""

    @property
    def next(self) -> str:
        return self._at(self.page.next_page_number()) if self.page.has_next() else ""

    def _at(self, number: int) -> str:
        return "?" + urlencode({**self.kept, "page": number})


def listed(request: HttpRequest, choice: Choice, filters: Filters, rows: Any) -> Listed:
    """The page that the address names, the nearest one there is for a number out of range."""
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    given = {
        name: request.GET[name] for name in filters.fields if request.GET.get(name, "").strip()
    }
    return Listed(list(page), page, filters, {**choice.query, **given}, bool(given))
