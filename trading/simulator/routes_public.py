"""Public endpoints: time, instruments, prices."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator import rows_market as rows
from trading.simulator.codes import parameter
from trading.simulator.instruments import instrument_row
from trading.simulator.market import Quote
from trading.simulator.requests import Params
from trading.simulator.routing import (
    Call,
    Route,
    Routes,
    instrument_type,
    listed_instruments,
    one_instrument,
    page_size,
)


def _time(call: Call) -> list[Any]:
    return [{"ts": str(call.now_ms)}]


def _status(_call: Call) -> list[Any]:
    return []


def _instruments(call: Call) -> list[Any]:
    state = call.venue.market.state
    every = listed_instruments(call.params)
    return [instrument_row(each, state(each.inst_id)) for each in every]


def _quote(call: Call) -> Quote:
    return call.venue.market.quote(one_instrument(call.params).inst_id)


def _quotes(call: Call) -> list[Quote]:
    return [call.venue.market.quote(each.inst_id) for each in listed_instruments(call.params)]


def _ticker(call: Call) -> list[Any]:
    return [rows.ticker_row(_quote(call), call.venue.market)]


def _tickers(call: Call) -> list[Any]:
    return [rows.ticker_row(quote, call.venue.market) for quote in _quotes(call)]


def _mark_price(call: Call) -> list[Any]:
    """By type or by instrument: ccxt asks for one instrument without its type."""
    if call.params.has("instId") and not call.params.has("instType"):
        return [rows.mark_price_row(_quote(call), call.now_ms)]
    inst_type = instrument_type(call.params).replace("MARGIN", "SPOT")
    values = {name: call.params.text(name) for name in ("instId", "instFamily", "uly")}
    found = listed_instruments(Params({**values, "instType": inst_type}))
    quotes = [call.venue.market.quote(each.inst_id) for each in found]
    return [rows.mark_price_row(quote, call.now_ms) for quote in quotes]


def _price_limit(call: Call) -> list[Any]:
    return [rows.price_limit_row(_quote(call), call.now_ms)]


def _books(call: Call) -> list[Any]:
    depth = min(call.params.ms("sz") or 1, 400)
    inst_id = one_instrument(call.params).inst_id
    return [rows.book_row(call.venue.market, inst_id, depth, call.now_ms)]


def _books_full(call: Call) -> list[Any]:
    depth = min(call.params.ms("sz") or 1, 5000)
    inst_id = one_instrument(call.params).inst_id
    return [rows.full_book_row(call.venue.market, inst_id, depth, call.now_ms)]


def _trades(call: Call) -> list[Any]:
    newest_first = list(reversed(_quote(call).trades))
    return [rows.trade_row(each) for each in newest_first[: page_size(call.params, 500)]]


def _candles(call: Call) -> list[Any]:
    inst_id = one_instrument(call.params).inst_id
    bar = call.params.text("bar") or "1m"
    if bar not in rows.BARS:
        raise parameter("bar")
    window = call.params.ms("after"), call.params.ms("before")
    limit = page_size(call.params, 300)
    return rows.candles(call.venue.market, inst_id, bar, window, limit, call.now_ms)


def _mark_candles(call: Call) -> list[Any]:
    """The same prices without volumes."""
    return [[*each[:5], each[8]] for each in _candles(call)]


def _index_candles(call: Call) -> list[Any]:
    if not one_instrument(call.params).is_spot:
        raise parameter("instId")
    return _mark_candles(call)


def _funding_rate(call: Call) -> list[Any]:
    if call.params.text("instId") == "ANY":
        swaps = [quote.instrument for quote in call.venue.market.quotes.values()]
        return [rows.funding_row(each, call.now_ms) for each in swaps if not each.is_spot]
    listed = one_instrument(call.params)
    if listed.is_spot:
        raise parameter("instId")
    return [rows.funding_row(listed, call.now_ms)]


def _funding_history(call: Call) -> list[Any]:
    listed = one_instrument(call.params)
    if listed.is_spot:
        raise parameter("instId")
    return rows.funding_history_rows(listed, call.now_ms, page_size(call.params, 400))


def _tiers(call: Call) -> list[Any]:
    found = listed_instruments(call.params)
    return [rows.tier_row(each) for each in found if not each.is_spot]


def _open_interest(call: Call) -> list[Any]:
    instrument_type(call.params)
    swaps = [quote for quote in _quotes(call) if not quote.instrument.is_spot]
    return [rows.open_interest_row(quote, call.now_ms) for quote in swaps]


def _index_tickers(call: Call) -> list[Any]:
    wanted, against = call.params.text("instId"), call.params.text("quoteCcy")
    spots = [each for each in call.venue.market.quotes.values() if each.instrument.is_spot]
    return [
        rows.index_row(quote)
        for quote in spots
        if wanted in ("", quote.instrument.inst_id) and against in ("", quote.instrument.quote)
    ]


_PREFIX: Final = "/api/v5/"

ROUTES: Final[Routes] = {
    ("GET", _PREFIX + path): route
    for path, route in {
        "public/time": Route(_time, 10, "ip"),
        "system/status": Route(_status, 1, "ip", window_ms=5000),
        "public/instruments": Route(_instruments, 20, "ip+type"),
        "public/mark-price": Route(_mark_price, 10, "ip+inst"),
        "public/price-limit": Route(_price_limit, 20, "ip"),
        "public/funding-rate": Route(_funding_rate, 10, "ip+inst"),
        "public/funding-rate-history": Route(_funding_history, 10, "ip+inst"),
        "public/position-tiers": Route(_tiers, 10, "ip"),
        "public/open-interest": Route(_open_interest, 20, "ip+inst"),
        "market/ticker": Route(_ticker, 20, "ip"),
        "market/tickers": Route(_tickers, 20, "ip"),
        "market/index-tickers": Route(_index_tickers, 20, "ip"),
        "market/books": Route(_books, 40, "ip"),
        "market/books-full": Route(_books_full, 10, "ip"),
        "market/trades": Route(_trades, 100, "ip"),
        "market/history-trades": Route(_trades, 20, "ip"),
        "market/candles": Route(_candles, 40, "ip"),
        "market/history-candles": Route(_candles, 20, "ip"),
        "market/mark-price-candles": Route(_mark_candles, 20, "ip"),
        "market/history-mark-price-candles": Route(_mark_candles, 20, "ip"),
        "market/index-candles": Route(_index_candles, 20, "ip"),
        "market/history-index-candles": Route(_index_candles, 10, "ip"),
    }.items()
}
