"""Tickers, books, candles and public data as OKX prints them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, Final

from trading.simulator.book import Level
from trading.simulator.decimals import floor_to, plain
from trading.simulator.instruments import Instrument
from trading.simulator.market import Market, PublicTrade, Quote

Row = dict[str, Any]

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_FUNDING: Final = 8 * _HOUR
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


def ticker_row(quote: Quote, market: Market) -> Row:
    asks, bids = market.book(quote.instrument.inst_id, 1)
    volume = quote.instrument.currency_volume(quote.volume, quote.last)
    return {
        "instType": quote.instrument.inst_type,
        "instId": quote.instrument.inst_id,
        "last": plain(quote.last),
        "lastSz": plain(quote.last_size),
        "askPx": plain(quote.ask),
        "askSz": plain(asks[0].size),
        "bidPx": plain(quote.bid),
        "bidSz": plain(bids[0].size),
        "open24h": plain(quote.open_24h),
        "high24h": plain(quote.high_24h),
        "low24h": plain(quote.low_24h),
        "volCcy24h": plain(volume),
        "vol24h": plain(quote.volume),
        "sodUtc0": plain(quote.open_24h),
        "sodUtc8": plain(quote.open_24h),
        "ts": str(quote.ts),
    }


def mark_price_row(quote: Quote, now_ms: int) -> Row:
    """The mark price of a spot pair belongs to its margin market."""
    return {
        "instType": "MARGIN" if quote.instrument.is_spot else "SWAP",
        "instId": quote.instrument.inst_id,
        "markPx": plain(quote.mark),
        "ts": str(now_ms),
    }


def index_row(quote: Quote) -> Row:
    """Index prices follow the spot pairs."""
    return {
        "instId": quote.instrument.inst_id,
        "idxPx": plain(quote.last),
        "high24h": plain(quote.high_24h),
        "sodUtc0": plain(quote.open_24h),
        "open24h": plain(quote.open_24h),
        "low24h": plain(quote.low_24h),
        "sodUtc8": plain(quote.open_24h),
        "ts": str(quote.ts),
    }


def price_limit_row(quote: Quote, now_ms: int) -> Row:
    return {
        "instType": quote.instrument.inst_type,
        "instId": quote.instrument.inst_id,
        "buyLmt": plain(quote.buy_limit),
        "sellLmt": plain(quote.sell_limit),
        "ts": str(now_ms),
        "enabled": True,
    }


def book_row(market: Market, inst_id: str, depth: int, now_ms: int) -> Row:
    asks, bids = market.book(inst_id, depth)
    return {
        "asks": [_level(each) for each in asks],
        "bids": [_level(each) for each in bids],
        "ts": str(now_ms),
        "seqId": market.quote(inst_id).seq_id,
    }


def full_book_row(market: Market, inst_id: str, depth: int, now_ms: int) -> Row:
    asks, bids = market.book(inst_id, depth)
    return {
        "asks": [[plain(each.price), plain(each.size), str(each.orders)] for each in asks],
        "bids": [[plain(each.price), plain(each.size), str(each.orders)] for each in bids],
        "ts": str(now_ms),
    }


def trade_row(trade: PublicTrade) -> Row:
    return {
        "instId": trade.inst_id,
        "side": trade.side,
        "sz": plain(trade.size),
        "source": "0",
        "px": plain(trade.price),
        "tradeId": trade.trade_id,
        "ts": str(trade.ts),
    }


def trade_push_row(trade: PublicTrade, seq_id: int) -> Row:
    return trade_row(trade) | {"count": "1", "seqId": seq_id}


def candle(market: Market, inst_id: str, bar: str, start: int, now_ms: int) -> list[str]:
    """One candle; the past is a picture drawn from the seed, the last close is the price."""
    quote = market.quote(inst_id)
    end = _end(start, bar)
    opened = _past_price(market, quote, start)
    current = start <= now_ms < end
    closed = quote.last if current else _past_price(market, quote, end)
    draw = Random(f"{market.seed}|{inst_id}|{bar}|{start}")  # noqa: S311 - reproducible picture
    tick = quote.instrument.tick
    high = max(opened, closed) + tick * draw.randint(0, 20)
    low = max(min(opened, closed) - tick * draw.randint(0, 20), tick)
    volume = quote.instrument.minimum * draw.randint(1000, 90_000)
    coins = quote.instrument.currency_volume(volume, closed)
    worth = abs(quote.instrument.usd_notional(volume, closed))
    texts = [plain(each) for each in (opened, high, low, closed, volume, coins, worth)]
    return [str(start), *texts, "0" if current else "1"]


def candles(
    market: Market,
    inst_id: str,
    bar: str,
    window: tuple[int | None, int | None],
    limit: int,
    now_ms: int,
) -> list[list[str]]:
    """Newest first; `window` is exclusive: older than the first, newer than the second."""
    after, before = window
    start = bucket(now_ms, bar)
    if after is not None and after <= start:
        start = bucket(after - 1, bar)
    rows: list[list[str]] = []
    while len(rows) < limit and start > 0 and (before is None or start > before):
        rows.append(candle(market, inst_id, bar, start, now_ms))
        start = bucket(start - 1, bar)
    return rows


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


def _end(start: int, bar: str) -> int:
    """Where the next candle begins; months differ in length."""
    return bucket(start + BARS[bar], bar)


def funding_row(listed: Instrument, now_ms: int) -> Row:
    next_time = (now_ms // _FUNDING + 1) * _FUNDING
    return {
        "formulaType": "noRate",
        "fundingRate": "0.0001",
        "fundingTime": str(next_time),
        "impactValue": "",
        "instId": listed.inst_id,
        "instType": "SWAP",
        "interestRate": "",
        "maxFundingRate": "0.00375",
        "method": "current_period",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": str(next_time + _FUNDING),
        "premium": "0.00005",
        "settFundingRate": "0.0001",
        "settState": "settled",
        "ts": str(now_ms),
    }


def funding_history_rows(listed: Instrument, now_ms: int, limit: int) -> list[Row]:
    last = now_ms // _FUNDING * _FUNDING
    return [
        {
            "formulaType": "noRate",
            "fundingRate": "0.0001",
            "fundingTime": str(last - each * _FUNDING),
            "instId": listed.inst_id,
            "instType": "SWAP",
            "method": "current_period",
            "realizedRate": "0.0001",
        }
        for each in range(limit)
    ]


def tier_row(listed: Instrument) -> Row:
    return {
        "baseMaxLoan": "",
        "imr": plain(Decimal(1) / listed.max_lever),
        "instFamily": listed.family,
        "instId": "",
        "maxLever": str(listed.max_lever),
        "maxSz": plain(listed.max_limit),
        "minSz": "0",
        "mmr": plain(listed.mmr),
        "optMgnFactor": "0",
        "quoteMaxLoan": "",
        "tier": "1",
        "uly": listed.family,
    }


def open_interest_row(quote: Quote, now_ms: int) -> Row:
    listed = quote.instrument
    held = quote.volume
    return {
        "instType": listed.inst_type,
        "instId": listed.inst_id,
        "oi": plain(held),
        "oiCcy": plain(listed.currency_volume(held, quote.last)),
        "oiUsd": plain(listed.usd_notional(held, quote.last)),
        "ts": str(now_ms),
    }


def _past_price(market: Market, quote: Quote, at_ms: int) -> Decimal:
    draw = Random(f"{market.seed}|{quote.instrument.inst_id}|{at_ms}")  # noqa: S311 - picture
    tick = quote.instrument.tick
    moved = quote.instrument.first_price * (100_000 + draw.randint(-900, 900)) / 100_000
    return floor_to(moved, tick)


def _level(level: Level) -> list[str]:
    return [plain(level.price), plain(level.size), "0", str(level.orders)]
