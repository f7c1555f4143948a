"""The control API: accounts, prices, latency, limits, faults and the ledger, as JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from trading.simulator import opening
from trading.simulator.decimals import parse_number, parse_whole, plain
from trading.simulator.faults import BadFaultError
from trading.simulator.hub import Hub
from trading.simulator.instruments import BY_ID
from trading.simulator.requests import decode
from trading.simulator.wire import dump

Handler = Callable[[Hub, web.Request], Awaitable[web.Response]]

_LATENCY_LARGEST: Final = 600_000


class BadInputError(ValueError):
    """What was sent cannot be used; `field` names the part that is wrong."""

    def __init__(self, field: str, why: str) -> None:
        self.field = field
        super().__init__(why)


async def handle(hub: Hub, request: web.Request) -> web.Response:
    """Every refusal is a 4xx with `error` and `field`; nothing was changed then."""
    handlers = {
        path: each for (method, path), each in _HANDLERS.items() if method == request.method
    }
    handler = handlers.get(request.path)
    if handler is None:
        known = any(path == request.path for _, path in _HANDLERS)
        return _json({"error": "not found", "field": ""}, 405 if known else 404)
    try:
        return await handler(hub, request)
    except (BadInputError, BadFaultError, opening.BadAccountError) as error:
        return _json({"error": str(error), "field": error.field}, 400)


async def _health(hub: Hub, _request: web.Request) -> web.Response:
    state = hub.venue.exchange.state
    return _json(
        {
            "status": "ok",
            "accounts": len(state.accounts),
            "entries": hub.venue.ledger.last_seq,
            "sessions": len(hub.sessions),
        }
    )


async def _add_account(hub: Hub, request: web.Request) -> web.Response:
    body = await _body(request)
    account, made = opening.open_account(hub.venue.exchange, opening.read_opening(body))
    await hub.venue.ledger.flush()
    return _json({"key": account.key, "uid": account.uid, "created": made})


async def _accounts(hub: Hub, _request: web.Request) -> web.Response:
    rows = [
        {
            "key": each.key,
            "uid": each.uid,
            "pos_mode": each.pos_mode,
            "acct_lv": each.acct_lv,
            "perm": each.perm,
            "balances": {ccy: plain(cash) for ccy, cash in each.balances.items()},
        }
        for each in hub.venue.exchange.state.accounts.values()
    ]
    return _json({"accounts": rows})


async def _prices(hub: Hub, request: web.Request) -> web.Response:
    """All prices are read before the first is set."""
    body = await _body(request)
    wanted = {inst_id: _price(inst_id, value) for inst_id, value in body.items()}
    exchange = hub.venue.exchange
    for inst_id, price in wanted.items():
        now = hub.venue.clock.ms()
        exchange.market.pin(inst_id, price, now)
        exchange.record({"kind": "price", "ts": now, "inst_id": inst_id, "px": plain(price)})
    exchange.follow(list(wanted))
    hub.prices_moved(wanted)
    await hub.venue.ledger.flush()
    return _json({"prices": {inst_id: plain(price) for inst_id, price in wanted.items()}})


async def _latency(hub: Hub, request: web.Request) -> web.Response:
    body = await _body(request)
    hub.venue.latency_ms = _whole(body, "ms", 0, _LATENCY_LARGEST)
    return _json({"ms": hub.venue.latency_ms})


async def _limits(hub: Hub, request: web.Request) -> web.Response:
    """Only the names that are given change; everything is checked first."""
    body = await _body(request)
    venue, rules = hub.venue, hub.venue.exchange.rules
    mode = _choice(
        body, ("mode", "limits"), ("okx", "off"), "okx" if venue.limiter.enabled else "off"
    )
    policy = _choice(body, ("dup_clordid",), ("live_only", "ever", "never"), rules.dup_clordid)
    lag = _whole(body, "read_lag_ms", 0, _LATENCY_LARGEST, rules.read_lag_ms)
    offset = _whole(body, "clock_offset_ms", -(10**10), 10**10, venue.clock.offset_ms)
    idle = _whole(body, "ws_idle_s", 1, 86_400, venue.ws_idle_s)
    unknown = set(body) - _LIMIT_NAMES
    if unknown:
        raise BadInputError(sorted(unknown)[0], "unknown name")
    venue.limiter.enabled = mode == "okx"
    rules.dup_clordid, rules.read_lag_ms = policy, lag
    venue.clock.offset_ms, venue.ws_idle_s = offset, idle
    return _json(
        {
            "mode": mode,
            "dup_clordid": policy,
            "read_lag_ms": lag,
            "clock_offset_ms": offset,
            "ws_idle_s": idle,
        }
    )


async def _add_fault(hub: Hub, request: web.Request) -> web.Response:
    fault = hub.venue.faults.install(await _body(request, exact_numbers=False))
    return _json({"id": fault.fault_id})


async def _faults(hub: Hub, _request: web.Request) -> web.Response:
    return _json({"faults": [each.row() for each in hub.venue.faults.installed]})


async def _clear_faults(hub: Hub, _request: web.Request) -> web.Response:
    hub.venue.faults.clear()
    return _json({"faults": []})


async def _ledger(hub: Hub, request: web.Request) -> web.Response:
    after = _query(request, "after") or 0
    limit = _query(request, "limit")
    return _json({"entries": list(hub.venue.ledger.after(after, limit))})


async def _body(request: web.Request, *, exact_numbers: bool = True) -> dict[str, Any]:
    """Numbers arrive as their text, except where a float is meant (`prob`)."""
    data = await request.read()
    try:
        body = decode(data) if exact_numbers else _decode_numbers(data)
    except ValueError as error:
        raise BadInputError("", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadInputError("", "an object is expected")
    return body


def _decode_numbers(data: bytes) -> Any:
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _price(inst_id: str, value: Any) -> Any:
    listed = BY_ID.get(inst_id)
    if listed is None:
        raise BadInputError(inst_id, "unknown instrument")
    price = parse_number(value) if isinstance(value, str) else None
    if not price or price < listed.tick:
        raise BadInputError(inst_id, "a positive price is expected")
    return price


def _whole(body: dict[str, Any], name: str, low: int, high: int, default: int | None = None) -> int:
    if name not in body and default is not None:
        return default
    value = body.get(name)
    text = value if isinstance(value, str) else ""
    size = parse_whole(text.removeprefix("-"), 11)
    if size is None:
        raise BadInputError(name, "a whole number is expected")
    number = -size if text.startswith("-") else size
    if not low <= number <= high:
        raise BadInputError(name, f"a number from {low} to {high} is expected")
    return number


def _choice(
    body: dict[str, Any], names: tuple[str, ...], allowed: tuple[str, ...], now: str
) -> str:
    for name in names:
        if name in body:
            if body[name] not in allowed:
                raise BadInputError(name, f"one of {', '.join(allowed)} is expected")
            return str(body[name])
    return now


def _query(request: web.Request, name: str) -> int | None:
    value = request.query.get(name, "")
    if not value:
        return None
    number = parse_whole(value, 15)
    if number is None:
        raise BadInputError(name, "a whole number is expected")
    return number


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=dump(value), status=status, content_type="application/json")


_LIMIT_NAMES: Final = frozenset(
    ("mode", "limits", "dup_clordid", "read_lag_ms", "clock_offset_ms", "ws_idle_s")
)
_HANDLERS: Final[dict[tuple[str, str], Handler]] = {
    ("GET", "/health"): _health,
    ("GET", "/accounts"): _accounts,
    ("POST", "/accounts"): _add_account,
    ("POST", "/prices"): _prices,
    ("POST", "/latency"): _latency,
    ("POST", "/limits"): _limits,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/ledger"): _ledger,
}
