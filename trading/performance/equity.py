"""Equity and profit over a period, from the minute snapshots: one reading for each bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from trading.models import EquitySnapshot
from trading.performance.kinds import Kind, kind_of
from trading.performance.periods import Bucket, Period, buckets
from trading.performance.series import ZERO, Curve, Point, Readings, Series

if TYPE_CHECKING:
    from accounts.models import Tenant
    from customers.models import ExchangeAccountQuerySet

VALUED_IN: Final = "USD"
ACCOUNTS_AT_ONCE: Final = 200


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
    cut = buckets(period, desk, now or timezone.now())
    return [_series(kind, cut, curve.equity) for kind, curve in read_curves(accounts, cut).items()]


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
    cut = buckets(period, desk, now or timezone.now())
    return [_series(kind, cut, curve.profit) for kind, curve in read_curves(accounts, cut).items()]


def course(
    accounts: ExchangeAccountQuerySet,
    period: Period,
    *,
    desk: Tenant,
    now: datetime | None = None,
) -> list[Course]:
    """Profit and drawdown over a period, for each kind of money there is."""
    cut = buckets(period, desk, now or timezone.now())
    return [
        Course(
            kind=kind,
            accounts=curve.accounts,
            profit=curve.profit[-1],
            drawdown=curve.drawdowns()[-1],
            max_drawdown=max(curve.drawdowns(), default=ZERO),
        )
        for kind, curve in read_curves(accounts, cut).items()
    ]


def read_curves(accounts: ExchangeAccountQuerySet, cut: Sequence[Bucket]) -> Mapping[Kind, Curve]:
    """The curves of the kinds that have an account. Holds one chunk of accounts at a time."""
    curves: dict[Kind, Curve] = {}
    for market, readings in _read(accounts, cut):
        curves.setdefault(kind_of(market), Curve(len(cut))).add(readings)
    return {kind: curves[kind] for kind in Kind if kind in curves}


def _read(
    accounts: ExchangeAccountQuerySet, cut: Sequence[Bucket]
) -> Iterator[tuple[str, Readings]]:
    """Each account's readings. Every bucket is one step into the index (account, at), so the
    cost is accounts x buckets and does not grow with the number of snapshots."""
    wanted: dict[str, Any] = {
        "before": _reading("-at", at__lt=cut[0].start),
        "first": _reading("at", at__gte=cut[0].start, at__lt=cut[-1].end),
    }
    for n, bucket in enumerate(cut):
        wanted[f"b{n}"] = _reading("-at", at__gte=bucket.start, at__lt=bucket.end)
    rows = accounts.order_by("pk").annotate(**wanted).values_list("pk", "market", *wanted)
    after = 0
    while chunk := list(rows.filter(pk__gt=after)[:ACCOUNTS_AT_ONCE]):
        for _pk, market, before, first, *heard in chunk:
            yield market, Readings(before, first, tuple(heard))
        after = chunk[-1][0]
        if len(chunk) < ACCOUNTS_AT_ONCE:
            return


def _reading(order: str, **within: datetime) -> Subquery:
    rows = EquitySnapshot.objects.filter(account=OuterRef("pk"), **within)
    return Subquery(rows.order_by(order).values("equity")[:1])


def _series(kind: Kind, cut: Sequence[Bucket], values: Sequence[Decimal | None]) -> Series:
    points = tuple(Point(bucket.start, v) for bucket, v in zip(cut, values, strict=True))
    return Series(kind, VALUED_IN, points)
