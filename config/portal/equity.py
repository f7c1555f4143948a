"""The equity card: what the chosen accounts are worth, what they gained, and the curve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.display import figure, percent
from accounts.models import Tenant
from config.portal.access import Choice, Visit, chosen
from trading.models import Balance
from trading.performance import Holdings, Kind, Period, buckets, holdings
from trading.performance.equity import read_curves
from trading.performance.series import Curve, ratio, total

UNIT = "USD"
SETTLED_IN = "USDT"


@dataclass(frozen=True)
class Row:
    """One point of the curve."""

    at: datetime
    label: str
    equity: Decimal
    drawdown: Decimal


@dataclass(frozen=True)
class Equity:
    """Money in USD as OKX values it; None where nothing is known yet."""

    holdings: Holdings | None
    today: Decimal | None
    today_ratio: Decimal | None
    drawdown: Decimal | None
    max_drawdown: Decimal | None
    rows: list[Row]
    sentence: str
    available: Decimal | None
    day_start: datetime

    @property
    def chart(self) -> dict[str, Any]:
        """The data block of the charts: figures as text, and as they are to be read."""
        return {
            "labels": [row.label for row in self.rows],
            "equity": [f"{row.equity:f}" for row in self.rows],
            "equitySaid": [f"{figure(row.equity, 2)} {UNIT}" for row in self.rows],
            "drawdown": [f"{-row.drawdown * 100:f}" for row in self.rows],
            "drawdownSaid": [percent(-row.drawdown) for row in self.rows],
        }


def read_equity(visit: Visit, choice: Choice, period: Period) -> Equity:
    """Four queries, whatever the number of accounts."""
    now, desk, kind = timezone.now(), visit.desk, choice.kind
    accounts = chosen(choice, visit)
    cut = buckets(period, desk, now)
    curve = _of(kind, read_curves(accounts, cut))
    days = curve
    if period != Period.MONTH:
        days = _of(kind, read_curves(accounts, buckets(Period.MONTH, desk, now)))
    rows = _rows([b.start for b in cut], curve, period)
    today, today_ratio = _today(days)
    falls = curve.drawdowns() if curve else ()
    return Equity(
        holdings=next((h for h in holdings(accounts) if h.kind == kind), None),
        today=today,
        today_ratio=today_ratio,
        drawdown=falls[-1] if falls else None,
        max_drawdown=max(falls) if falls else None,
        rows=rows,
        sentence=_sentence(rows, period),
        available=_available(visit, choice),
        day_start=Tenant.day_start(desk, now),
    )


def _of(kind: Kind | None, curves: Any) -> Curve | None:
    return None if kind is None else curves.get(kind)


def _today(days: Curve | None) -> tuple[Decimal | None, Decimal | None]:
    """What the present desk day added, and as a part of what was there when it began."""
    if days is None:
        return None, None
    gained = days.profit[-1] - days.profit[-2]
    return gained, ratio(gained, days.base + days.profit[-2])


def _rows(starts: list[datetime], curve: Curve | None, period: Period) -> list[Row]:
    if curve is None:
        return []
    points = zip(starts, curve.equity, curve.drawdowns(), strict=True)
    return [
        Row(at, _label(at, period), equity, drawdown)
        for at, equity, drawdown in points
        if equity is not None
    ]


def _label(at: datetime, period: Period) -> str:
    local = timezone.localtime(at)
    if period == Period.DAY:
        return date_format(local, "H:i")
    if period == Period.WEEK:
        return date_format(local, pgettext("date format", "j M H:i"))
    # Translators: a day of this year, as Django's date filter writes it.
    return date_format(local, pgettext("date format", "j M"))


def _sentence(rows: list[Row], period: Period) -> str:
    if not rows:
        return ""
    return _("Equity over %(period)s, from %(first)s to %(last)s USD, highest %(highest)s.") % {
        "period": period.label,
        "first": figure(rows[0].equity, 2),
        "last": figure(rows[-1].equity, 2),
        "highest": figure(max(row.equity for row in rows), 2),
    }


def _available(visit: Visit, choice: Choice) -> Decimal | None:
    found = choice.rows(Balance.objects.filter(currency=SETTLED_IN), visit.user)
    values = list(found.values_list("available", flat=True))
    return total(values) if values else None
