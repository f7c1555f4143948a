"""Actions on the market and on connections: prices, suspensions, notices, restarts."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from trading.simulator import pushes_public
from trading.simulator.actions import Action, performing
from trading.simulator.announcing import Plan, read_plans
from trading.simulator.control_input import BadInputError, Handlers, only, whole
from trading.simulator.decimals import floor_to, parse_number, plain
from trading.simulator.hub import Hub
from trading.simulator.instruments import BY_ID
from trading.simulator.market import Quote

Row = dict[str, Any]
NewPrice = tuple[Decimal, bool]
PriceOf = Callable[[Quote], NewPrice]

_PERCENT: Final = re.compile(r"[+-]?\d{1,3}(\.\d{1,8})? ?%", re.ASCII)
_DOWN_LONGEST_S: Final = 3600
_DELISTED_LATEST_S: Final = 90 * 86_400


def _read_prices(body: Row) -> dict[str, PriceOf]:
    """All prices are read before the first is set."""
    if not body:
        raise BadInputError("", "an instrument with its price is expected")
    return {inst_id: _read_price(inst_id, value) for inst_id, value in body.items()}


def _prices(hub: Hub, wanted: dict[str, PriceOf]) -> Row:
    exchange = hub.venue.exchange
    made = {
        inst_id: price_of(exchange.market.quote(inst_id)) for inst_id, price_of in wanted.items()
    }
    exchange.set_prices(made)
    hub.prices_moved(made)
    return {"prices": {inst_id: plain(price) for inst_id, (price, _) in made.items()}}


def _read_price(inst_id: str, value: Any) -> PriceOf:
    """A price holds there; null walks on; a move in percent leaves it held or walking."""
    listed = BY_ID.get(inst_id)
    if listed is None:
        raise BadInputError(inst_id, "unknown instrument")
    if value is None:
        return lambda quote: (quote.last, False)
    if isinstance(value, dict):
        share = _share(inst_id, value)
        return lambda quote: (_moved(quote, share), quote.pinned)
    price = parse_number(value) if isinstance(value, str) else None
    if not price or price < listed.tick:
        raise BadInputError(inst_id, "a positive price is expected")
    fixed = Decimal(price)
    return lambda _quote: (fixed, True)


def _share(inst_id: str, value: Row) -> Decimal:
    move = value.get("move")
    if set(value) != {"move"} or not isinstance(move, str) or not _PERCENT.fullmatch(move):
        raise BadInputError(inst_id, 'a price, null, or {"move": "-2%"} is expected')
    share = Decimal(move.rstrip("% ")) / 100
    if share <= -1:
        raise BadInputError(inst_id, "a price can fall by less than 100 %")
    return share


def _moved(quote: Quote, share: Decimal) -> Decimal:
    tick = quote.instrument.tick
    return max(floor_to(quote.last * (1 + share), tick), tick)


def _read_suspension(body: Row) -> dict[str, bool]:
    if not body:
        raise BadInputError("", "an instrument with true or false is expected")
    for inst_id, value in body.items():
        if inst_id not in BY_ID:
            raise BadInputError(inst_id, "unknown instrument")
        if not isinstance(value, bool):
            raise BadInputError(inst_id, "true or false is expected")
    return body


def _suspend(hub: Hub, wanted: dict[str, bool]) -> Row:
    """Orders on a suspended instrument are refused (51022); resting ones stay."""
    suspended = hub.venue.market.suspended
    for inst_id, value in wanted.items():
        (suspended.add if value else suspended.discard)(inst_id)
        listed = BY_ID[inst_id]
        hub.publish("instruments", listed.inst_type, [pushes_public.listed_row(hub.venue, listed)])
    return {"suspended": sorted(suspended)}


def _read_delisting(body: Row) -> dict[str, int | None]:
    if not body:
        raise BadInputError("", "an instrument with seconds or null is expected")
    for inst_id in body:
        if inst_id not in BY_ID:
            raise BadInputError(inst_id, "unknown instrument")
    return {
        inst_id: None if value is None else whole(body, inst_id, 1, _DELISTED_LATEST_S)
        for inst_id, value in body.items()
    }


def _delist(hub: Hub, wanted: dict[str, int | None]) -> Row:
    """Says when an instrument ends, or that it does not after all; it trades on meanwhile."""
    delisted, now = hub.venue.market.delisted, hub.venue.clock.ms()
    for inst_id, seconds in wanted.items():
        if seconds is None:
            delisted.pop(inst_id, None)
        else:
            delisted[inst_id] = now + seconds * 1000
        listed = BY_ID[inst_id]
        hub.publish("instruments", listed.inst_type, [pushes_public.listed_row(hub.venue, listed)])
    return {"delisted": {inst_id: str(at) for inst_id, at in sorted(delisted.items())}}


def _read_nothing(body: Row) -> None:
    only(body)


def _read_notice(body: Row) -> int:
    only(body, "close_in_s")
    return whole(body, "close_in_s", 0, _DOWN_LONGEST_S, 0)


def _notice(hub: Hub, close_in_s: int) -> Row:
    """64008 to every socket, as OKX sends it a minute before it restarts; with a time
    the sockets are closed after it."""
    sessions = list(hub.sessions)
    if close_in_s:
        hub.announce_restart(close_in_s)
    else:
        for session in sessions:
            session.notify_restart()
    return {"sessions": len(sessions)}


def _cut(hub: Hub, _wanted: None) -> Row:
    sessions = list(hub.sessions)
    for session in sessions:
        session.drop()
    return {"sessions": len(sessions)}


def _read_restart(body: Row) -> int:
    only(body, "down_s")
    return whole(body, "down_s", 1, _DOWN_LONGEST_S, 5)


def _restart(hub: Hub, down_s: int) -> Row:
    """As clients see one: sockets are cut and every call fails for so long."""
    made = [
        hub.venue.faults.install({"fault": fault, "for_s": down_s})
        for fault in ("http:503", "ws_refuse:503")
    ]
    return {**_cut(hub, None), "faults": [each.fault_id for each in made]}


def _announce(hub: Hub, plans: list[Plan]) -> Row:
    now = hub.venue.clock.ms()
    hub.venue.announcements = [plan.at(now) for plan in plans]
    return {"announcements": [each.row(now) for each in hub.venue.announcements]}


ACTIONS: Final[dict[str, Action]] = {
    "prices": Action(_read_prices, _prices),
    "suspend": Action(_read_suspension, _suspend),
    "delist": Action(_read_delisting, _delist),
    "restart_notice": Action(_read_notice, _notice),
    "cut_sockets": Action(_read_nothing, _cut),
    "restart": Action(_read_restart, _restart),
    "maintenance": Action(read_plans, _announce),
}
HANDLERS: Final[Handlers] = {
    ("POST", "/prices"): performing(ACTIONS["prices"]),
    ("POST", "/suspend"): performing(ACTIONS["suspend"]),
    ("POST", "/delist"): performing(ACTIONS["delist"]),
    ("POST", "/restart-notice"): performing(ACTIONS["restart_notice"]),
    ("POST", "/cut-sockets"): performing(ACTIONS["cut_sockets"]),
    ("POST", "/restart"): performing(ACTIONS["restart"]),
    ("POST", "/maintenance"): performing(ACTIONS["maintenance"]),
}
