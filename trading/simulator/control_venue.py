"""The control API for the venue itself: health, prices, latency, limits, faults, ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading.simulator.control_input import Asked, BadInputError, Handlers, choice, only, whole
from trading.simulator.decimals import parse_number, plain
from trading.simulator.hub import Hub
from trading.simulator.instruments import BY_ID

Row = dict[str, Any]

_LATENCY_LARGEST: Final = 600_000
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


async def _latency(hub: Hub, asked: Asked) -> Row:
    hub.venue.latency_ms = whole(asked.body, "ms", 0, _LATENCY_LARGEST)
    return {"ms": hub.venue.latency_ms}


async def _limits(hub: Hub, asked: Asked) -> Row:
    """Only the names that are given change; everything is checked first."""
    body = asked.body
    venue, rules = hub.venue, hub.venue.exchange.rules
    enabled = "okx" if venue.limiter.enabled else "off"
    mode = choice(body, ("mode", "limits"), ("okx", "off"), enabled)
    policy = choice(body, ("dup_clordid",), ("live_only", "ever", "never"), rules.dup_clordid)
    lag = whole(body, "read_lag_ms", 0, _LATENCY_LARGEST, rules.read_lag_ms)
    offset = whole(body, "clock_offset_ms", -(10**10), 10**10, venue.clock.offset_ms)
    idle = whole(body, "ws_idle_s", 1, 86_400, venue.ws_idle_s)
    only(body, "mode", "limits", "dup_clordid", "read_lag_ms", "clock_offset_ms", "ws_idle_s")
    venue.limiter.enabled = mode == "okx"
    rules.dup_clordid, rules.read_lag_ms = policy, lag
    venue.clock.offset_ms, venue.ws_idle_s = offset, idle
    return {
        "mode": mode,
        "dup_clordid": policy,
        "read_lag_ms": lag,
        "clock_offset_ms": offset,
        "ws_idle_s": idle,
    }


async def _add_fault(hub: Hub, asked: Asked) -> Row:
    return {"id": hub.venue.faults.install(asked.body).fault_id}


async def _faults(hub: Hub, _asked: Asked) -> Row:
    return {"faults": [each.row() for each in hub.venue.faults.installed]}


async def _clear_faults(hub: Hub, _asked: Asked) -> Row:
    hub.venue.faults.clear()
    return {"faults": []}


async def _ledger(hub: Hub, asked: Asked) -> Row:
    """`next` is the number to ask `after` for the following page; null when this was the last."""
    ledger = hub.venue.ledger
    after, limit = asked.number("after") or 0, asked.number("limit", _LEDGER_PAGE)
    entries = list(ledger.after(after, limit))
    more = bool(entries) and entries[-1]["seq"] < ledger.last_seq
    return {"entries": entries, "next": entries[-1]["seq"] if more else None}


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
    ("POST", "/latency"): _latency,
    ("POST", "/limits"): _limits,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/ledger"): _ledger,
}
