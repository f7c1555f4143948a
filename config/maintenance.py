"""The notice on every page while the exchange is, or soon will be, in maintenance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from customers.models import ExchangeAccount
from trading.enums import BreakerCause, BreakerState, MaintenanceState
from trading.models import Breaker, Maintenance
from trading.models.exchange_status import PLANNED

SOON: Final = timedelta(hours=24)


@dataclass(frozen=True)
class Notice:
    """`phase`: soon, now, or after, while the accounts are being read again."""

    market: str
    phase: str
    title: str
    begins_at: datetime | None
    ends_at: datetime | None


def notices() -> list[Notice]:
    """Those that concern the open desk; one small query on ordinary days."""
    now = timezone.now()
    planned = list(
        Maintenance.objects.filter(
            state__in=PLANNED, stops_trading=True, begins_at__lte=now + SOON
        ).order_by("begins_at")
    )
    frozen = {
        row.market: row
        for row in Breaker.objects.filter(
            cause=BreakerCause.MAINTENANCE, account__isnull=True
        ).exclude(state=BreakerState.CLOSED)
    }
    if not planned and not frozen:
        return []
    mine = ExchangeAccount.objects.order_by().values_list("market", flat=True).distinct()
    return [*_of(planned, frozen, set(mine), now)]


def _of(
    planned: list[Maintenance], frozen: dict[str, Breaker], mine: set[str], now: datetime
) -> list[Notice]:
    found: list[Notice] = []
    for row in planned:
        over = row.state == MaintenanceState.SCHEDULED and row.ends_at and row.ends_at < now
        if row.market in mine and not over:
            going_on = row.market in frozen and frozen[row.market].state == BreakerState.OPEN
            phase = "now" if going_on or row.begins_at <= now else "soon"
            found.append(_notice(row, phase))
    told = {notice.market for notice in found}
    for market, breaker in frozen.items():
        if market in mine and market not in told:
            label = breaker.get_market_display()
            found.append(Notice(label, "after", breaker.reason, breaker.opened_at, None))
    return found


def _notice(row: Maintenance, phase: str) -> Notice:
    label: Any = row.get_market_display()
    return Notice(str(label), phase, row.title, row.begins_at, row.ends_at)
