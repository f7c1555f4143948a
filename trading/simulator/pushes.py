"""The frames of the private channels: first snapshot, later updates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trading.simulator import rows_account
from trading.simulator.channels import Subscription
from trading.simulator.decimals import plain
from trading.simulator.instruments import BY_ID
from trading.simulator.state import Account, Fill, Position, PositionKey
from trading.simulator.venue import Venue

Frame = dict[str, Any]


def private(account: Account, subscription: Subscription, rows: list[Any]) -> Frame:
    return {"arg": {**subscription.arg, "uid": account.uid}, "data": rows}


def snapshot(venue: Venue, account: Account, subscription: Subscription) -> list[Frame]:
    """What is pushed right after subscribing and then regularly; orders have none."""
    if subscription.channel == "positions":
        held = [each for each in account.open_positions() if subscription.matches(each.inst_id)]
        rows = [_position(venue, account, each) for each in held]
        return [_paged(account, subscription, rows, "snapshot")]
    if subscription.channel == "account":
        return [_paged(account, subscription, [_balance(venue, account, subscription)], "snapshot")]
    if subscription.channel == "balance_and_position":
        open_keys = [key for key, each in account.positions.items() if each.qty]
        return [both_update(venue, account, subscription, ("snapshot", None), open_keys)]
    return []


def positions_update(
    venue: Venue, account: Account, subscription: Subscription, keys: Iterable[PositionKey]
) -> Frame:
    """Changed positions; one that was closed is pushed once more with size 0."""
    held = [account.positions[key] for key in keys if key in account.positions]
    rows = [_position(venue, account, each) for each in held]
    return _paged(account, subscription, rows, "event_update")


def account_update(venue: Venue, account: Account, subscription: Subscription) -> Frame:
    rows = [_balance(venue, account, subscription)]
    return _paged(account, subscription, rows, "event_update")


def both_update(
    venue: Venue,
    account: Account,
    subscription: Subscription,
    event: tuple[str, Fill | None],
    keys: Iterable[PositionKey],
) -> Frame:
    name, fill = event
    positions = [account.positions[key] for key in keys if key in account.positions]
    trades = [{"instId": fill.inst_id, "tradeId": fill.trade_id}] if fill else []
    now = str(venue.clock.ms())
    balances = [
        {"ccy": ccy, "cashBal": plain(cash), "uTime": str(account.u_time)}
        for ccy, cash in account.balances.items()
    ]
    row = {
        "pTime": now,
        "eventType": name,
        "balData": balances,
        "posData": [_short_position(each) for each in positions],
        "trades": trades,
    }
    return private(account, subscription, [row])


def _paged(account: Account, subscription: Subscription, rows: list[Any], event: str) -> Frame:
    frame = private(account, subscription, rows)
    return {
        "arg": frame["arg"],
        "eventType": event,
        "curPage": 1,
        "lastPage": True,
        "data": rows,
    }


def _balance(venue: Venue, account: Account, subscription: Subscription) -> Frame:
    wanted = [subscription.ccy] if subscription.ccy else []
    row = rows_account.balance_row(account, venue.market, wanted, venue.clock.ms())
    for detail in row["details"]:
        price = venue.market.usd_price(detail["ccy"])
        detail["coinUsdPrice"] = plain(price)
        detail["maxSpotInUseAmt"] = detail.pop("maxSpotInUse")
        for name in ("autoLendStatus", "autoLendMtAmt"):
            del detail[name]
    return row


def _position(venue: Venue, account: Account, position: Position) -> Frame:
    row = rows_account.position_row(account, position, venue.market)
    for name in ("baseBal", "quoteBal"):
        del row[name]
    return row | {"pTime": str(venue.clock.ms())}


def _short_position(position: Position) -> Frame:
    return {
        "posId": position.pos_id,
        "tradeId": position.trade_id,
        "instId": position.inst_id,
        "instType": "SWAP",
        "mgnMode": position.mgn_mode,
        "posSide": position.pos_side,
        "pos": rows_account.shown_quantity(position),
        "ccy": BY_ID[position.inst_id].settle,
        "posCcy": "",
        "avgPx": rows_account.average(position),
        "nonSettleAvgPx": "",
        "settledPnl": "",
        "uTime": str(position.u_time),
    }
