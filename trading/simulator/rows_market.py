"""Tickers, books, trades and public data as OKX prints them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from trading.simulator.bars import bucket
from trading.simulator.book import Level
from trading.simulator.decimals import ZERO, plain
from trading.simulator.instruments import Instrument
from trading.simulator.market import Market, Quote
from trading.simulator.rates import LARGEST_RATE
from trading.simulator.tape import PublicTrade
from trading.simulator.tiers import Tier

Row = dict[str, Any]

USD_CNY: Final = Decimal("7.162")


def ticker_row(quote: Quote, market: Market, now_ms: int) -> Row:
    asks, bids = market.book(quote.instrument.inst_id, 1)
    day = quote.day(now_ms)
    volume = quote.instrument.currency_volume(day.volume, quote.last)
    return {
        "instType": quote.instrument.inst_type,
        "instId": quote.instrument.inst_id,
        "last": plain(quote.last),
        "lastSz": plain(quote.tape.trades[-1].size),
        "askPx": plain(asks[0].price),
        "askSz": plain(asks[0].size),
        "bidPx": plain(bids[0].price),
        "bidSz": plain(bids[0].size),
        "open24h": plain(day.open),
        "high24h": plain(day.high),
        "low24h": plain(day.low),
        "volCcy24h": plain(volume),
        "vol24h": plain(day.volume),
        **_days_began(quote, now_ms, "last"),
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


def index_row(name: str, quote: Quote, now_ms: int) -> Row:
    """An index is named like a spot pair and follows it when the pair is listed."""
    day = quote.day(now_ms, "index")
    return {
        "instId": name,
        "idxPx": plain(quote.index),
        "high24h": plain(day.high),
        "open24h": plain(day.open),
        "low24h": plain(day.low),
        **_days_began(quote, now_ms, "index"),
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


def trade_push_rows(trades: list[PublicTrade], seq_id: int) -> list[Row]:
    """Neighbours of one price, side and time become one row with their count."""
    rows = []
    for _, group in groupby(trades, key=lambda each: (each.price, each.side, each.ts)):
        same = list(group)
        merged = replace(same[-1], size=sum((each.size for each in same), ZERO))
        rows.append(trade_row(merged) | {"count": str(len(same)), "seqId": seq_id})
    return rows


def funding_row(market: Market, listed: Instrument, now_ms: int) -> Row:
    """The coming funding: its rate is known from the start of its period."""
    funding, inst_id = market.funding, listed.inst_id
    number = funding.number_at(now_ms)
    return {
        "formulaType": "noRate",
        "fundingRate": plain(funding.rate(inst_id, number + 1)),
        "fundingTime": str(funding.time(number + 1)),
        "impactValue": "",
        "instId": inst_id,
        "instType": "SWAP",
        "interestRate": "",
        "maxFundingRate": plain(LARGEST_RATE),
        "method": "current_period",
        "minFundingRate": plain(-LARGEST_RATE),
        "nextFundingRate": "",
        "nextFundingTime": str(funding.time(number + 2)),
        "premium": plain(funding.premium(inst_id, number + 1)),
        "settFundingRate": plain(funding.rate(inst_id, number)),
        "settState": "settled",
        "ts": str(now_ms),
    }


def funding_history_row(market: Market, listed: Instrument, number: int) -> Row:
    rate = plain(market.funding.rate(listed.inst_id, number))
    return {
        "formulaType": "noRate",
        "fundingRate": rate,
        "fundingTime": str(market.funding.time(number)),
        "instId": listed.inst_id,
        "instType": "SWAP",
        "method": "current_period",
        "realizedRate": rate,
    }


def premium_row(market: Market, listed: Instrument, number: int) -> Row:
    return {
        "instId": listed.inst_id,
        "premium": plain(market.funding.premium(listed.inst_id, number)),
        "ts": str(market.funding.time(number)),
    }


def tier_row(listed: Instrument, tier: Tier) -> Row:
    return {
        "baseMaxLoan": "",
        "imr": plain(tier.imr),
        "instFamily": listed.family,
        "instId": "",
        "maxLever": plain(tier.max_lever),
        "maxSz": plain(tier.max_size),
        "minSz": plain(tier.min_size),
        "mmr": plain(tier.mmr),
        "optMgnFactor": "0",
        "quoteMaxLoan": "",
        "tier": str(tier.number),
        "uly": listed.family,
    }


def open_interest_row(quote: Quote, now_ms: int) -> Row:
    listed = quote.instrument
    held = quote.open_interest(now_ms)
    return {
        "instType": listed.inst_type,
        "instId": listed.inst_id,
        "oi": plain(held),
        "oiCcy": plain(listed.currency_volume(held, quote.last)),
        "oiUsd": plain(listed.usd_notional(held, quote.last)),
        "ts": str(now_ms),
    }


def platform_row(market: Market, now_ms: int) -> Row:
    """What all instruments together traded in 24 hours."""
    total = ZERO
    for quote in market.quotes.values():
        total += quote.instrument.usd_notional(quote.day(now_ms).volume, quote.last)
    whole = Decimal(int(total))
    return {
        "volCny": plain(Decimal(int(whole * USD_CNY))),
        "volUsd": plain(whole),
        "ts": str(now_ms),
    }


def _days_began(quote: Quote, now_ms: int, kind: str) -> Row:
    """The prices when the day began, in UTC and in UTC+8."""
    return {
        "sodUtc0": plain(quote.walk.price(bucket(now_ms, "1Dutc"), kind)),
        "sodUtc8": plain(quote.walk.price(bucket(now_ms, "1D"), kind)),
    }


@lru_cache(maxsize=20_000)
def _level(level: Level) -> list[str]:
    """Most levels of a book are those of the book before."""
    return [plain(level.price), plain(level.size), "0", str(level.orders)]
