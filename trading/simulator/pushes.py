"""What the private channels push: first snapshots, later updates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from trading.simulator import pushes_algo, rows_account
from trading.simulator.channels import Subscription
from trading.simulator.decimals import plain
from trading.simulator.instruments import BY_ID
from trading.simulator.state import Account, Fill, Order, Position, PositionKey
from trading.simulator.venue import Venue

Body = dict[str, Any]
LIQUIDATIONS: Final = ("partial_liquidation", "full_liquidation")
PAGE: Final = 20

# The event a change is called in balance_and_position; others are not told there.
_BOTH_EVENTS: Final = {
    "adl": "adl",
    "funding_fee": "funding_fee",
    "liquidation": "liquidation",
    "margin": "adjust_margin",
    "reset": "transferred",
    "set_leverage": "set_leverage",
    "transferred": "transferred",
}
_FILL_EVENTS: Final = dict.fromkeys(LIQUIDATIONS, "liquidation") | {"adl": "adl"}
_WARNED: Final = (
    "cTime",
    "ccy",
    "instId",
    "instType",
    "lever",
    "markPx",
    "mgnMode",
    "mgnRatio",
    "pTime",
    "pos",
    "posCcy",
    "posId",
    "posSide",
    "uTime",
)
_COMPARED: Final = ("cashBal", "frozenBal", "ordFrozen", "isoEq")


@dataclass(slots=True)
class News:
    """What happened to one account since it was last told."""

    account: Account
    positions: dict[PositionKey, None] = field(default_factory=dict)
    events: list[tuple[str, list[Fill]]] = field(default_factory=list)

    def filled(self, order: Order, fill: Fill) -> None:
        """Fills that follow each other become one push with several trades."""
        if not fill.is_spot:
            self.positions[fill.inst_id, fill.mgn_mode, fill.pos_side] = None
        name = _FILL_EVENTS.get(order.category, "filled")
        if self.events and self.events[-1][0] == name:
            self.events[-1][1].append(fill)
        else:
            self.events.append((name, [fill]))

    def happened(self, event: str) -> None:
        name = _BOTH_EVENTS.get(event)
        if name is None:
            return
        if not self.events or self.events[-1][0] != name:
            self.events.append((name, []))
        for key, each in self.account.positions.items():
            if each.qty or each.u_time == self.account.u_time:
                self.positions[key] = None


@dataclass(slots=True)
class Told:
    """The figures that the listeners of an account know, so that only changes are pushed."""

    details: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cash: dict[str, Decimal] = field(default_factory=dict)


def snapshot(venue: Venue, account: Account, subscription: Subscription) -> list[Body]:
    """What is pushed right after subscribing and then regularly; orders have none."""
    if subscription.channel == "positions":
        held = [each for each in account.open_positions() if subscription.matches(each.inst_id)]
        return _pages([_position(venue, account, each) for each in held])
    if subscription.channel == "account":
        wanted = [subscription.ccy] if subscription.ccy else []
        return _pages([_balance(venue, account, wanted)])
    if subscription.channel == "balance_and_position":
        open_keys = [key for key, each in account.positions.items() if each.qty]
        held_cash = [ccy for ccy, cash in account.balances.items() if cash]
        return [_both(venue, account, "snapshot", [], held_cash, open_keys)]
    return pushes_algo.snapshot(venue, account, subscription)


def positions_update(venue: Venue, account: Account, keys: Iterable[PositionKey]) -> Body:
    """Changed positions; one that was closed is pushed once more with size 0."""
    held = [account.positions[key] for key in keys if key in account.positions]
    rows = [_position(venue, account, each) for each in held]
    return {"eventType": "event_update", "data": rows}


def changed_balance(venue: Venue, account: Account, told: Told) -> tuple[Body, list[Body]]:
    """The whole balance, and the details of the currencies that changed since `told`."""
    row = _balance(venue, account, [])
    before = told.details
    told.details = {each["ccy"]: tuple(each[name] for name in _COMPARED) for each in row["details"]}
    fresh = [
        each for each in row["details"] if before.get(each["ccy"]) != told.details[each["ccy"]]
    ]
    return row, fresh or row["details"]


def account_update(
    venue: Venue, account: Account, subscription: Subscription, row: Body, fresh: list[Body]
) -> Body:
    if subscription.ccy:
        row = _balance(venue, account, [subscription.ccy])
    else:
        row = {**row, "details": fresh}
    return {"eventType": "event_update", "data": [row]}


def both_updates(venue: Venue, news: News, told: Told) -> list[Body]:
    """One push per kind of event; balances that did not change are left out."""
    account = news.account
    changed = [ccy for ccy, cash in account.balances.items() if told.cash.get(ccy) != cash]
    if news.events:
        told.cash = dict(account.balances)
    return [
        _both(venue, account, name, fills, changed, news.positions) for name, fills in news.events
    ]


def warning_row(venue: Venue, account: Account, position: Position) -> Body:
    """A position that came near its liquidation."""
    row = _position(venue, account, position)
    return {name: row[name] for name in _WARNED}


def liquidation_row(order: Order, fill: Fill) -> Body:
    """The public channel of liquidations: what the exchange had to sell or buy."""
    listed = BY_ID[order.inst_id]
    long = order.pos_side == "long" or (order.pos_side == "net" and order.side == "sell")
    detail = {
        "bkLoss": "0",
        "bkPx": plain(fill.px),
        "ccy": "",
        "posSide": "long" if long else "short",
        "side": order.side,
        "sz": plain(fill.sz),
        "ts": str(fill.ts),
    }
    return {
        "details": [detail],
        "instFamily": listed.family,
        "instId": order.inst_id,
        "instType": listed.inst_type,
        "uly": listed.family,
    }


def _pages(rows: list[Body]) -> list[Body]:
    """A snapshot of many rows comes in pages; an empty one is a page as well."""
    waiting = iter(rows)
    pages = list(iter(lambda: list(islice(waiting, PAGE)), [])) or [[]]
    return [
        {"eventType": "snapshot", "curPage": at, "lastPage": at == len(pages), "data": page}
        for at, page in enumerate(pages, 1)
    ]


def _both(
    venue: Venue,
    account: Account,
    name: str,
    fills: Iterable[Fill],
    currencies: Iterable[str],
    keys: Iterable[PositionKey],
) -> Body:
    positions = [account.positions[key] for key in keys if key in account.positions]
    row = {
        "pTime": str(venue.clock.ms()),
        "eventType": name,
        "balData": [
            {"ccy": ccy, "cashBal": plain(account.balances[ccy]), "uTime": str(account.u_time)}
            for ccy in currencies
        ],
        "posData": [_short_position(each) for each in positions],
        "trades": [{"instId": fill.inst_id, "tradeId": fill.trade_id} for fill in fills],
    }
    return {"data": [row]}


def _balance(venue: Venue, account: Account, wanted: list[str]) -> Body:
    row = rows_account.balance_row(account, venue.market, wanted, venue.clock.ms())
    for detail in row["details"]:
        price = venue.market.usd_price(detail["ccy"])
        detail["coinUsdPrice"] = plain(price)
        detail["maxSpotInUseAmt"] = detail.pop("maxSpotInUse")
        for name in ("autoLendStatus", "autoLendMtAmt"):
            del detail[name]
    return row


def _position(venue: Venue, account: Account, position: Position) -> Body:
    row = rows_account.position_row(account, position, venue.market)
    for name in ("baseBal", "quoteBal"):
        del row[name]
    return row | {"pTime": str(venue.clock.ms())}


def _short_position(position: Position) -> Body:
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
