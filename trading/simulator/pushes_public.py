"""The frames of the public channels: first snapshot, later updates."""

from __future__ import annotations

from typing import Any

from trading.simulator import rows_market
from trading.simulator.channels import CANDLES, PRICE_CANDLES, Subscription
from trading.simulator.instruments import instrument_row, of_type
from trading.simulator.session import Session
from trading.simulator.venue import Venue

Frame = dict[str, Any]


def public_snapshot(venue: Venue, subscription: Subscription, session: Session) -> list[Frame]:
    if subscription.channel == "instruments":
        rows = [instrument_row(each) for each in of_type(subscription.inst_type)]
        for row in rows:
            del row["tradeQuoteCcyList"]
        return [{"arg": subscription.arg, "data": rows}]
    if subscription.channel == "books":
        book = session.books[subscription.name] = _book(venue, subscription)
        return [_book_frame(subscription, "snapshot", book, -1)]
    return [{"arg": subscription.arg, "data": _public_rows(venue, subscription)}]


def public_update(venue: Venue, subscription: Subscription, session: Session) -> list[Frame]:
    if subscription.channel != "books":
        return [{"arg": subscription.arg, "data": _public_rows(venue, subscription)}]
    before = session.books[subscription.name]
    book = session.books[subscription.name] = _book(venue, subscription)
    changes = {side: _changed(before[side], book[side]) for side in ("asks", "bids")}
    return [_book_frame(subscription, "update", {**book, **changes}, before["seqId"])]


def _public_rows(venue: Venue, subscription: Subscription) -> list[Any]:
    channel, market, now = subscription.channel, venue.market, venue.clock.ms()
    quote = market.quote(subscription.inst_id)
    if channel in CANDLES or channel in PRICE_CANDLES:
        bar = channel.rpartition("candle")[2]
        start = rows_market.bucket(now, bar)
        drawn = rows_market.candle(market, subscription.inst_id, bar, start, now)
        return [drawn if channel in CANDLES else [*drawn[:5], drawn[8]]]
    if channel in ("books5", "bbo-tbt"):
        depth = 5 if channel == "books5" else 1
        row = rows_market.book_row(market, subscription.inst_id, depth, now)
        return [row | {"instId": subscription.inst_id} if channel == "books5" else row]
    if channel in ("trades", "trades-all"):
        trade = quote.trades[-1]
        full = channel == "trades"
        row = rows_market.trade_push_row(trade, quote.seq_id)
        return [row if full else rows_market.trade_row(trade)]
    makers = {
        "index-tickers": lambda: rows_market.index_row(quote),
        "tickers": lambda: rows_market.ticker_row(quote, market),
        "mark-price": lambda: rows_market.mark_price_row(quote, now),
        "price-limit": lambda: _without_type(rows_market.price_limit_row(quote, now)),
        "funding-rate": lambda: rows_market.funding_row(quote.instrument, now),
        "open-interest": lambda: rows_market.open_interest_row(quote, now),
    }
    return [makers[channel]()]


def _book(venue: Venue, subscription: Subscription) -> Frame:
    return rows_market.book_row(venue.market, subscription.inst_id, 400, venue.clock.ms())


def _book_frame(subscription: Subscription, action: str, book: Frame, previous: int) -> Frame:
    row = {**book, "checksum": 0, "prevSeqId": previous}
    return {"arg": subscription.arg, "action": action, "data": [row]}


def _changed(before: list[list[str]], now: list[list[str]]) -> list[list[str]]:
    """Levels that are new or different, and those that are gone, with size 0."""
    known = {level[0]: level for level in before}
    prices = {level[0] for level in now}
    gone = [[price, "0", "0", "0"] for price in known if price not in prices]
    return [level for level in now if known.get(level[0]) != level] + gone


def _without_type(row: Frame) -> Frame:
    return {name: value for name, value in row.items() if name != "instType"}
