"""Signals of the past, decided once more beside what was decided then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.roles import Ability, may
from signals.models import Signal, SignalSource
from strategies.models import Strategy
from trading.admin.number_words import told_numbers
from trading.admin.states import decision_badge, reason_words
from trading.copying.replay import Replayed, Verdict, names_of, of_source, replay, replayable

MOST_SIGNALS: Final = 50
MOST_ROWS: Final = 1000
MOST_SHOWN: Final = 100
MOST_STEPS: Final = 8
MOST_TIME: Final = timedelta(days=31)


def _moment_input() -> forms.DateTimeInput:
    """A browser takes its own format only, whatever the language of the page."""
    return forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class ReplayForm(forms.Form):
    """A source and a time."""

    source = forms.ModelChoiceField(
        label=gettext_lazy("Source"),
        queryset=SignalSource.objects.none(),
        empty_label=gettext_lazy("Choose a source"),
    )
    since = forms.DateTimeField(label=gettext_lazy("From"), widget=_moment_input())
    until = forms.DateTimeField(label=gettext_lazy("To"), widget=_moment_input())
    strategy = forms.ModelChoiceField(
        label=gettext_lazy("Strategy"),
        queryset=Strategy.objects.none(),
        required=False,
        empty_label=gettext_lazy("All"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["source"].queryset = SignalSource.objects.order_by("name")
        fields["strategy"].queryset = Strategy.objects.order_by("name")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since and until and not timedelta(0) < until - since <= MOST_TIME:
            self.add_error("until", _("After the beginning, and at most 31 days."))
        return given


def page(request: HttpRequest) -> HttpResponse:
    """Ask for a source and a time, or show the signals that a list sent here. Only reads."""
    if not may(request, Ability.VIEW_DESK):
        raise PermissionDenied
    chosen = _ids(request.GET.getlist("id"))
    asked = bool(chosen) or "source" in request.GET
    form = ReplayForm(request.GET if "source" in request.GET else None, initial=_today())
    signals: list[Signal] = []
    strategy: Strategy | None = None
    if chosen:
        signals = list(replayable(Signal.objects.filter(pk__in=chosen))[:MOST_SIGNALS])
    elif asked and form.is_valid():
        given = form.cleaned_data
        strategy = given["strategy"]
        signals = of_source(given["source"].pk, given["since"], given["until"], MOST_SIGNALS)
    decided = replay(signals, strategy_id=strategy.pk if strategy else None)
    rows = list(islice(decided, MOST_ROWS))
    context = {
        **admin.site.each_context(request),
        "title": _("Replay"),
        "form": form,
        "asked": asked and not form.errors,
        "signals": signals,
        "rows": _shown(rows),
        "same": sum(not row.differs for row in rows),
        "total": len(rows),
        "is_cut": len(signals) == MOST_SIGNALS
        or len(rows) == MOST_ROWS
        or sum(row.differs for row in rows) > MOST_SHOWN,
    }
    return TemplateResponse(request, "admin/replay.html", context)


def _today() -> dict[str, datetime]:
    now = timezone.localtime().replace(second=0, microsecond=0)
    return {"since": now.replace(hour=0, minute=0), "until": now}


def _ids(given: Iterable[str]) -> list[UUID]:
    found = []
    for text in given:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found[:MOST_SIGNALS]


def _shown(rows: list[Replayed]) -> list[dict[str, Any]]:
    differing = [row for row in rows if row.differs][:MOST_SHOWN]
    names = names_of(differing)
    return [
        {
            "row": row,
            "link": names.get(row.subscription_id or 0),
            "then": _side(row.then),
            "now": _side(row.now),
            "steps": _steps(row),
        }
        for row in differing
    ]


def _side(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "badge": decision_badge(verdict.outcome, verdict.reason),
        "reason": reason_words(verdict.reason),
        "quantity": verdict.quantity,
    }


def _steps(row: Replayed) -> list[tuple[Any, str, str]]:
    """The numbers that differ, in words."""
    return [
        (told_numbers({name: was})[0][0], *(_told(name, value) for value in (was, now)))
        for name, was, now in row.changed[:MOST_STEPS]
    ]


def _told(name: str, value: str) -> Any:
    return told_numbers({name: value})[0][1]
