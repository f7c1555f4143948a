"""Takers walk the merged book: customers' resting orders first at equal price, then the market's.

Nothing here changes the state but through the entries that `Exchange.record` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from trading.simulator import fills
from trading.simulator.decimals import ZERO, floor_to
from trading.simulator.instruments import BY_ID
from trading.simulator.margin import cash_left, cash_needed, closable
from trading.simulator.state import Account, Order

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange

OPPOSITE: Final = {"buy": "sell", "sell": "buy"}
_FOK: Final = "13"
IMMEDIATE: Final = {"market": "27", "optimal_limit_ioc": "14", "ioc": "14", "fok": _FOK}


@dataclass(slots=True)
class Offer:
    """What a taker meets next; `maker` is a customer's order, None the market itself."""

    price: Decimal
    size: Decimal
    maker: Order | None


def arrive(exchange: Exchange, account: Account, order: Order, slices: int) -> None:
    """What happens to an accepted order, by its type."""
    if order.ord_type == "post_only" and crosses(exchange, order):
        exchange.end(account, order, "31")
        return
    if order.ord_type == "fok" and not _fills_wholly(exchange, account, order):
        exchange.end(account, order, _FOK)
        return
    take(exchange, account, order, slices)
    if not order.is_open:
        return
    if order.ord_type in IMMEDIATE:
        exchange.end(account, order, IMMEDIATE[order.ord_type])
    elif not order.filled:
        exchange.on_account(account, "ordered")


def crosses(exchange: Exchange, order: Order) -> bool:
    """Whether the order would take liquidity now."""
    if order.px is None:
        return True
    best = best_price(exchange, order.inst_id, order.side)
    return order.px >= best if order.side == "buy" else order.px <= best


def best_price(exchange: Exchange, inst_id: str, side: str) -> Decimal:
    """What a taker of this side gets first, from a customer or from the market."""
    best = exchange.market.quote(inst_id).best(side)
    order = exchange.state.resting.best(inst_id, OPPOSITE[side])
    if order is None or order.px is None:
        return best
    return min(best, order.px) if side == "buy" else max(best, order.px)


def take(exchange: Exchange, account: Account, order: Order, slices: int = 1) -> None:
    """Fill the order level by level until it is done or its limit is reached.

    With `slices` the quantity is filled in at least so many parts.
    """
    largest = _part(exchange, account, order, slices)
    limit = limit_of(exchange, order)
    levels = _levels(exchange, order)
    level = next(levels, None)
    parts = 1
    while order.is_open:
        offer = _better(order, _customer(exchange, order), level)
        if offer is None or not _within(order, offer.price, limit):
            return
        if offer.maker is not None and offer.maker.account == account.key:
            _prevent_self_trade(exchange, account, order, offer.maker)
            continue
        size = min(wanted(account, order, offer.price), offer.size)
        if not size:
            exchange.end(account, order, "17")
            return
        if parts < slices:
            size = min(size, largest)
        parts += 1
        fills.execute(exchange, account, order, offer.price, size, offer.maker)
        if offer is level:
            left = level.size - size
            level = Offer(level.price, left, None) if left else next(levels, None)


def wanted(account: Account, order: Order, price: Decimal) -> Decimal:
    """How much the order still trades at this price; never more than a close-only order may."""
    if order.tgt_ccy == "quote_ccy":
        return floor_to((order.sz - order.paid) / price, BY_ID[order.inst_id].lot)
    return min(order.remaining, closable(account, order)) if order.reduce_only else order.remaining


def plan(exchange: Exchange, account: Account, order: Order) -> list[tuple[Decimal, Decimal]]:
    """Prices and sizes at which the order would be filled now; nothing is changed."""
    planned = []
    spent, got = order.paid, ZERO
    quote_ccy, lot = order.tgt_ccy == "quote_ccy", BY_ID[order.inst_id].lot
    for offer in _offers(exchange, account, order):
        left = (
            floor_to((order.sz - spent) / offer.price, lot) if quote_ccy else order.remaining - got
        )
        size = min(left, offer.size)
        if not size:
            break
        planned.append((offer.price, size))
        spent, got = spent + size * offer.price, got + size
        if size < offer.size:
            break
    return planned


def limit_of(exchange: Exchange, order: Order) -> Decimal:
    """The worst price the order may trade at: its own, without one the end of the price band."""
    if order.px is not None:
        return order.px
    quote = exchange.market.quote(order.inst_id)
    return quote.buy_limit if order.side == "buy" else quote.sell_limit


def fill_reached(exchange: Exchange, inst_id: str) -> None:
    """Fill every resting order that the market has reached, wholly and at its own price.

    An order is reached when the price touched it since the step before.
    """
    quote = exchange.market.quote(inst_id)
    _fill_from(exchange, inst_id, "buy", quote.low)
    _fill_from(exchange, inst_id, "sell", quote.high)


def fill_passed(exchange: Exchange) -> None:
    """After a restart: no resting order can lie beyond the market's best price."""
    for inst_id, quote in exchange.market.quotes.items():
        _fill_from(exchange, inst_id, "buy", quote.ask)
        _fill_from(exchange, inst_id, "sell", quote.bid)


def _fill_from(exchange: Exchange, inst_id: str, side: str, reach: Decimal) -> None:
    while (order := exchange.state.resting.best(inst_id, side)) is not None:
        price = order.px
        if price is None or (price < reach if side == "buy" else price > reach):
            return
        account = exchange.state.accounts[order.account]
        if _stands(exchange, account, order):
            fills.reached(exchange, account, order, wanted(account, order, price))


def _stands(exchange: Exchange, owner: Account, order: Order) -> bool:
    """Whether a resting order can still be filled; it is canceled when it cannot.

    A close-only one needs its position; spot coins and isolated margin have to be
    paid, and losses may have used the money up meanwhile.
    """
    size = wanted(owner, order, order.px or ZERO)
    if not size:
        exchange.end(owner, order, "17")
        return False
    ccy, needed = cash_needed(owner, order, size)
    if needed and needed > cash_left(owner, ccy, exchange.market):
        exchange.end(owner, order, "0")
        return False
    return True


def _part(exchange: Exchange, account: Account, order: Order, slices: int) -> Decimal:
    if slices == 1:
        return ZERO
    price = exchange.market.quote(order.inst_id).best(order.side)
    lot = BY_ID[order.inst_id].lot
    return max(floor_to(wanted(account, order, price) / slices, lot), lot)


def _within(order: Order, price: Decimal, limit: Decimal) -> bool:
    return price <= limit if order.side == "buy" else price >= limit


def _levels(exchange: Exchange, order: Order) -> Iterator[Offer]:
    now = exchange.clock.ms()
    for level in exchange.market.levels(order.inst_id, order.side, now):
        yield Offer(level.price, level.size, None)


def _customer(exchange: Exchange, order: Order) -> Offer | None:
    """The customer's order next in turn."""
    while maker := exchange.state.resting.best(order.inst_id, OPPOSITE[order.side]):
        owner = exchange.state.accounts[maker.account]
        if owner.key == order.account or _stands(exchange, owner, maker):
            price = maker.px or ZERO
            return Offer(price, wanted(owner, maker, price), maker)
    return None


def _better(order: Order, customer: Offer | None, level: Offer | None) -> Offer | None:
    """The better price of the two; at equal price the customer's order."""
    if customer is None or level is None:
        return customer or level
    market_first = (
        level.price < customer.price if order.side == "buy" else level.price > customer.price
    )
    return level if market_first else customer


def _offers(exchange: Exchange, account: Account, order: Order) -> Iterator[Offer]:
    """The merged book as the order would meet it, if nothing else happened meanwhile."""
    limit = limit_of(exchange, order)
    customers, levels = _customers(exchange, account, order, limit), _levels(exchange, order)
    customer, level = next(customers, None), next(levels, None)
    while offer := _better(order, customer, level):
        if not _within(order, offer.price, limit):
            return
        yield offer
        if offer is level:
            level = next(levels, None)
        else:
            customer = next(customers, None)


def _customers(
    exchange: Exchange, account: Account, order: Order, limit: Decimal
) -> Iterator[Offer]:
    """Orders that their owners can surely fill.

    A close-only order behind another order of its owner may be gone by then: it is not counted.
    """
    spent: dict[tuple[str, str], Decimal] = {}
    for maker in exchange.state.resting.walk(order.inst_id, OPPOSITE[order.side]):
        if maker.account == account.key:
            if order.stp_mode != "cancel_maker" or not _within(order, maker.px or ZERO, limit):
                return
            continue
        owner = exchange.state.accounts[maker.account]
        ccy, needed = cash_needed(owner, maker, maker.remaining)
        before = spent.get((owner.key, ccy))
        if maker.reduce_only and before is not None:
            continue
        total = (before or ZERO) + needed
        spent[owner.key, ccy] = total
        if not needed or total <= cash_left(owner, ccy, exchange.market):
            yield Offer(maker.px or ZERO, maker.remaining, maker)


def _fills_wholly(exchange: Exchange, account: Account, order: Order) -> bool:
    found = sum((size for _, size in plan(exchange, account, order)), ZERO)
    return found == wanted(account, order, limit_of(exchange, order))


def _prevent_self_trade(exchange: Exchange, account: Account, taker: Order, maker: Order) -> None:
    """An account never trades with itself: the taker's `stpMode` says which order goes."""
    if taker.stp_mode != "cancel_taker":
        exchange.end(account, maker, "32")
    if taker.stp_mode != "cancel_maker":
        exchange.end(account, taker, "32")
