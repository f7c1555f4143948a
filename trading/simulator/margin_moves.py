"""Margin put into an isolated position, or taken out of it, by hand."""

from __future__ import annotations

from decimal import Decimal

from trading.simulator import margin
from trading.simulator.buying_power import available
from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import ZERO, divide, parse_number, plain
from trading.simulator.exchange import Exchange
from trading.simulator.requests import Params
from trading.simulator.state import Account, Position

Row = dict[str, str]


def move_margin(exchange: Exchange, account: Account, params: Params) -> Row:
    """Refused without the position (59300), money (59200), or excess margin (59301).

    While closing orders rest nothing is taken out (59302).
    """
    listed = params.instrument()
    pos_side = params.chosen("posSide", "long", "short", "net")
    kind = params.chosen("type", "add", "reduce")
    amount = parse_number(params.needed("amt"))
    if not amount:
        raise parameter("amt")
    key = (listed.inst_id, "isolated", pos_side)
    position = account.positions.get(key)
    if position is None or not position.qty:
        raise OkxError("59300")
    if kind == "add":
        if amount > available(exchange, account, listed.settle, "isolated"):
            raise OkxError("59200")
    else:
        _check_reduction(exchange, account, position, amount)
    exchange.record(
        {
            "kind": "margin",
            "ts": exchange.clock.ms(),
            "account": account.key,
            "inst_id": listed.inst_id,
            "mgn_mode": "isolated",
            "pos_side": pos_side,
            "amount": plain(amount if kind == "add" else -amount),
            "bill_id": exchange.ids.next(),
        }
    )
    exchange.on_account(account, "margin")
    equity = margin.isolated_health(position, exchange.market).equity
    leverage = divide(margin.notional(position, exchange.market), equity) if equity > 0 else ZERO
    return {
        "instId": listed.inst_id,
        "posSide": pos_side,
        "amt": plain(amount),
        "type": kind,
        "leverage": plain(leverage),
        "ccy": listed.settle,
    }


def _check_reduction(
    exchange: Exchange, account: Account, position: Position, amount: Decimal
) -> None:
    """The initial margin at the leverage stays, and losses stay covered."""
    key = (position.inst_id, position.mgn_mode, position.pos_side)
    if any(
        each.reduce_only and (each.inst_id, each.td_mode, each.pos_side) == key
        for each in account.pending.values()
    ):
        raise OkxError("59302")
    loss = max(-margin.unrealized(position, exchange.market), ZERO)
    lever = account.lever(*key)
    at_entry = divide(abs(position.cost), lever)
    needed = max(at_entry, margin.initial(account, position, exchange.market))
    if amount > position.margin - loss - needed:
        raise OkxError("59301")
