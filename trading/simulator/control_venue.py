"""The control API for the venue itself: health, prices, ledger."""

from __future__ import annotations

from typing import Any, Final

import orjson

from trading.simulator import rows_market
from trading.simulator.control_input import Asked, Handlers
from trading.simulator.decimals import plain
from trading.simulator.hub import Hub
from trading.simulator.market import Quote

Row = dict[str, Any]

_LEDGER_PAGE: Final = 100_000
_MOST_POINTS: Final = 240
_POINT_MS: Final = 15_000


async def _health(hub: Hub, _asked: Asked) -> Row:
    return {
        "status": "ok",
        "accounts": len(hub.venue.exchange.state.accounts),
        "entries": hub.venue.ledger.last_seq,
        "sessions": len(hub.sessions),
    }


async def _market(hub: Hub, asked: Asked) -> Row:
    """Every instrument; `points` adds so many past prices, oldest first, 15 s apart."""
    points = asked.number("points", _MOST_POINTS) or 0
    now = hub.venue.clock.ms()
    rows = [_quote_row(hub, quote, now) for quote in hub.venue.market.quotes.values()]
    for row in rows if points else ():
        walk = hub.venue.market.quote(row["inst_id"]).walk
        times = range(now - _POINT_MS * (points - 1), now + 1, _POINT_MS)
        row["points"] = [plain(walk.price(at)) for at in times]
    return {"market": rows, "ts": now, "speed": hub.venue.market.speed}


def _quote_row(hub: Hub, quote: Quote, now_ms: int) -> Row:
    market, listed = hub.venue.market, quote.instrument
    funding = {} if listed.is_spot else rows_market.funding_row(market, listed, now_ms)
    return {
        "inst_id": listed.inst_id,
        "last": plain(quote.last),
        "mark": plain(quote.mark),
        "bid": plain(quote.bid),
        "ask": plain(quote.ask),
        "pinned": quote.pinned,
        "state": market.state(listed.inst_id),
        "funding_rate": funding.get("fundingRate", ""),
        "funding_at": int(funding.get("fundingTime", 0)),
    }


async def _ledger(hub: Hub, asked: Asked) -> Row:
    """`next` is the number to ask `after` for the following page; null when this was the last."""
    ledger = hub.venue.ledger
    after, limit = asked.number("after") or 0, asked.number("limit", _LEDGER_PAGE)
    entries, last = ledger.page(after, limit)
    array = orjson.Fragment(entries)
    return {"entries": array, "next": last if after < last < ledger.last_seq else None}


HANDLERS: Final[Handlers] = {
    ("GET", "/health"): _health,
    ("GET", "/ledger"): _ledger,
    ("GET", "/market"): _market,
}
