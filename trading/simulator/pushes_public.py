"""What the public channels push: first snapshot, later updates when something changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trading.simulator import bars, rows_market
from trading.simulator.channels import CANDLES, PRICE_CANDLES, Subscription
from trading.simulator.instruments import INDEXES, Instrument, instrument_row, of_type
from trading.simulator.market import Market, Quote
from trading.simulator.tape import PublicTrade
from trading.simulator.venue import Venue

# Frames without `arg`, which is each subscriber's own.
Body = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What was pushed last, and when."""

    at_ms: int
    what: Any


# By channel and subject: one for all subscribers, forgotten when there are none.
Memory = dict[tuple[str, str], Told]

_DEEP: Final = 400
_SHALLOW: Final = {"books5": 5, "bbo-tbt": 1}
_TRADES: Final = ("trades", "trades-all")
_CANDLE_MS: Final = 1000
_CANDLES_CAUGHT_UP: Final = 5
_BOOK_SILENCE_MS: Final = 60_000
# Least and longest time between two pushes where the rhythm is not that of changes.
_RHYTHMS: Final = {
    "mark-price": (0, 10_000),
    "index-tickers": (0, 60_000),
    "open-interest": (3000, 3000),
    "funding-rate": (30_000, 30_000),
}
_CHANGES_ONLY: Final = (0, None)
_KINDS: Final = {"": "last", "mark-price-": "mark", "index-": "index"}


def first(venue: Venue, subscription: Subscription, memory: Memory) -> list[Body]:
    """What a new subscriber gets; updates that follow continue from it."""
    channel, subject = subscription.channel, subscription.inst_id
    if channel == "instruments":
        every = of_type(subscription.inst_type)
        return [{"data": [listed_row(venue, each) for each in every]}]
    if channel in _TRADES:
        trades = venue.market.quote(subject).tape.trades
        told = memory.setdefault((channel, subject), Told(0, int(trades[-1].trade_id)))
        newest = [each for each in trades if int(each.trade_id) <= told.what][-1:]
        return [{"data": _trade_rows(venue, channel, newest)}] if newest else []
    if (channel, subject) not in memory:
        memory[channel, subject] = Told(venue.clock.ms(), _state(venue, channel, subject))
    told = memory[channel, subject]
    if channel == "books":
        return [_book_body("snapshot", told.what, -1)]
    return [{"data": [told.what]}]


def update(venue: Venue, channel: str, subject: str, memory: Memory) -> list[Body]:
    """What all subscribers of the channel and subject get now: nothing when nothing changed."""
    told = memory.get((channel, subject))
    if told is None:
        return []
    if channel in _TRADES:
        return _new_trades(venue, channel, subject, memory)
    if channel == "books":
        return _new_book(venue, subject, memory)
    if channel in CANDLES or channel in PRICE_CANDLES:
        rows = _new_candles(venue, channel, subject, told)
    else:
        rows = _new_row(venue, channel, subject, told)
    if rows:
        memory[channel, subject] = Told(venue.clock.ms(), rows[-1])
    return [{"data": [row]} for row in rows]


def listed_row(venue: Venue, listed: Instrument) -> dict[str, Any]:
    row = instrument_row(
        listed, venue.market.state(listed.inst_id), venue.market.expires(listed.inst_id)
    )
    del row["tradeQuoteCcyList"]
    return row


def _state(venue: Venue, channel: str, subject: str) -> Any:
    """The row that describes this moment."""
    market, now = venue.market, venue.clock.ms()
    if channel in CANDLES or channel in PRICE_CANDLES:
        bar = channel.rpartition("candle")[2]
        return _candle(venue, channel, subject, bars.bucket(now, bar))
    if channel == "index-tickers":
        return rows_market.index_row(subject, _priced(market, subject), now)
    if channel in _SHALLOW:
        row = rows_market.book_row(market, subject, _SHALLOW[channel], now)
        return row | {"instId": subject} if channel == "books5" else row
    quote = market.quote(subject)
    makers: dict[str, Callable[[], Row]] = {
        "books": lambda: rows_market.book_row(market, subject, _DEEP, now),
        "tickers": lambda: rows_market.ticker_row(quote, market, now),
        "mark-price": lambda: rows_market.mark_price_row(quote, now),
        "price-limit": lambda: _without_type(rows_market.price_limit_row(quote, now)),
        "funding-rate": lambda: rows_market.funding_row(market, quote.instrument, now),
        "open-interest": lambda: rows_market.open_interest_row(quote, now),
    }
    return makers[channel]()


def _new_row(venue: Venue, channel: str, subject: str, told: Told) -> list[Row]:
    least, longest = _RHYTHMS.get(channel, _CHANGES_ONLY)
    passed = venue.clock.ms() - told.at_ms
    if passed < least:
        return []
    row = _state(venue, channel, subject)
    due = longest is not None and passed >= longest
    return [row] if due or not _same(row, told.what) else []


def _same(row: Row, before: Row) -> bool:
    """Apart from their times and numbers."""
    passing = ("ts", "seqId")
    return all(row[name] == before[name] for name in row if name not in passing)


def _new_trades(venue: Venue, channel: str, inst_id: str, memory: Memory) -> list[Body]:
    """One trade a frame; in `trades` one for all matches of a taker at a price."""
    told = memory[channel, inst_id].what
    found: list[PublicTrade] = []
    for each in reversed(venue.market.quote(inst_id).tape.trades):
        if int(each.trade_id) <= told:
            break
        found.append(each)
    if found:
        memory[channel, inst_id] = Told(0, int(found[0].trade_id))
    found.reverse()
    return [{"data": [row]} for row in _trade_rows(venue, channel, found)]


def _trade_rows(venue: Venue, channel: str, trades: list[PublicTrade]) -> list[Row]:
    if channel == "trades-all":
        return [rows_market.trade_row(each) for each in trades]
    seq_id = venue.market.quote(trades[0].inst_id).seq_id if trades else 0
    return rows_market.trade_push_rows(trades, seq_id)


def _new_candles(venue: Venue, channel: str, subject: str, told: Told) -> list[Any]:
    """The running candle at most once a second; a finished one at once, confirmed."""
    bar, now = channel.rpartition("candle")[2], venue.clock.ms()
    start, running = int(told.what[0]), bars.bucket(now, bar)
    if start >= running:
        if now - told.at_ms < _CANDLE_MS:
            return []
        row = _candle(venue, channel, subject, running)
        return [] if row == told.what else [row]
    ended = [_candle(venue, channel, subject, start)]
    while (start := bars.end_of(start, bar)) < running and len(ended) < _CANDLES_CAUGHT_UP:
        ended.append(_candle(venue, channel, subject, start))
    return [*ended, _candle(venue, channel, subject, running)]


def _candle(venue: Venue, channel: str, subject: str, start: int) -> list[str]:
    kind, _, bar = channel.rpartition("candle")
    quote = _priced(venue.market, subject)
    return bars.candle(quote, bar, start, venue.clock.ms(), _KINDS[kind])


def _priced(market: Market, name: str) -> Quote:
    """The quote of an instrument, or the one that an index follows."""
    return market.quote(INDEXES[name].inst_id if name in INDEXES else name)


def _new_book(venue: Venue, inst_id: str, memory: Memory) -> list[Body]:
    """What changed since the last push; after a minute without changes an empty update."""
    now, told = venue.clock.ms(), memory["books", inst_id]
    before, quote = told.what, venue.market.quote(inst_id)
    book = _state(venue, "books", inst_id)
    changes = {side: _changed(before[side], book[side]) for side in ("asks", "bids")}
    if not changes["asks"] and not changes["bids"]:
        if now - told.at_ms < _BOOK_SILENCE_MS:
            return []
        memory["books", inst_id] = Told(now, before)
        return [_book_body("update", {**before, **changes, "ts": book["ts"]}, before["seqId"])]
    if book["seqId"] <= before["seqId"]:
        quote.seq_id = book["seqId"] = before["seqId"] + 1
    memory["books", inst_id] = Told(now, book)
    return [_book_body("update", {**book, **changes}, before["seqId"])]


def _book_body(action: str, book: Row, previous: int) -> Body:
    return {"action": action, "data": [{**book, "checksum": 0, "prevSeqId": previous}]}


def _changed(before: list[list[str]], now: list[list[str]]) -> list[list[str]]:
    """Levels that are new or different, and those that are gone, with size 0."""
    known = {level[0]: level for level in before}
    prices = {level[0] for level in now}
    gone = [[price, "0", "0", "0"] for price in known if price not in prices]
    return [level for level in now if known.get(level[0]) != level] + gone


def _without_type(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "instType"}
