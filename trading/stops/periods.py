"""When the present period of a loss limit began. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from trading.enums import LossPeriod, PeriodClock

if TYPE_CHECKING:
    from accounts.models import Tenant
    from trading.models import LossLimit


def counted_from(limit: LossLimit, desk: Tenant, now: datetime) -> datetime:
    """Since when losses count: the period's beginning, or the limit's own start when later."""
    if limit.period == LossPeriod.LIFETIME:
        return limit.created_at if limit.starts_at is None else min(limit.starts_at, now)
    begun = period_start(LossPeriod(limit.period), PeriodClock(limit.clock), desk, now)
    return begun if limit.starts_at is None else max(begun, min(limit.starts_at, now))


def period_start(period: LossPeriod, clock: PeriodClock, desk: Tenant, now: datetime) -> datetime:
    """Weeks begin on Monday, months on the first, each at the beginning of that day.

    A desk's day begins at its hour in its zone, and has 23 or 25 hours when its clocks change.
    """
    if clock == PeriodClock.DESK:
        today = desk.day_start(now)
    else:
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == LossPeriod.WEEK:
        # Subtracting from a time with a zone keeps the hour on the wall, which is meant.
        today -= timedelta(days=today.weekday())
    elif period == LossPeriod.MONTH:
        today = today.replace(day=1)
    return today.astimezone(UTC)
