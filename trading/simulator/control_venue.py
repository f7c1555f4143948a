"""The control API for the venue itself: health, prices, ledger."""

from __future__ import annotations

from typing import Any, Final

import orjson

from trading.simulator.control_input import Asked, Handlers
from trading.simulator.hub import Hub

Row = dict[str, Any]

_LEDGER_PAGE: Final = 100_000


async def _health(hub: Hub, _asked: Asked) -> Row:
    return {
        "status": "ok",
        "accounts": len(hub.venue.exchange.state.accounts),
        "entries": hub.venue.ledger.last_seq,
        "sessions": len(hub.sessions),
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
}
