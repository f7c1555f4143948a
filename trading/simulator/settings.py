"""Account settings: position mode and leverage."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trading.simulator.buying_power import available
from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import ZERO, divide, parse_number, plain
from trading.simulator.exchange import Exchange
from trading.simulator.instruments import Instrument, tier_for
from trading.simulator.margin import isolated_health, notional
from trading.simulator.requests import Params
from trading.simulator.state import Account, Position

Row = dict[str, str]


def set_position_mode(exchange: Exchange, account: Account, params: Params) -> Row:
    """Whole account; refused with open orders or positions (59000)."""
    mode = params.chosen("posMode", "net_mode", "long_short_mode")
    if mode != account.pos_mode:
        if account.pending or account.live_algos or account.open_positions():
            raise OkxError("59000")
        if account.acct_lv == "4":
            raise OkxError("51041")
        exchange.record(
            {
                "kind": "setting",
                "ts": exchange.clock.ms(),
                "account": account.key,
                "name": "pos_mode",
                "value": mode,
            }
        )
    return {"posMode": mode}


def set_leverage(exchange: Exchange, account: Account, params: Params) -> Row:
    listed = params.instrument()
    mgn_mode = params.chosen("mgnMode", "cross", "isolated")
    lever = _lever(params, listed)
    if account.acct_lv == "1":
        raise OkxError("51010")
    pos_side = _lever_side(account, params, mgn_mode)
    margin: dict[str, Decimal] = {}
    if lever != account.lever(listed.inst_id, mgn_mode, pos_side):
        _refuse_pending(account, listed.inst_id, mgn_mode, pos_side)
        _refuse_tier(account, listed, mgn_mode, lever)
        margin = _margin_moves(exchange, account, (listed.inst_id, mgn_mode, pos_side), lever)
    exchange.record(
        {
            "kind": "setting",
            "ts": exchange.clock.ms(),
            "account": account.key,
            "name": "lever",
            "inst_id": listed.inst_id,
            "mgn_mode": mgn_mode,
            "pos_side": pos_side,
            "value": plain(lever),
            "margin": {side: plain(change) for side, change in margin.items()},
            "bill_id": exchange.ids.next(),
        }
    )
    exchange.on_account(account, "set_leverage")
    return {
        "lever": plain(lever),
        "mgnMode": mgn_mode,
        "instId": listed.inst_id,
        "posSide": pos_side,
    }


def leverage_rows(account: Account, listed: Instrument, mgn_mode: str) -> list[Row]:
    """One row in net mode, one for each side in long-short mode."""
    sides = ("net",) if account.pos_mode == "net_mode" else ("long", "short")
    return [
        {
            "ccy": "",
            "instId": listed.inst_id,
            "mgnMode": mgn_mode,
            "posSide": side,
            "lever": plain(account.lever(listed.inst_id, mgn_mode, side)),
        }
        for side in sides
    ]


def _lever(params: Params, listed: Instrument) -> Decimal:
    lever = parse_number(params.needed("lever"))
    if lever is None:
        raise parameter("lever")
    if lever > listed.max_lever:
        raise OkxError("59102")
    if lever < 1:
        raise OkxError("59105", "1")
    return lever


def _lever_side(account: Account, params: Params, mgn_mode: str) -> str:
    """The side matters only for isolated margin in long-short mode."""
    given = params.text("posSide")
    if given not in ("", "net", "long", "short"):
        raise parameter("posSide")
    if account.pos_mode == "net_mode":
        if given not in ("", "net"):
            raise parameter("posSide")
        return "net"
    if mgn_mode == "cross":
        return ""
    if given not in ("long", "short"):
        raise parameter("posSide")
    return given


def _refuse_pending(account: Account, inst_id: str, mgn_mode: str, pos_side: str) -> None:
    for order in account.pending.values():
        same = order.inst_id == inst_id and order.td_mode == mgn_mode
        if same and pos_side in ("", "net", order.pos_side):
            raise OkxError("59107" if mgn_mode == "cross" else "59101")
    for algo in account.live_algos.values():
        same = algo.inst_id == inst_id and algo.td_mode == mgn_mode
        if same and pos_side in ("", "net", algo.pos_side):
            raise OkxError("59669" if mgn_mode == "cross" else "59668")


def _margin_moves(
    exchange: Exchange, account: Account, key: tuple[str, str, str], lever: Decimal
) -> dict[str, Decimal]:
    """What an isolated position gains or gives back; 59108 when the account cannot pay."""
    inst_id, mgn_mode, pos_side = key
    sides = (pos_side,) if pos_side else ("long", "short")
    open_keys = [(inst_id, mgn_mode, side) for side in sides]
    held = [account.positions[each] for each in open_keys if each in account.positions]
    extra = sum((_extra(exchange, account, each, lever) for each in held), ZERO)
    settle = exchange.market.quote(inst_id).instrument.settle
    if extra > 0 and extra > available(exchange, account, settle, mgn_mode):
        raise OkxError("59108")
    if mgn_mode == "cross":
        return {}
    for each in held:
        _refuse_liquidation(exchange, each, lever)
    return {each.pos_side: divide(abs(each.cost), lever) - each.margin for each in held}


def _refuse_liquidation(exchange: Exchange, position: Position, lever: Decimal) -> None:
    """Margin that a loss has used up does not come back by a higher leverage."""
    kept = replace(position, margin=divide(abs(position.cost), lever))
    ratio = isolated_health(kept, exchange.market).ratio
    if ratio is not None and ratio <= 1:
        raise OkxError("59108")


def _refuse_tier(account: Account, listed: Instrument, mgn_mode: str, lever: Decimal) -> None:
    for position in account.open_positions():
        if (position.inst_id, position.mgn_mode) == (listed.inst_id, mgn_mode):
            tier = tier_for(listed, position.qty)
            if lever > tier.max_lever:
                raise OkxError("59106", plain(tier.max_size))


def _extra(exchange: Exchange, account: Account, position: Position, lever: Decimal) -> Decimal:
    if position.mgn_mode == "isolated":
        return divide(abs(position.cost), lever) - position.margin
    value = notional(position, exchange.market)
    now = account.lever(position.inst_id, position.mgn_mode, position.pos_side)
    return divide(value, lever) - divide(value, now)
