"""Actions that an exchange forces on accounts: liquidation, deleveraging, funding at once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple

from trading.simulator import funding, liquidation
from trading.simulator.actions import Action, performing
from trading.simulator.control_accounts import named
from trading.simulator.control_input import BadInputError, Handlers, choice, only
from trading.simulator.decimals import is_multiple, parse_number, plain
from trading.simulator.hub import Hub
from trading.simulator.instruments import BY_ID
from trading.simulator.market import FundingDue
from trading.simulator.rates import LARGEST_RATE
from trading.simulator.state import Account, Position, PositionKey

Row = dict[str, Any]


class _Wanted(NamedTuple):
    account: str
    position: PositionKey
    size: Decimal | None


def _read_position(body: Row) -> _Wanted:
    """Which position, by instrument, margin mode (cross) and side (net); `sz` is all of it."""
    only(body, "key", "inst_id", "mgn_mode", "pos_side", "sz")
    key, inst_id = body.get("key"), body.get("inst_id")
    if not isinstance(key, str) or not key:
        raise BadInputError("key", "the key of an account is expected")
    listed = BY_ID.get(inst_id) if isinstance(inst_id, str) else None
    if listed is None or listed.is_spot:
        raise BadInputError("inst_id", "a swap is expected")
    mode = choice(body, ("mgn_mode",), ("cross", "isolated"), "cross")
    side = choice(body, ("pos_side",), ("net", "long", "short"), "net")
    size = None
    if "sz" in body:
        size = parse_number(body["sz"]) if isinstance(body["sz"], str) else None
        if not size or not is_multiple(size, listed.lot):
            raise BadInputError("sz", "a number of contracts is expected")
    return _Wanted(str(key), (listed.inst_id, mode, side), size)


def _held(hub: Hub, wanted: _Wanted) -> tuple[Account, Position]:
    account = named(hub, wanted.account)
    position = account.positions.get(wanted.position)
    if position is None or not position.qty:
        raise BadInputError("inst_id", "the account has no such position")
    if wanted.size is not None and wanted.size > abs(position.qty):
        raise BadInputError("sz", f"the position is {plain(abs(position.qty))}")
    return account, position


def _read_whole(body: Row) -> _Wanted:
    only(body, "key", "inst_id", "mgn_mode", "pos_side")
    return _read_position(body)


def _liquidate(hub: Hub, wanted: _Wanted) -> Row:
    account, position = _held(hub, wanted)
    order = liquidation.liquidate_now(hub.venue.exchange, account, position)
    return {"ord_id": order.ord_id, "sz": plain(order.sz), "category": order.category}


def _deleverage(hub: Hub, wanted: _Wanted) -> Row:
    account, position = _held(hub, wanted)
    size = wanted.size or abs(position.qty)
    order = liquidation.deleverage(hub.venue.exchange, account, position, size)
    return {"ord_id": order.ord_id, "sz": plain(order.sz), "category": order.category}


def _read_funding(body: Row) -> dict[str, Decimal]:
    if not body:
        raise BadInputError("", "a swap with its rate is expected")
    return {inst_id: _rate(inst_id, value) for inst_id, value in body.items()}


def _rate(inst_id: str, value: Any) -> Decimal:
    listed = BY_ID.get(inst_id)
    if listed is None or listed.is_spot:
        raise BadInputError(inst_id, "a swap is expected")
    size = parse_number(value.removeprefix("-")) if isinstance(value, str) else None
    if size is None or size > LARGEST_RATE:
        raise BadInputError(inst_id, f"a rate of at most {plain(LARGEST_RATE)} is expected")
    return -size if value.startswith("-") else size


def _fund(hub: Hub, wanted: dict[str, Decimal]) -> Row:
    """A payment between the regular ones, which still come at their times."""
    exchange = hub.venue.exchange
    for inst_id, rate in wanted.items():
        funding.settle(exchange, FundingDue(inst_id, rate, exchange.clock.ms()))
    return {"funding": {inst_id: plain(rate) for inst_id, rate in wanted.items()}}


def _followed(act: Callable[[Hub, Any], Row]) -> Callable[[Hub, Any], Row]:
    """What it brings about (risk, algo orders) is looked at right away."""

    def acting(hub: Hub, wanted: Any) -> Row:
        made = act(hub, wanted)
        hub.venue.exchange.follow([])
        return made

    return acting


ACTIONS: Final[dict[str, Action]] = {
    "liquidate": Action(_read_whole, _followed(_liquidate)),
    "adl": Action(_read_position, _followed(_deleverage)),
    "funding": Action(_read_funding, _followed(_fund)),
}
HANDLERS: Final[Handlers] = {
    ("POST", "/accounts/*/liquidate"): performing(ACTIONS["liquidate"]),
    ("POST", "/accounts/*/adl"): performing(ACTIONS["adl"]),
    ("POST", "/funding"): performing(ACTIONS["funding"]),
}
