"""Public endpoints: time, instruments, prices, funding."""

from __future__ import annotations

from itertools import islice, takewhile
from typing import Any, Final

from trading.simulator import bars
from trading.simulator import rows_market as rows
from trading.simulator.announcements import STATES
from trading.simulator.codes import OkxError, missing, parameter
from trading.simulator.convert import converted
from trading.simulator.decimals import plain
from trading.simulator.instruments import (
    INDEXES,
    Instrument,
    instrument_row,
    of_type,
)
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
from trading.simulator.tiers import tiers_of

_CONTRACTS: Final = ("SWAP", "FUTURES", "OPTION")
_CANDLES_KEPT: Final = 1440
_LARGEST_BOOK: Final = 400
_LARGEST_FULL_BOOK: Final = 5000
_FUNDING_KEPT_MS: Final = 92 * 86_400_000
_MOST_FAMILIES: Final = 3


def _time(call: Call) -> list[Any]:
    return [{"ts": str(call.now_ms)}]


def _status(call: Call) -> list[Any]:
    """What the control API announced; nothing is planned by itself."""
    rows = [each.row(call.now_ms) for each in call.venue.announcements]
    if not call.params.has("state"):
        return rows
    wanted = call.params.chosen("state", *STATES)
    return [row for row in rows if row["state"] == wanted]


def _instruments(call: Call) -> list[Any]:
    market = call.venue.market
    every = listed_instruments(call.params)
    return [
        instrument_row(each, market.state(each.inst_id), market.expires(each.inst_id))
        for each in every
    ]


def _underlying(call: Call) -> list[Any]:
    inst_type = call.params.chosen("instType", *_CONTRACTS)
    families = dict.fromkeys(each.family for each in of_type(inst_type))
    return [list(families)]


def _quote(call: Call) -> Quote:
    return call.venue.market.quote(one_instrument(call.params).inst_id)


def _quotes(call: Call) -> list[Quote]:
    return [call.venue.market.quote(each.inst_id) for each in listed_instruments(call.params)]


def _ticker(call: Call) -> list[Any]:
    return [rows.ticker_row(_quote(call), call.venue.market, call.now_ms)]


def _tickers(call: Call) -> list[Any]:
    return [rows.ticker_row(quote, call.venue.market, call.now_ms) for quote in _quotes(call)]


def _mark_price(call: Call) -> list[Any]:
    """By type or by instrument: ccxt asks for one without its type, others for any type."""
    if call.params.has("instId") and call.params.text("instType") in ("", "ANY"):
        return [rows.mark_price_row(_quote(call), call.now_ms)]
    inst_type = instrument_type(call.params).replace("MARGIN", "SPOT")
    values = {name: call.params.text(name) for name in ("instId", "instFamily", "uly")}
    found = listed_instruments(Params({**values, "instType": inst_type}))
    quotes = [call.venue.market.quote(each.inst_id) for each in found]
    return [rows.mark_price_row(quote, call.now_ms) for quote in quotes]


def _price_limit(call: Call) -> list[Any]:
    return [rows.price_limit_row(_quote(call), call.now_ms)]


def _books(call: Call) -> list[Any]:
    depth = min(call.params.ms("sz") or 1, _LARGEST_BOOK)
    inst_id = one_instrument(call.params).inst_id
    return [rows.book_row(call.venue.market, inst_id, depth, call.now_ms)]


def _books_full(call: Call) -> list[Any]:
    depth = min(call.params.ms("sz") or 1, _LARGEST_FULL_BOOK)
    inst_id = one_instrument(call.params).inst_id
    return [rows.full_book_row(call.venue.market, inst_id, depth, call.now_ms)]


def _trades(call: Call) -> list[Any]:
    newest_first = reversed(_quote(call).tape.trades)
    return [rows.trade_row(each) for each in islice(newest_first, page_size(call.params, 500))]


def _history_trades(call: Call) -> list[Any]:
    """Paged by trade id, or by time with type 2."""
    by_time = (call.params.text("type") or "1") == "2"
    if call.params.has("type"):
        call.params.chosen("type", "1", "2")
    after, before = call.params.ms("after"), call.params.ms("before")
    found = (
        each
        for each in reversed(_quote(call).tape.trades)
        for place in (each.ts if by_time else int(each.trade_id),)
        if (after is None or place < after) and (before is None or place > before)
    )
    return [rows.trade_row(each) for each in islice(found, page_size(call.params))]


def _bars(call: Call, quote: Quote, kind: str, largest: int, kept: int | None) -> list[Any]:
    bar = call.params.text("bar") or "1m"
    if bar not in bars.BARS:
        raise parameter("bar")
    window = call.params.ms("after"), call.params.ms("before")
    starts = bars.starts(quote, bar, window, call.now_ms)
    if kept is not None:
        newest = bars.bucket(call.now_ms, bar)
        oldest = newest - kept * bars.BARS[bar]
        starts = takewhile(lambda start: start > oldest, starts)
    wanted = islice(starts, page_size(call.params, largest))
    return [bars.candle(quote, bar, start, call.now_ms, kind) for start in wanted]


def _candles(call: Call) -> list[Any]:
    return _bars(call, _quote(call), "last", 300, _CANDLES_KEPT)


def _history_candles(call: Call) -> list[Any]:
    return _bars(call, _quote(call), "last", 300, None)


def _mark_candles(call: Call) -> list[Any]:
    return _bars(call, _quote(call), "mark", 100, _CANDLES_KEPT)


def _history_mark_candles(call: Call) -> list[Any]:
    return _bars(call, _quote(call), "mark", 100, None)


def _index_candles(call: Call) -> list[Any]:
    return _bars(call, _index_quote(call), "index", 100, _CANDLES_KEPT)


def _history_index_candles(call: Call) -> list[Any]:
    return _bars(call, _index_quote(call), "index", 100, None)


def _index_quote(call: Call) -> Quote:
    listed = INDEXES.get(call.params.needed("instId"))
    if listed is None:
        raise parameter("instId")
    return call.venue.market.quote(listed.inst_id)


def _swap(call: Call) -> Instrument:
    listed = one_instrument(call.params)
    if listed.is_spot:
        raise parameter("instId")
    return listed


def _funding_rate(call: Call) -> list[Any]:
    market = call.venue.market
    every = call.params.text("instId") == "ANY"
    found = of_type("SWAP") if every else [_swap(call)]
    return [rows.funding_row(market, each, call.now_ms) for each in found]


def _funding_numbers(call: Call, largest: int) -> list[int]:
    """Funding times that have come, newest first, paged by time; three months are kept."""
    funding = call.venue.market.funding
    after, before = call.params.ms("after"), call.params.ms("before")
    newest = call.now_ms if after is None else min(call.now_ms, after - 1)
    oldest = call.now_ms - _FUNDING_KEPT_MS
    if before is not None:
        oldest = max(oldest, before)
    numbers = range(funding.number_at(newest), funding.number_at(oldest), -1)
    return list(numbers[: page_size(call.params, largest)])


def _funding_history(call: Call) -> list[Any]:
    listed, market = _swap(call), call.venue.market
    numbers = _funding_numbers(call, 400)
    return [rows.funding_history_row(market, listed, each) for each in numbers]


def _premium_history(call: Call) -> list[Any]:
    listed, market = _swap(call), call.venue.market
    return [rows.premium_row(market, listed, each) for each in _funding_numbers(call, 100)]


def _tiers(call: Call) -> list[Any]:
    """Of contracts, by family; margin trading is not offered and has none."""
    inst_type = call.params.chosen("instType", "MARGIN", *_CONTRACTS)
    call.params.chosen("tdMode", "cross", "isolated")
    if inst_type == "MARGIN":
        if not call.params.has("instId") and not call.params.has("ccy"):
            raise missing("instId")
        return []
    family = call.params.text("instFamily") or call.params.text("uly")
    if not family:
        raise missing("instFamily")
    families = family.split(",")
    if len(families) > _MOST_FAMILIES:
        raise parameter("instFamily")
    wanted = call.params.text("tier")
    return [
        rows.tier_row(each, tier)
        for each in of_type(inst_type)
        for tier in tiers_of(each)
        if each.family in families and wanted in ("", str(tier.number))
    ]


def _open_interest(call: Call) -> list[Any]:
    instrument_type(call.params)
    swaps = [quote for quote in _quotes(call) if not quote.instrument.is_spot]
    return [rows.open_interest_row(quote, call.now_ms) for quote in swaps]


def _index_tickers(call: Call) -> list[Any]:
    wanted, against = call.params.text("instId"), call.params.text("quoteCcy")
    if not wanted and not against:
        raise missing("instId")
    if wanted and wanted not in INDEXES:
        raise OkxError("51001")
    market = call.venue.market
    return [
        rows.index_row(name, market.quote(listed.inst_id), call.now_ms)
        for name, listed in INDEXES.items()
        if wanted in ("", name) and against in ("", listed.quote)
    ]


def _convert(call: Call) -> list[Any]:
    return [converted(call.params, _swap(call))]


def _volume(call: Call) -> list[Any]:
    return [rows.platform_row(call.venue.market, call.now_ms)]


def _exchange_rate(_call: Call) -> list[Any]:
    return [{"usdCny": plain(rows.USD_CNY)}]


_PREFIX: Final = "/api/v5/"

ROUTES: Final[Routes] = {
    ("GET", _PREFIX + path): route
    for path, route in {
        "public/time": Route(_time, 10, "ip"),
        "system/status": Route(_status, 1, "ip", window_ms=5000),
        "public/instruments": Route(_instruments, 20, "ip+type"),
        "public/underlying": Route(_underlying, 20, "ip"),
        "public/mark-price": Route(_mark_price, 10, "ip+inst"),
        "public/price-limit": Route(_price_limit, 20, "ip"),
        "public/funding-rate": Route(_funding_rate, 10, "ip+inst"),
        "public/funding-rate-history": Route(_funding_history, 10, "ip+inst"),
        "public/premium-history": Route(_premium_history, 20, "ip"),
        "public/position-tiers": Route(_tiers, 10, "ip"),
        "public/open-interest": Route(_open_interest, 20, "ip+inst"),
        "public/convert-contract-coin": Route(_convert, 10, "ip"),
        "market/ticker": Route(_ticker, 20, "ip"),
        "market/tickers": Route(_tickers, 20, "ip"),
        "market/index-tickers": Route(_index_tickers, 20, "ip"),
        "market/books": Route(_books, 40, "ip"),
        "market/books-full": Route(_books_full, 10, "ip"),
        "market/trades": Route(_trades, 100, "ip"),
        "market/history-trades": Route(_history_trades, 20, "ip"),
        "market/candles": Route(_candles, 40, "ip"),
        "market/history-candles": Route(_history_candles, 20, "ip"),
        "market/mark-price-candles": Route(_mark_candles, 20, "ip"),
        "market/history-mark-price-candles": Route(_history_mark_candles, 20, "ip"),
        "market/index-candles": Route(_index_candles, 20, "ip"),
        "market/history-index-candles": Route(_history_index_candles, 10, "ip"),
        "market/platform-24-volume": Route(_volume, 2, "ip"),
        "market/exchange-rate": Route(_exchange_rate, 1, "ip"),
    }.items()
}
