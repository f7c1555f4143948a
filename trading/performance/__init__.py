"""What became of the money: equity, profit, drawdown, volume and trades of a set of accounts.

`accounts` is always a queryset of exchange accounts, `desk` the tenant whose day and zone
counts. Real and simulated money are never added together, nor are two currencies.
"""

from __future__ import annotations

from trading.performance.counts import count_by_word, trades_series
from trading.performance.equity import Course, course, equity_series, profit_series
from trading.performance.fills import Flows, flows, volume_series
from trading.performance.kinds import Kind, kind_of
from trading.performance.overview import Summary, summary
from trading.performance.periods import Bucket, Period, buckets
from trading.performance.series import Point, Series
from trading.performance.worth import Holdings, holdings

__all__ = [
    "Bucket",
    "Course",
    "Flows",
    "Holdings",
    "Kind",
    "Period",
    "Point",
    "Series",
    "Summary",
    "buckets",
    "count_by_word",
    "course",
    "equity_series",
    "flows",
    "holdings",
    "kind_of",
    "profit_series",
    "summary",
    "trades_series",
    "volume_series",
]
