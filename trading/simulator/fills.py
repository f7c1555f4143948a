"""Executions: what an order trades is recorded, told, and close-only orders are trimmed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from trading.simulator import settle
from trading.simulator.decimals import ZERO, floor_to, plain
from trading.simulator.instruments import BY_ID
from trading.simulator.margin import closable
from trading.simulator.state import Account, Entry, Fill, Order

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange

PARTIAL_LIQUIDATION: Final = "partial_liquidation"
FULL_LIQUIDATION: Final = "full_liquidation"
ADL: Final = "adl"
FORCED: Final = (PARTIAL_LIQUIDATION, FULL_LIQUIDATION)


class _Trade(NamedTuple):
    price: Decimal
    size: Decimal
    trade_id: str
    maker: Order | None = None


def execute(
    exchange: Exchange,
    account: Account,
    order: Order,
    price: Decimal,
    size: Decimal,
    maker: Order | None,
) -> None:
    """A taker takes `size` at `price` from a customer's order, or from the market (None).

    Both sides of a trade between customers share the trade id; both are
    recorded before anybody hears of it.
    """
    market, now = exchange.market, exchange.clock.ms()
    if maker is None:
        trade_id = market.taken(order.inst_id, order.side, price, size, now)
        trade = _Trade(price, size, trade_id)
        told = [(account, order, _record(exchange, account, order, trade, "T"))]
    else:
        trade_id = market.traded(order.inst_id, order.side, price, size, now)
        trade = _Trade(price, size, trade_id, maker)
        owner = exchange.state.accounts[maker.account]
        told = [
            (account, order, _record(exchange, account, order, trade, "T")),
            (owner, maker, _record(exchange, owner, maker, trade, "M")),
        ]
    for who, filled, fill in told:
        _tell(exchange, who, filled, fill)


def complete(exchange: Exchange, taken: Entry) -> None:
    """A crash came between the two sides of a trade: give the maker what the taker took."""
    owner = exchange.state.accounts[taken["maker"]["account"]]
    maker = owner.orders[taken["maker"]["ord_id"]]
    trade_id = taken["trade_id"].removeprefix("-")
    trade = _Trade(Decimal(taken["px"]), Decimal(taken["sz"]), trade_id)
    _tell(exchange, owner, maker, _record(exchange, owner, maker, trade, "M"))


def take_over(exchange: Exchange, account: Account, order: Order) -> None:
    """The exchange itself takes what a liquidation order could not sell or buy, at its price.

    That is no trade of the public market: nothing is printed.
    """
    price = order.px or ZERO
    size = min(order.remaining, closable(account, order))
    trade_id = exchange.market.quote(order.inst_id).take_trade_id()
    trade = _Trade(price, size, trade_id)
    _tell(exchange, account, order, _record(exchange, account, order, trade, "T"))


def reached(exchange: Exchange, account: Account, order: Order, size: Decimal) -> None:
    """The moving market fills a resting order at the order's own price."""
    price = order.px or ZERO
    taker_side = "sell" if order.side == "buy" else "buy"
    now = exchange.clock.ms()
    trade_id = exchange.market.traded(order.inst_id, taker_side, price, size, now)
    trade = _Trade(price, size, trade_id)
    _tell(exchange, account, order, _record(exchange, account, order, trade, "M"))


def trim_closing(exchange: Exchange, account: Account, filled: Order) -> None:
    """Cancel close-only orders, newest first, that the position no longer covers."""
    if not account.pending or BY_ID[filled.inst_id].is_spot:
        return
    key = (filled.inst_id, filled.td_mode, filled.pos_side)
    closing = [
        each
        for each in account.pending.values()
        if each.reduce_only and (each.inst_id, each.td_mode, each.pos_side) == key
    ]
    position = account.positions[key]
    total = sum((each.remaining for each in closing), ZERO)
    for each in reversed(closing):
        if total <= closable(account, each):
            return
        total -= each.remaining
        exchange.end(account, each, "22" if position.qty else "17")


def _record(
    exchange: Exchange,
    account: Account,
    order: Order,
    trade: _Trade,
    exec_type: str,
) -> Fill:
    """A taker's entry names the maker, whose own entry follows it."""
    price, size, trade_id, maker = trade
    quote = exchange.market.quote(order.inst_id)
    if quote.instrument.is_spot:
        terms = settle.spot_terms(order, size, price, exec_type)
    else:
        terms = settle.swap_terms(account, order, size, price, exec_type)
    printed = quote.tape.trades[-1].trade_id == trade_id
    more: Entry = {} if printed else {"printed": False}
    if maker is not None and maker is not order:
        more["maker"] = {"account": maker.account, "ord_id": maker.ord_id}
    exchange.record(
        {
            "kind": "fill",
            "ts": exchange.clock.ms(),
            "account": account.key,
            "inst_id": order.inst_id,
            "ord_id": order.ord_id,
            "cl_ord_id": order.cl_ord_id,
            "side": order.side,
            "pos_side": order.pos_side,
            "sz": plain(size),
            "px": plain(price),
            "trade_id": f"-{trade_id}" if order.category in FORCED else trade_id,
            "bill_id": exchange.ids.next(),
            "tag": order.tag,
            "mgn_mode": order.td_mode,
            "exec_type": exec_type,
            "mark": plain(quote.mark),
            **terms,
            "order_state": "filled" if _is_done(order, price, size) else "partially_filled",
            **more,
        }
    )
    return account.fills[-1]


def _is_done(order: Order, price: Decimal, size: Decimal) -> bool:
    """An order in quote money is done when the rest does not buy another lot."""
    if order.tgt_ccy != "quote_ccy":
        return order.filled + size >= order.sz
    left = order.sz - order.paid - size * price
    return not floor_to(left / price, BY_ID[order.inst_id].lot)


def _tell(exchange: Exchange, account: Account, order: Order, fill: Fill) -> None:
    exchange.on_order(account, order, fill)
    trim_closing(exchange, account, order)
    exchange.on_account(account, "filled")
