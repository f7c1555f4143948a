"""Equity and profit over a period, from the snapshots: one reading for each bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from trading.enums import Grain
from trading.models import EquitySnapshot
from trading.performance.kinds import Kind, kind_of
from trading.performance.periods import Bucket, Period, buckets, place_of
from trading.performance.series import ZERO, Curve, Point, Readings, Series

if TYPE_CHECKING:
    from accounts.models import Tenant
    from customers.models import ExchangeAccountQuerySet

Reading = tuple[datetime, Decimal]

VALUED_IN: Final = "USD"
ACCOUNTS_AT_ONCE: Final = 200
# A reading that follows the end of a bucket so soon tells what was there at its end.
AT_ONCE: Final = timedelta(minutes=5)
LATEST: Final = timedelta(minutes=10)
# An account that said nothing for longer counts as new when it is heard again.
LOOK_BACK: Final = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Course:
    """How the accounts of one kind went through a period; money in USD as OKX values it."""

    kind: Kind
    accounts: int
    profit: Decimal
    drawdown: Decimal
    max_drawdown: Decimal


def equity_series(
    accounts: ExchangeAccountQuerySet,
    period: Period,
    *,
    desk: Tenant,
    now: datetime | None = None,
) -> list[Series]:
    """Total equity by the end of each bucket, a series for each kind of money there is.

    The last known value is carried forward; before its first reading an account counts nothing.
    """
    now = now or timezone.now()
    cut = buckets(period, desk, now)
    return [
        _series(kind, cut, curve.equity) for kind, curve in read_curves(accounts, cut, now).items()
    ]


def profit_series(
    accounts: ExchangeAccountQuerySet,
    period: Period,
    *,
    desk: Tenant,
    now: datetime | None = None,
) -> list[Series]:
    """Profit since the period began, by the end of each bucket, a series for each kind.

    The sum of what each account gained, so no jump when one is added. Money that was paid in
    or out looks like profit or loss.
    """
    now = now or timezone.now()
    cut = buckets(period, desk, now)
    return [
        _series(kind, cut, curve.profit) for kind, curve in read_curves(accounts, cut, now).items()
    ]


def course(
    accounts: ExchangeAccountQuerySet,
    period: Period,
    *,
    desk: Tenant,
    now: datetime | None = None,
) -> list[Course]:
    """Profit and drawdown over a period, for each kind of money there is."""
    now = now or timezone.now()
    cut = buckets(period, desk, now)
    return [
        Course(
            kind=kind,
            accounts=curve.accounts,
            profit=curve.profit[-1],
            drawdown=curve.drawdowns()[-1],
            max_drawdown=max(curve.drawdowns(), default=ZERO),
        )
        for kind, curve in read_curves(accounts, cut, now).items()
    ]


def read_curves(
    accounts: ExchangeAccountQuerySet, cut: Sequence[Bucket], now: datetime | None = None
) -> Mapping[Kind, Curve]:
    """The curves of the kinds that have an account. Holds one chunk of accounts at a time.

    About as many rows are read as there are buckets, by the index of grains and between fixed
    times (MySQL takes no range that depends on another row): the cost does not grow with the
    number of snapshots.
    """
    curves: dict[Kind, Curve] = {}
    spans = _spans(cut, now or timezone.now())
    rows, after = accounts.order_by("pk").values_list("pk", "market"), 0
    while chunk := list(rows.filter(pk__gt=after)[:ACCOUNTS_AT_ONCE]):
        told = _read([pk for pk, _ in chunk], spans)
        for pk, market in chunk:
            curve = curves.setdefault(kind_of(market), Curve(len(cut)))
            curve.add(readings_of(cut, sorted(told.get(pk, ()))))
        after = chunk[-1][0]
    return {kind: curves[kind] for kind in Kind if kind in curves}


def readings_of(cut: Sequence[Bucket], told: Iterable[Reading]) -> Readings:
    """What stands for the end of each bucket: the last reading in it, or the first after it when
    that came at once. Of what was told before the period the last counts. `told` is in order."""
    before: Decimal | None = None
    heard: list[Decimal | None] = [None] * len(cut)
    seen = -1
    for at, equity in told:
        place = place_of(cut, at)
        if place is None:
            before = equity if at < cut[0].start else before
            continue
        ends_another = place > seen and at - cut[place].start <= AT_ONCE
        seen = place
        if not ends_another or place == len(cut) - 1:
            heard[place] = equity
        if ends_another and place:
            heard[place - 1] = equity
        elif ends_another:
            before = equity
    first = next((value for value in heard if value is not None), None)
    return Readings(before, first, tuple(heard))


def _spans(cut: Sequence[Bucket], now: datetime) -> list[tuple[tuple[Grain, ...], datetime]]:
    """Which grains are read from when on, each to the end: what draws the buckets, what the
    present one needs more of, and the very latest. The days before the period tell the base."""
    width = cut[0].end - cut[0].start
    coarse: tuple[Grain, ...] = (Grain.HOUR,) if width < timedelta(hours=20) else ()
    fine = (Grain.QUARTER, *coarse) if width < timedelta(hours=1) else coarse
    return [
        ((Grain.DAY,), cut[0].start - LOOK_BACK),
        (fine, cut[0].start),
        ((Grain.QUARTER, Grain.HOUR), cut[-1].start),
        ((Grain.MINUTE,), max(cut[-1].start, now - LATEST)),
    ]


def _read(
    account_ids: Sequence[int], spans: Sequence[tuple[tuple[Grain, ...], datetime]]
) -> dict[int, set[Reading]]:
    found: dict[int, set[Reading]] = {}
    for grains, start in spans:
        rows = EquitySnapshot.objects.filter(
            account__in=account_ids, grain__in=grains, at__gte=start
        ).order_by()
        for account_id, at, equity in rows.values_list("account_id", "at", "equity"):
            found.setdefault(account_id, set()).add((at, equity))
    return found


def _series(kind: Kind, cut: Sequence[Bucket], values: Sequence[Decimal | None]) -> Series:
    points = tuple(Point(bucket.start, v) for bucket, v in zip(cut, values, strict=True))
    return Series(kind, VALUED_IN, points)
