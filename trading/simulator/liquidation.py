"""Liquidation: orders canceled, positions reduced tier by tier or closed, losses covered.

A liquidation order trades with the book down to the price at which the
account's equity would be used up; the insurance fund, which is the exchange's
own account, takes the rest at that price.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from trading.simulator import fills, margin, matching
from trading.simulator.decimals import ZERO, divide, floor_to, plain
from trading.simulator.instruments import BY_ID, tier_for
from trading.simulator.margin import SWAP_TAKER
from trading.simulator.state import Account, Order, Position, PositionKey
from trading.simulator.tiers import tiers_of

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange

_RISK: Final = "3"


def liquidate(exchange: Exchange, account: Account, what: str | PositionKey) -> None:
    """Bring a currency's cross positions, or one isolated position, above 100 % again."""
    _cancel_orders(exchange, account, what)
    while True:
        if isinstance(what, str):
            held = margin.cross_positions(account, what)
            health = margin.cross_health(account, what, exchange.market)
        else:
            held = [each for each in (account.positions[what],) if each.qty]
            health = margin.isolated_health(account.positions[what], exchange.market)
        if health.ratio is None or health.ratio > 1:
            break
        _reduce(exchange, account, _riskiest(exchange, held), health.equity)
    if isinstance(what, str):
        cover(exchange, account, what)
    exchange.on_account(account, "liquidation")


def liquidate_now(exchange: Exchange, account: Account, position: Position) -> Order:
    """Close one position as a liquidation would, however healthy the account is."""
    cross = position.mgn_mode == "cross"
    key = (position.inst_id, position.mgn_mode, position.pos_side)
    settle = BY_ID[position.inst_id].settle
    _cancel_orders(exchange, account, settle if cross else key)
    market = exchange.market
    health = (
        margin.cross_health(account, settle, market)
        if cross
        else margin.isolated_health(position, market)
    )
    price = bankruptcy_price(position, health.equity, market.quote(position.inst_id).mark)
    terms = abs(position.qty), price
    order = forced_order(exchange, account, position, terms, fills.FULL_LIQUIDATION)
    matching.take(exchange, account, order)
    if order.is_open:
        fills.take_over(exchange, account, order)
    exchange.on_account(account, "liquidation")
    return order


def deleverage(exchange: Exchange, account: Account, position: Position, size: Decimal) -> Order:
    """Take so much of a position away at the mark price, as auto-deleveraging does."""
    mark = exchange.market.quote(position.inst_id).mark
    order = forced_order(exchange, account, position, (size, mark), fills.ADL)
    fills.take_over(exchange, account, order)
    exchange.on_account(account, "adl")
    return order


def cover(exchange: Exchange, account: Account, ccy: str) -> None:
    """What an account without cross positions owes is paid by the insurance fund."""
    owed = -account.balances.get(ccy, ZERO)
    if owed <= 0 or margin.cross_positions(account, ccy):
        return
    _cancel_orders(exchange, account, ccy)
    exchange.record(
        {
            "kind": "cover",
            "ts": exchange.clock.ms(),
            "account": account.key,
            "ccy": ccy,
            "amount": plain(owed),
            "bill_id": exchange.ids.next(),
        }
    )
    exchange.on_account(account, "liquidation")


def bankruptcy_price(position: Position, equity: Decimal, mark: Decimal) -> Decimal:
    """Where closing the whole position, with its fee, leaves nothing of the equity.

    Rounded by up to two ticks in the account's favour, so that nothing is owed afterwards.
    """
    listed = BY_ID[position.inst_id]
    coins = position.qty * listed.ct_val
    fee = abs(coins) * SWAP_TAKER
    if listed.is_inverse:
        above, below = coins + fee, equity + divide(coins, mark)
    else:
        above, below = coins * mark - equity, coins - fee
    price = divide(above, below) if below else ZERO
    if price <= 0:
        return listed.tick if position.qty > 0 else mark * 10
    ticks = floor_to(price, listed.tick)
    rounded = ticks + 2 * listed.tick if position.qty > 0 else ticks - listed.tick
    return max(rounded, listed.tick)


def _cancel_orders(exchange: Exchange, account: Account, what: str | PositionKey) -> None:
    for order in list(account.pending.values()):
        listed = BY_ID[order.inst_id]
        if isinstance(what, str):
            concerned = what in (listed.settle, listed.quote if listed.is_spot else "")
        else:
            concerned = order.position_key == what
        if concerned and order.is_open:
            exchange.end(account, order, _RISK)


def _riskiest(exchange: Exchange, held: list[Position]) -> Position:
    """The highest tier first, then what needs most."""
    return max(
        held,
        key=lambda each: (
            tier_for(BY_ID[each.inst_id], each.qty).number,
            margin.maintenance(each, exchange.market),
        ),
    )


def _reduce(exchange: Exchange, account: Account, position: Position, equity: Decimal) -> None:
    """To the size of the next lower tier; from the lowest to nothing."""
    listed = BY_ID[position.inst_id]
    number = tier_for(listed, position.qty).number
    size = abs(position.qty)
    if number > 1:
        size -= tiers_of(listed)[number - 2].max_size
    mark = exchange.market.quote(position.inst_id).mark
    category = fills.PARTIAL_LIQUIDATION if number > 1 else fills.FULL_LIQUIDATION
    price = bankruptcy_price(position, equity, mark)
    order = forced_order(exchange, account, position, (size, price), category)
    matching.take(exchange, account, order)
    if order.is_open:
        fills.take_over(exchange, account, order)


def forced_order(
    exchange: Exchange,
    account: Account,
    position: Position,
    terms: tuple[Decimal, Decimal],
    category: str,
) -> Order:
    """Accept an order of the exchange's own that closes so much of a position at a price."""
    size, price = terms
    now = exchange.clock.ms()
    lever = account.lever(position.inst_id, position.mgn_mode, position.pos_side)
    return exchange.accept(
        account,
        Order(
            account=account.key,
            inst_id=position.inst_id,
            ord_id="",
            cl_ord_id="",
            tag="",
            side="sell" if position.qty > 0 else "buy",
            pos_side=position.pos_side,
            td_mode=position.mgn_mode,
            ord_type="ioc",
            sz=size,
            px=price,
            tgt_ccy="",
            reduce_only=True,
            lever=plain(lever),
            ccy="",
            category=category,
            c_time=now,
            u_time=now,
            fee_ccy=BY_ID[position.inst_id].settle,
        ),
    )
