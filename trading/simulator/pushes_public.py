"""What the public channels push: first snapshot, later updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from trading.simulator import bars, rows_market
from trading.simulator.channels import CANDLES, PRICE_CANDLES, Subscription
from trading.simulator.instruments import INDEXES, Instrument, instrument_row, of_type
from trading.simulator.market import Market, Quote
from trading.simulator.venue import Venue

# Frames without `arg`, which is each subscriber's own.
Body = dict[str, Any]
Row = dict[str, Any]
_KINDS: Final = {"": "last", "mark-price-": "mark", "index-": "index"}
# What was pushed last, by channel and instrument: one for all subscribers.
Memory = dict[tuple[str, str], Any]


def first(venue: Venue, subscription: Subscription, memory: Memory) -> list[Body]:
    """What a new subscriber gets; updates that follow continue from it."""
    if subscription.channel == "instruments":
        every = of_type(subscription.inst_type)
        return [{"data": [listed_row(venue, each) for each in every]}]
    if subscription.channel == "books":
        key = ("books", subscription.inst_id)
        book = memory.get(key) or _book(venue, subscription.inst_id)
        memory[key] = book
        return [_book_body("snapshot", book, -1)]
    return [{"data": _public_rows(venue, subscription.channel, subscription.inst_id)}]


def listed_row(venue: Venue, listed: Instrument) -> dict[str, Any]:
    row = instrument_row(listed, venue.market.state(listed.inst_id))
    del row["tradeQuoteCcyList"]
    return row


def update(venue: Venue, channel: str, inst_id: str, memory: Memory) -> list[Body]:
    """What all subscribers of the channel and instrument get when its price moved."""
    if channel != "books":
        return [{"data": _public_rows(venue, channel, inst_id)}]
    before = memory[channel, inst_id]
    book = memory[channel, inst_id] = _book(venue, inst_id)
    changes = {side: _changed(before[side], book[side]) for side in ("asks", "bids")}
    return [_book_body("update", {**book, **changes}, before["seqId"])]


def _public_rows(venue: Venue, channel: str, inst_id: str) -> list[Any]:
    market, now = venue.market, venue.clock.ms()
    if channel in CANDLES or channel in PRICE_CANDLES:
        kind, _, bar = channel.rpartition("candle")
        quote = _priced(market, inst_id)
        return [bars.candle(quote, bar, bars.bucket(now, bar), now, _KINDS[kind])]
    if channel in ("books5", "bbo-tbt"):
        depth = 5 if channel == "books5" else 1
        row = rows_market.book_row(market, inst_id, depth, now)
        return [row | {"instId": inst_id} if channel == "books5" else row]
    if channel == "index-tickers":
        return [rows_market.index_row(inst_id, _priced(market, inst_id), now)]
    quote = market.quote(inst_id)
    if channel == "trades":
        return rows_market.trade_push_rows([quote.tape.trades[-1]], quote.seq_id)
    makers: dict[str, Callable[[], Row]] = {
        "trades-all": lambda: rows_market.trade_row(quote.tape.trades[-1]),
        "tickers": lambda: rows_market.ticker_row(quote, market, now),
        "mark-price": lambda: rows_market.mark_price_row(quote, now),
        "price-limit": lambda: _without_type(rows_market.price_limit_row(quote, now)),
        "funding-rate": lambda: rows_market.funding_row(market, quote.instrument, now),
        "open-interest": lambda: rows_market.open_interest_row(quote, now),
    }
    return [makers[channel]()]


def _priced(market: Market, name: str) -> Quote:
    """The quote of an instrument, or the one that an index follows."""
    return market.quote(INDEXES[name].inst_id if name in INDEXES else name)


def _book(venue: Venue, inst_id: str) -> Body:
    return rows_market.book_row(venue.market, inst_id, 400, venue.clock.ms())


def _book_body(action: str, book: Body, previous: int) -> Body:
    return {"action": action, "data": [{**book, "checksum": 0, "prevSeqId": previous}]}


def _changed(before: list[list[str]], now: list[list[str]]) -> list[list[str]]:
    """Levels that are new or different, and those that are gone, with size 0."""
    known = {level[0]: level for level in before}
    prices = {level[0] for level in now}
    gone = [[price, "0", "0", "0"] for price in known if price not in prices]
    return [level for level in now if known.get(level[0]) != level] + gone


def _without_type(row: Body) -> Body:
    return {name: value for name, value in row.items() if name != "instType"}
