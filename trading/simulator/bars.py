"""Candles of every documented length."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from trading.simulator.decimals import plain
from trading.simulator.market import Quote

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
BARS: Final = {
    "1s": 1000,
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1H": _HOUR,
    "2H": 2 * _HOUR,
    "4H": 4 * _HOUR,
    "6H": 6 * _HOUR,
    "12H": 12 * _HOUR,
    "1D": _DAY,
    "2D": 2 * _DAY,
    "3D": 3 * _DAY,
    "1W": 7 * _DAY,
    "1M": 31 * _DAY,
    "3M": 92 * _DAY,
    "6Hutc": 6 * _HOUR,
    "12Hutc": 12 * _HOUR,
    "1Dutc": _DAY,
    "2Dutc": 2 * _DAY,
    "3Dutc": 3 * _DAY,
    "1Wutc": 7 * _DAY,
    "1Mutc": 31 * _DAY,
    "3Mutc": 92 * _DAY,
}
_FIRST_MONDAY: Final = 4 * _DAY


def candle(quote: Quote, bar: str, start: int, now_ms: int, kind: str = "last") -> list[str]:
    """`[ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]`; prices of a kind other than
    `last` have no volumes."""
    end = end_of(start, bar)
    drawn = quote.walk.bar(start, min(end, now_ms), kind)
    prices = [str(start), *(plain(each) for each in drawn[:4])]
    confirmed = "1" if end <= now_ms else "0"
    if kind != "last":
        return [*prices, confirmed]
    coins = quote.instrument.currency_volume(drawn.volume, drawn.close)
    worth = quote.instrument.usd_notional(drawn.volume, drawn.close)
    return [*prices, plain(drawn.volume), plain(coins), plain(worth), confirmed]


def starts(
    quote: Quote, bar: str, window: tuple[int | None, int | None], now_ms: int
) -> Iterator[int]:
    """Where candles begin, newest first, back to the day of listing.

    `window` is exclusive: older than the first, newer than the second.
    """
    after, before = window
    oldest = max(int(quote.instrument.list_time), 0 if before is None else before + 1)
    start = bucket(now_ms if after is None else min(now_ms, after - 1), bar)
    while start >= oldest:
        yield start
        start = bucket(start - 1, bar)


def bucket(at_ms: int, bar: str) -> int:
    """The start of the candle; bars of six hours and more follow UTC+8 unless marked utc.

    Weeks begin on Monday, months and quarters on their first day.
    """
    step = BARS[bar]
    shift = 8 * _HOUR if step >= 6 * _HOUR and not bar.endswith("utc") else 0
    local = at_ms + shift
    if "M" in bar:
        day = datetime.fromtimestamp(local / 1000, UTC)
        month = day.month if bar.startswith("1") else (day.month - 1) // 3 * 3 + 1
        return int(datetime(day.year, month, 1, tzinfo=UTC).timestamp()) * 1000 - shift
    offset = _FIRST_MONDAY if "W" in bar else 0
    return (local - offset) // step * step + offset - shift


def end_of(start: int, bar: str) -> int:
    """Where the next candle begins; months differ in length."""
    return bucket(start + BARS[bar], bar)
