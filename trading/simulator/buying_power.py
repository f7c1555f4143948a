"""What an order needs against what the account may use, and the largest order that passes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from trading.simulator.codes import OkxError, insufficient
from trading.simulator.decimals import ZERO, divide, floor_to
from trading.simulator.instruments import BY_ID, Instrument, largest_at
from trading.simulator.margin import closable, fee_rate, funds, order_margin
from trading.simulator.matching import best_price, crosses, plan
from trading.simulator.requests import check_size
from trading.simulator.state import Account, Order

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange


def check_funds(exchange: Exchange, account: Account, order: Order) -> None:
    """51008 unless the free money covers the opening part and its fee; 51004 above the tier."""
    listed = BY_ID[order.inst_id]
    if listed.is_spot:
        ccy, needed = _spot_need(exchange, account, order)
        if needed > available(exchange, account, ccy, "cash", order):
            raise insufficient(ccy, "balance")
        return
    opening = opening_part(account, order)
    if not opening:
        return
    needed = _contract_need(account, order, opening, dearest_price(exchange, account, order))
    if needed > available(exchange, account, listed.settle, order.td_mode, order):
        raise insufficient(listed.settle, "margin")
    if order.remaining > _room_in_tier(account, order):
        raise OkxError("51004")


def available(
    exchange: Exchange, account: Account, ccy: str, td_mode: str, without: Order | None = None
) -> Decimal:
    """Cross margin may lean on unrealized profit; coins and isolated margin are paid in cash."""
    view = funds(account, ccy, exchange.market, without)
    return view.available if td_mode == "cross" else view.available_cash


def affordable(exchange: Exchange, account: Account, order: Order) -> Order:
    """A spot market order the balance covers at the best price only, cut to what it covers.

    Others are returned as they are: an order too large even there is refused afterwards.
    """
    bought = order.side == "buy" and order.tgt_ccy == "base_ccy"
    sold = order.side == "sell" and order.tgt_ccy == "quote_ccy"
    if not bought and not sold:
        return order
    listed = BY_ID[order.inst_id]
    planned = plan(exchange, account, order)
    free = available(exchange, account, listed.quote if bought else listed.base, "cash")
    needed = sum((size * price if bought else size for price, size in planned), ZERO)
    price = best_price(exchange, order.inst_id, order.side)
    at_best = order.sz * price if bought else order.sz / price
    if needed <= free or at_best > free:
        return order
    left, size = free, ZERO
    for price, offered in planned:
        part = min(offered, floor_to(left / price if bought else left, listed.lot))
        left -= part * price if bought else part
        size += part if bought else part * price
        if part < offered:
            break
    if bought:
        check_size(listed, size)
    return replace(order, sz=size)


def largest(exchange: Exchange, account: Account, order: Order) -> Decimal:
    """The size up to which a contract order like this one (its own is ignored) passes."""
    return min(_affordable_size(exchange, account, order), _room_in_tier(account, order))


def _affordable_size(exchange: Exchange, account: Account, order: Order) -> Decimal:
    listed = BY_ID[order.inst_id]
    free_of_charge = max(closable(account, order) - _committed(account, order), ZERO)
    money = available(exchange, account, listed.settle, order.td_mode)
    passed = reach = ZERO
    for price, offered in _ladder(exchange, account, order):
        opening = _opening_for(account, order, money, price)
        reach += offered
        size = free_of_charge + opening
        if offered and size >= reach:
            passed = reach
            continue
        return max(passed, size if not offered else min(size, reach))
    return passed


def opening_part(account: Account, order: Order) -> Decimal:
    """What is left of the order after it closed what no other order will close."""
    if order.reduce_only:
        return ZERO
    free = max(closable(account, order) - _committed(account, order), ZERO)
    return max(order.remaining - free, ZERO)


def dearest_price(exchange: Exchange, account: Account, order: Order) -> Decimal:
    """Of the prices the order may trade at, the one that asks for the most margin."""
    if order.px is not None:
        best = best_price(exchange, order.inst_id, order.side)
        prices = [order.px, best] if crosses(exchange, order) else [order.px]
    else:
        planned = plan(exchange, account, order)
        first = best_price(exchange, order.inst_id, order.side)
        prices = [planned[0][0], planned[-1][0]] if planned else [first]
    return _dearest(BY_ID[order.inst_id], prices)


def _dearest(listed: Instrument, prices: list[Decimal]) -> Decimal:
    return min(prices) if listed.is_inverse else max(prices)


def _contract_need(account: Account, order: Order, opening: Decimal, price: Decimal) -> Decimal:
    fee = abs(BY_ID[order.inst_id].value(opening, price)) * fee_rate(order.inst_id, "T")
    return order_margin(account, order, opening, price) + fee


def _opening_for(account: Account, order: Order, money: Decimal, price: Decimal) -> Decimal:
    """The most that may be opened at this price: estimated, then made exact lot by lot."""
    lot = BY_ID[order.inst_id].lot
    size = floor_to(divide(money, _contract_need(account, order, Decimal(1), price)), lot)
    while size and _contract_need(account, order, size, price) > money:
        size -= lot
    while _contract_need(account, order, size + lot, price) <= money:
        size += lot
    return size


def _ladder(exchange: Exchange, account: Account, order: Order) -> list[tuple[Decimal, Decimal]]:
    """Prices that decide, with the size up to which each does; the last one has no end (0)."""
    listed = BY_ID[order.inst_id]
    best = best_price(exchange, order.inst_id, order.side)
    if order.px is not None or (listed.is_inverse == (order.side == "buy")):
        crossing = order.px is None or crosses(exchange, order)
        prices = [each for each in (order.px, best if crossing else None) if each is not None]
        return [(_dearest(listed, prices), ZERO)]
    everything = replace(order, sz=Decimal(10) ** 18)
    planned = plan(exchange, account, everything)
    if not planned:
        return [(best, ZERO)]
    return [*planned[:-1], (planned[-1][0], ZERO)]


def _room_in_tier(account: Account, order: Order) -> Decimal:
    """How many contracts may be added before the position outgrows its leverage's tier."""
    listed = BY_ID[order.inst_id]
    key = order.position_key
    position = account.positions.get(key)
    held = position.qty if position else ZERO
    ahead = (held if order.side == "buy" else -held) + _committed(account, order)
    return max(largest_at(listed, account.lever(*key)) - ahead, ZERO)


def _committed(account: Account, order: Order) -> Decimal:
    """What other pending orders of the same kind will close before this one."""
    total = ZERO
    kind = (order.td_mode, order.pos_side)
    for each in account.pending.values():
        alike = each.inst_id == order.inst_id and each.side == order.side
        if alike and (each.td_mode, each.pos_side) == kind and each is not order:
            total += each.remaining
    return total


def _spot_need(exchange: Exchange, account: Account, order: Order) -> tuple[str, Decimal]:
    listed = BY_ID[order.inst_id]
    if order.side == "buy":
        return listed.quote, _spot_cost(exchange, account, order)
    if order.tgt_ccy == "quote_ccy":
        return listed.base, sum((size for _, size in plan(exchange, account, order)), ZERO)
    return listed.base, order.remaining


def _spot_cost(exchange: Exchange, account: Account, order: Order) -> Decimal:
    if order.tgt_ccy == "quote_ccy":
        return order.sz
    if order.px is not None:
        return order.remaining * order.px
    return sum((size * price for price, size in plan(exchange, account, order)), ZERO)
