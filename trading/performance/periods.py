"""The periods people look back over, cut into the buckets that charts draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from django.db.models import BigIntegerField, Func, TextChoices
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import Tenant

SLOT_S: Final = 900


class Period(TextChoices):
    """How far back; a day by quarters of an hour, a week by hours, a month by desk days."""

    DAY = "1d", _("1 day")
    WEEK = "7d", _("7 days")
    MONTH = "30d", _("30 days")


_STEPS: Final = {
    Period.DAY: (timedelta(minutes=15), 96),
    Period.WEEK: (timedelta(hours=1), 168),
}
_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Bucket:
    """From `start` to before `end`. The last one holds the present and is not over yet."""

    start: datetime
    end: datetime


def buckets(period: Period, desk: Tenant, now: datetime) -> tuple[Bucket, ...]:
    """The buckets of a period without a gap; the last one contains `now`. Times are UTC.

    Desk days begin at the desk's hour in its zone, and have 23 or 25 hours when its clocks change.
    """
    if period == Period.MONTH:
        today = desk.day_start(now)
        # Subtracting from a time with a zone keeps the hour on the wall, which is meant.
        edges = [today - timedelta(days=n) for n in range(_DAYS - 1, -2, -1)]
    else:
        step, count = _STEPS[period]
        first = _floor(now, step) - step * (count - 1)
        edges = [first + step * n for n in range(count + 1)]
    utc = [edge.astimezone(UTC) for edge in edges]
    return tuple(Bucket(start, end) for start, end in pairwise(utc))


def place_of(edges: Sequence[Bucket], at: datetime) -> int | None:
    """The index of the bucket that contains a moment, or None outside all of them."""
    low, high = 0, len(edges)
    while low < high:
        middle = (low + high) // 2
        if edges[middle].end <= at:
            low = middle + 1
        else:
            high = middle
    found = low < len(edges) and edges[low].start <= at
    return low if found else None


def slot_start(slot: int) -> datetime:
    """When a quarter of an hour began, from its number as `Slot` counts them."""
    return datetime.fromtimestamp(slot * SLOT_S, tz=UTC)


class Slot(Func):
    """The number of a time's quarter of an hour since 1970, counted by the database.

    Every zone's days and hours begin with such a quarter, so rows grouped by it can be put
    into any bucket. It needs no zone tables in MySQL.
    """

    arity = 1
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = f"(CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / {SLOT_S})"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = f"FLOOR(UNIX_TIMESTAMP(%(expressions)s) / {SLOT_S})"
        return self.as_sql(compiler, connection, template=template, **extra)


def _floor(at: datetime, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // step * step
