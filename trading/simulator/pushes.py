"""The frames of every channel: first snapshot, later updates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trading.simulator import rows_account, rows_market
from trading.simulator.channels import CANDLES, PRICE_CANDLES, Subscription
from trading.simulator.decimals import plain
from trading.simulator.instruments import BY_ID, instrument_row, of_type
from trading.simulator.session import Session
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


def public_snapshot(venue: Venue, subscription: Subscription, session: Session) -> list[Frame]:
    if subscription.channel == "instruments":
        rows = [instrument_row(each) for each in of_type(subscription.inst_type)]
        for row in rows:
            del row["tradeQuoteCcyList"]
        return [{"arg": subscription.arg, "data": rows}]
    if subscription.channel == "books":
        book = session.books[subscription.name] = _book(venue, subscription)
        return [_book_frame(subscription, "snapshot", book, -1)]
    return [{"arg": subscription.arg, "data": _public_rows(venue, subscription)}]


def public_update(venue: Venue, subscription: Subscription, session: Session) -> list[Frame]:
    if subscription.channel != "books":
        return [{"arg": subscription.arg, "data": _public_rows(venue, subscription)}]
    before = session.books[subscription.name]
    book = session.books[subscription.name] = _book(venue, subscription)
    changes = {side: _changed(before[side], book[side]) for side in ("asks", "bids")}
    return [_book_frame(subscription, "update", {**book, **changes}, before["seqId"])]


def _public_rows(venue: Venue, subscription: Subscription) -> list[Any]:
    channel, market, now = subscription.channel, venue.market, venue.clock.ms()
    quote = market.quote(subscription.inst_id)
    if channel in CANDLES or channel in PRICE_CANDLES:
        bar = channel.rpartition("candle")[2]
        start = rows_market.bucket(now, bar)
        drawn = rows_market.candle(market, subscription.inst_id, bar, start, now)
        return [drawn if channel in CANDLES else [*drawn[:5], drawn[8]]]
    if channel in ("books5", "bbo-tbt"):
        depth = 5 if channel == "books5" else 1
        row = rows_market.book_row(market, subscription.inst_id, depth, now)
        return [row | {"instId": subscription.inst_id} if channel == "books5" else row]
    if channel in ("trades", "trades-all"):
        trade = quote.trades[-1]
        full = channel == "trades"
        row = rows_market.trade_push_row(trade, quote.seq_id)
        return [row if full else rows_market.trade_row(trade)]
    makers = {
        "index-tickers": lambda: rows_market.index_row(quote),
        "tickers": lambda: rows_market.ticker_row(quote, market),
        "mark-price": lambda: rows_market.mark_price_row(quote, now),
        "price-limit": lambda: _without_type(rows_market.price_limit_row(quote, now)),
        "funding-rate": lambda: rows_market.funding_row(quote.instrument, now),
        "open-interest": lambda: rows_market.open_interest_row(quote, now),
    }
    return [makers[channel]()]


def _book(venue: Venue, subscription: Subscription) -> Frame:
    return rows_market.book_row(venue.market, subscription.inst_id, 400, venue.clock.ms())


def _book_frame(subscription: Subscription, action: str, book: Frame, previous: int) -> Frame:
    row = {**book, "checksum": 0, "prevSeqId": previous}
    return {"arg": subscription.arg, "action": action, "data": [row]}


def _changed(before: list[list[str]], now: list[list[str]]) -> list[list[str]]:
    """Levels that are new or different, and those that are gone, with size 0."""
    known = {level[0]: level for level in before}
    prices = {level[0] for level in now}
    gone = [[price, "0", "0", "0"] for price in known if price not in prices]
    return [level for level in now if known.get(level[0]) != level] + gone


def _without_type(row: Frame) -> Frame:
    return {name: value for name, value in row.items() if name != "instType"}


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
