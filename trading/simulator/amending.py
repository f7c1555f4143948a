"""Amending a pending order: its new terms, and whether the account may have them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from trading.simulator import buying_power, checks, matching
from trading.simulator.codes import INSUFFICIENT_BALANCE, OkxError
from trading.simulator.decimals import parse_number, plain
from trading.simulator.instruments import BY_ID
from trading.simulator.requests import Params, check_price, check_size, flag
from trading.simulator.state import Account, Order

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange


def amend(exchange: Exchange, account: Account, order: Order, params: Params) -> None:
    """New total size, new price, or both; a size already filled ends the order.

    A smaller size keeps the order's place in the queue; a larger one or a new price
    puts it at the end.
    """
    cancel_on_failure = flag(params, "cxlOnFail")
    size, price = _new_terms(exchange, order, params)
    try:
        checks.check_trading(account, order.inst_id, exchange.market)
        _check(exchange, account, order, size, price)
    except OkxError:
        if cancel_on_failure:
            exchange.end(account, order, "1")
        raise
    exchange.record(
        {
            "kind": "amend",
            "ts": exchange.clock.ms(),
            "account": account.key,
            "inst_id": order.inst_id,
            "ord_id": order.ord_id,
            "cl_ord_id": order.cl_ord_id,
            "sz": plain(size),
            "px": "" if price is None else plain(price),
            "req_id": params.text("reqId"),
        }
    )
    exchange.on_order(account, order, None)
    if order.is_open and matching.crosses(exchange, order):
        matching.take(exchange, account, order)
    else:
        exchange.on_account(account, "amended")


def _new_terms(exchange: Exchange, order: Order, params: Params) -> tuple[Decimal, Decimal | None]:
    if not params.has("newSz") and not params.has("newPx"):
        raise OkxError("51500")
    size, price = order.sz, order.px
    if params.has("newSz"):
        size = _number(params, "newSz")
        check_size(BY_ID[order.inst_id], size)
        checks.check_largest_limit(BY_ID[order.inst_id], size)
    if params.has("newPx"):
        price = _number(params, "newPx")
        check_price(BY_ID[order.inst_id], price)
        quote, movable = exchange.market.quote(order.inst_id), params.text("pxAmendType") == "1"
        price = checks.limited_price(order.side, price, quote, movable=movable)
    return size, price


def _number(params: Params, name: str) -> Decimal:
    value = parse_number(params.needed(name))
    if not value:
        raise OkxError("51000", name)
    return value


def _check(
    exchange: Exchange, account: Account, order: Order, size: Decimal, price: Decimal | None
) -> None:
    """The amended order is judged as if it were placed anew without the old one."""
    held = order.sz, order.px
    try:
        order.sz, order.px = max(size, order.filled), price
        checks.check_closing(account, order, account.pos_mode)
        _check_funds(exchange, account, order)
        if order.ord_type == "post_only" and matching.crosses(exchange, order):
            raise OkxError("51511")
    finally:
        order.sz, order.px = held


def _check_funds(exchange: Exchange, account: Account, order: Order) -> None:
    """Too little money has a code of its own here."""
    try:
        buying_power.check_funds(exchange, account, order)
    except OkxError as error:
        if error.code != "51008":
            raise
        balance = error.sub_code == INSUFFICIENT_BALANCE
        raise OkxError("51502", sub_code="1030" if balance else "1031") from error
