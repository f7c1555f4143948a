"""One kind of money at a glance: what it is worth, what it gained, what was traded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone

from trading.performance.equity import Course, course
from trading.performance.fills import Flows, flows
from trading.performance.kinds import Kind
from trading.performance.periods import Period, buckets
from trading.performance.worth import Holdings, holdings

if TYPE_CHECKING:
    from accounts.models import Tenant
    from customers.models import ExchangeAccountQuerySet


@dataclass(frozen=True, slots=True)
class Summary:
    """Holdings now; course and flows over the period."""

    kind: Kind
    holdings: Holdings
    course: Course
    flows: Flows


def summary(
    accounts: ExchangeAccountQuerySet,
    period: Period = Period.MONTH,
    *,
    desk: Tenant,
    now: datetime | None = None,
) -> list[Summary]:
    """A summary for each kind of money among the accounts: real first, none when there is none."""
    now = now or timezone.now()
    cut = buckets(period, desk, now)
    courses = {each.kind: each for each in course(accounts, period, desk=desk, now=now)}
    moved = {each.kind: each for each in flows(accounts, cut[0].start, cut[-1].end)}
    return [
        Summary(each.kind, each, courses[each.kind], moved.get(each.kind, Flows(each.kind)))
        for each in holdings(accounts)
    ]
