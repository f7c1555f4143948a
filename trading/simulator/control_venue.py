"""The control API for the venue itself: health, prices, ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import orjson

from trading.simulator.control_input import Asked, BadInputError, Handlers
from trading.simulator.decimals import parse_number, plain
from trading.simulator.hub import Hub
from trading.simulator.instruments import BY_ID

Row = dict[str, Any]

_LEDGER_PAGE: Final = 100_000


async def _health(hub: Hub, _asked: Asked) -> Row:
    return {
        "status": "ok",
        "accounts": len(hub.venue.exchange.state.accounts),
        "entries": hub.venue.ledger.last_seq,
        "sessions": len(hub.sessions),
    }


async def _prices(hub: Hub, asked: Asked) -> Row:
    """All prices are read before the first is set."""
    wanted = {inst_id: _price(inst_id, value) for inst_id, value in asked.body.items()}
    exchange = hub.venue.exchange
    for inst_id, price in wanted.items():
        now = hub.venue.clock.ms()
        exchange.market.pin(inst_id, price, now)
        exchange.record({"kind": "price", "ts": now, "inst_id": inst_id, "px": plain(price)})
    exchange.follow(list(wanted))
    hub.prices_moved(wanted)
    return {"prices": {inst_id: plain(price) for inst_id, price in wanted.items()}}


async def _ledger(hub: Hub, asked: Asked) -> Row:
    """`next` is the number to ask `after` for the following page; null when this was the last."""
    ledger = hub.venue.ledger
    after, limit = asked.number("after") or 0, asked.number("limit", _LEDGER_PAGE)
    entries, last = ledger.page(after, limit)
    array = orjson.Fragment(entries)
    return {"entries": array, "next": last if after < last < ledger.last_seq else None}


def _price(inst_id: str, value: Any) -> Decimal:
    listed = BY_ID.get(inst_id)
    if listed is None:
        raise BadInputError(inst_id, "unknown instrument")
    price = parse_number(value) if isinstance(value, str) else None
    if not price or price < listed.tick:
        raise BadInputError(inst_id, "a positive price is expected")
    return price


HANDLERS: Final[Handlers] = {
    ("GET", "/health"): _health,
    ("POST", "/prices"): _prices,
    ("GET", "/ledger"): _ledger,
}
