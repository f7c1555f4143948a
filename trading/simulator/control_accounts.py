"""The control API for accounts: what they hold and what rests."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from trading.simulator import margin, rows_account, upkeep
from trading.simulator.control_input import Asked, BadInputError, Handlers, NotThereError
from trading.simulator.decimals import plain
from trading.simulator.hub import Hub
from trading.simulator.state import Account, Order, Position

Row = dict[str, Any]

_MOST: Final = 1000


def summary(hub: Hub, account: Account) -> Row:
    market, now = hub.venue.market, hub.venue.clock.ms()
    return {
        "key": account.key,
        "uid": account.uid,
        "label": account.label,
        "pos_mode": account.pos_mode,
        "acct_lv": account.acct_lv,
        "perm": account.perm,
        "ip": account.ip,
        "env": account.env,
        "frozen": account.frozen,
        "balances": {ccy: plain(cash) for ccy, cash in account.balances.items()},
        "equity_usd": rows_account.balance_row(account, market, [], now)["totalEq"],
        "positions_open": len(account.open_positions()),
        "orders_open": len(account.pending),
    }


def order_row(order: Order) -> Row:
    return {
        "account": order.account,
        "ord_id": order.ord_id,
        "cl_ord_id": order.cl_ord_id,
        "inst_id": order.inst_id,
        "side": order.side,
        "pos_side": order.pos_side,
        "td_mode": order.td_mode,
        "ord_type": order.ord_type,
        "sz": plain(order.sz),
        "filled": plain(order.filled),
        "px": "" if order.px is None else plain(order.px),
        "state": order.state,
        "c_time": order.c_time,
    }


def named(hub: Hub, key: str) -> Account:
    account = hub.venue.exchange.state.accounts.get(key)
    if account is None:
        raise NotThereError(f"no account {key}")
    return account


async def _list(hub: Hub, asked: Asked) -> Row:
    """Newest last; `search` looks into key, uid and label."""
    start = asked.number("offset") or 0
    limit = asked.number("limit", _MOST) or _MOST
    wanted = asked.query.get("search", "").casefold()
    every = hub.venue.exchange.state.accounts.values()
    found = [each for each in every if wanted in _searched(each)] if wanted else list(every)
    page = islice(found, start, start + limit)
    return {"accounts": [summary(hub, each) for each in page], "total": len(found)}


async def _show(hub: Hub, asked: Asked) -> Row:
    account = named(hub, asked.name)
    currencies = rows_account.held_currencies(account)
    return {
        **summary(hub, account),
        "funds": {ccy: _funds_row(hub, account, ccy) for ccy in currencies},
        "positions": [_position_row(hub, account, each) for each in account.open_positions()],
        "orders": [order_row(each) for each in account.pending.values()],
    }


async def _orders(hub: Hub, asked: Asked) -> Row:
    """Resting orders of every account, or of one (`account`), oldest first."""
    start = asked.number("offset") or 0
    limit = asked.number("limit", _MOST) or _MOST
    accounts = hub.venue.exchange.state.accounts
    key, inst_id = asked.query.get("account", ""), asked.query.get("inst_id", "")
    if key and key not in accounts:
        raise BadInputError("account", "unknown account")
    held = [accounts[key]] if key else list(accounts.values())
    found = [
        order
        for account in held
        for order in account.pending.values()
        if inst_id in ("", order.inst_id)
    ]
    page = sorted(found, key=lambda each: int(each.ord_id))[start : start + limit]
    return {"orders": [order_row(each) for each in page], "total": len(found)}


def _searched(account: Account) -> str:
    return f"{account.key}\n{account.uid}\n{account.label}".casefold()


def _funds_row(hub: Hub, account: Account, ccy: str) -> Row:
    view = margin.funds(account, ccy, hub.venue.market)
    return {
        "cash": plain(view.cash),
        "equity": plain(view.eq),
        "available": plain(view.available),
        "free": plain(upkeep.free(hub.venue.exchange, account, ccy)),
        "frozen": plain(view.frozen),
        "upl": plain(view.upl + view.iso_upl),
    }


def _position_row(hub: Hub, account: Account, position: Position) -> Row:
    shown = rows_account.position_row(account, position, hub.venue.market)
    return {
        "inst_id": position.inst_id,
        "mgn_mode": position.mgn_mode,
        "pos_side": position.pos_side,
        "qty": plain(position.qty),
        "avg_px": shown["avgPx"],
        "mark_px": shown["markPx"],
        "liq_px": shown["liqPx"],
        "lever": shown["lever"],
        "margin": plain(position.margin),
        "upl": shown["upl"],
        "realized_pnl": shown["realizedPnl"],
    }


HANDLERS: Final[Handlers] = {
    ("GET", "/accounts"): _list,
    ("GET", "/accounts/*"): _show,
    ("GET", "/orders"): _orders,
}
