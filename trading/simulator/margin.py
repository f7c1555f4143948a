"""What an account's money is worth and how much of it is free, per currency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.simulator.decimals import ZERO, divide, round_money
from trading.simulator.instruments import BY_ID, tier_for
from trading.simulator.market import Market
from trading.simulator.state import Account, Order, Position

SWAP_MAKER: Final = Decimal("0.0002")
SWAP_TAKER: Final = Decimal("0.0005")
SPOT_MAKER: Final = Decimal("0.0008")
SPOT_TAKER: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Health:
    """What is liquidated together: equity, and what maintenance and closing fees need."""

    equity: Decimal
    needed: Decimal

    @property
    def ratio(self) -> Decimal | None:
        """The margin ratio as it is shown and judged: 1 is 100 %; None without positions."""
        return divide(self.equity, self.needed) if self.needed else None


@dataclass(frozen=True, slots=True)
class Funds:
    """One currency of one account; `eq - frozen` is what may be used."""

    ccy: str
    cash: Decimal
    upl: Decimal
    iso_eq: Decimal
    iso_upl: Decimal
    imr: Decimal
    mmr: Decimal
    notional: Decimal
    ord_frozen: Decimal

    @property
    def eq(self) -> Decimal:
        return self.cash + self.upl + self.iso_eq

    @property
    def frozen(self) -> Decimal:
        return self.imr + self.ord_frozen + self.iso_eq

    @property
    def available(self) -> Decimal:
        return max(self.eq - self.frozen, ZERO)

    @property
    def available_cash(self) -> Decimal:
        """Without what only unrealized profit provides."""
        return max(min(self.available, self.cash - self.ord_frozen), ZERO)


def unrealized(position: Position, market: Market) -> Decimal:
    """Profit if the position were closed at the mark price."""
    return _profit_at(position, market.quote(position.inst_id).mark)


def unrealized_last(position: Position, market: Market) -> Decimal:
    return _profit_at(position, market.quote(position.inst_id).last)


def notional(position: Position, market: Market) -> Decimal:
    """Unsigned value at the mark price, in the settlement currency."""
    listed = BY_ID[position.inst_id]
    return abs(listed.value(position.qty, market.quote(position.inst_id).mark))


def maintenance(position: Position, market: Market) -> Decimal:
    """What the position's tier asks for, in the settlement currency."""
    rate = tier_for(BY_ID[position.inst_id], position.qty).mmr
    return round_money(notional(position, market) * rate)


def initial(account: Account, position: Position, market: Market) -> Decimal:
    lever = account.lever(position.inst_id, position.mgn_mode, position.pos_side)
    return divide(notional(position, market), lever)


def funds(account: Account, ccy: str, market: Market, without: Order | None = None) -> Funds:
    """The currency's money; what the order `without` holds back is left out."""
    cross = [each for each in _settled_in(account, ccy) if each.mgn_mode == "cross"]
    isolated = [each for each in _settled_in(account, ccy) if each.mgn_mode == "isolated"]
    iso_upl = _total(unrealized(each, market) for each in isolated)
    return Funds(
        ccy=ccy,
        cash=account.balances.get(ccy, ZERO),
        upl=_total(unrealized(each, market) for each in cross),
        iso_upl=iso_upl,
        iso_eq=_total(each.margin for each in isolated) + iso_upl,
        imr=_total(initial(account, each, market) for each in cross),
        mmr=_total(maintenance(each, market) for each in cross),
        notional=_total(notional(each, market) for each in cross),
        ord_frozen=order_frozen(account, ccy, market, without),
    )


def cross_positions(account: Account, ccy: str) -> list[Position]:
    return [each for each in _settled_in(account, ccy) if each.mgn_mode == "cross"]


def cross_health(account: Account, ccy: str, market: Market) -> Health:
    """All cross positions that settle in the currency stand and fall together."""
    equity, needed = account.balances.get(ccy, ZERO), ZERO
    for position in cross_positions(account, ccy):
        equity += unrealized(position, market)
        needed += _needed(position, market)
    return Health(equity, needed)


def isolated_health(position: Position, market: Market) -> Health:
    """An isolated position stands on its own margin."""
    return Health(position.margin + unrealized(position, market), _needed(position, market))


def health(account: Account, position: Position, market: Market) -> Health:
    """Of whatever the position is liquidated with."""
    if position.mgn_mode == "isolated":
        return isolated_health(position, market)
    return cross_health(account, BY_ID[position.inst_id].settle, market)


def order_frozen(
    account: Account, ccy: str, market: Market, without: Order | None = None
) -> Decimal:
    """What resting orders hold back: the coins of spot orders, the margin of contracts.

    A contract order needs margin only for the part that exceeds the opposite position.
    """
    total = ZERO
    closes: dict[tuple[str, str, str, str], Decimal] = {}
    for order in account.pending.values():
        if order is without:
            continue
        listed = BY_ID[order.inst_id]
        if listed.is_spot:
            total += _spot_frozen(order, ccy, market)
        elif listed.settle == ccy and not order.reduce_only:
            key = (order.inst_id, order.td_mode, order.pos_side, order.side)
            left = closes.get(key)
            if left is None:
                left = closable(account, order)
            closing = min(left, order.remaining)
            closes[key] = left - closing
            total += _margin_frozen(account, order, order.remaining - closing, market)
    return total


def _margin_frozen(account: Account, order: Order, opening: Decimal, market: Market) -> Decimal:
    """Remembered with the order: its leverage cannot change while it is pending."""
    if order.px is None:
        price = market.quote(order.inst_id).best(order.side)
        return order_margin(account, order, opening, price)
    if order.frozen is None or order.frozen[0] != opening:
        order.frozen = opening, order_margin(account, order, opening, order.px)
    return order.frozen[1]


def order_margin(account: Account, order: Order, opening: Decimal, price: Decimal) -> Decimal:
    """What opening so much at this price takes at the account's leverage."""
    listed = BY_ID[order.inst_id]
    lever = account.lever(order.inst_id, order.td_mode, order.pos_side)
    return divide(abs(listed.value(opening, price)), lever)


def cash_needed(account: Account, order: Order, size: Decimal) -> tuple[str, Decimal]:
    """Currency and amount that a fill of this resting order takes out of the balance.

    Cross margin takes nothing: it is judged by the margin ratio.
    """
    listed, price = BY_ID[order.inst_id], order.px or ZERO
    if listed.is_spot:
        return (listed.quote, size * price) if order.side == "buy" else (listed.base, size)
    if order.td_mode == "cross" or order.reduce_only:
        return listed.settle, ZERO
    opening = max(size - closable(account, order), ZERO)
    fee = abs(listed.value(opening, price)) * SWAP_MAKER
    return listed.settle, order_margin(account, order, opening, price) + fee


def cash_left(account: Account, ccy: str, market: Market) -> Decimal:
    """What may be spent of the balance: not what losses of cross positions have used up."""
    cash = account.balances.get(ccy, ZERO)
    return min(cash, cross_health(account, ccy, market).equity)


def closable(account: Account, order: Order) -> Decimal:
    """How much of the order would close a position instead of opening one."""
    position = account.positions.get(order.position_key)
    if position is None:
        return ZERO
    closes = (position.qty > 0) == (order.side == "sell")
    return abs(position.qty) if closes else ZERO


def fee_rate(inst_id: str, exec_type: str) -> Decimal:
    """A positive share of the value; the fee itself is negative."""
    if BY_ID[inst_id].is_spot:
        return SPOT_MAKER if exec_type == "M" else SPOT_TAKER
    return SWAP_MAKER if exec_type == "M" else SWAP_TAKER


def liquidation_price(account: Account, position: Position, market: Market) -> Decimal | None:
    """Where equity would fall to maintenance margin plus the closing fee.

    Other cross positions of the instrument move along; those of other instruments stand still.
    """
    listed = BY_ID[position.inst_id]
    mark = market.quote(position.inst_id).mark
    judged, held = health(account, position, market), [position]
    if position.mgn_mode == "cross":
        cross = cross_positions(account, listed.settle)
        held = [each for each in cross if each.inst_id == position.inst_id]
    equity = judged.equity - judged.needed + sum((_needed(each, market) for each in held), ZERO)
    coins, cost = ZERO, ZERO
    for each in held:
        coins += each.qty * listed.ct_val
        rate = tier_for(listed, each.qty).mmr + SWAP_TAKER
        cost += rate * abs(each.qty) * listed.ct_val
    if listed.is_inverse:
        above, below = coins + cost, equity + divide(coins, mark)
    else:
        above, below = coins * mark - equity, coins - cost
    price = divide(above, below) if below else ZERO
    return price if price > 0 else None


def _needed(position: Position, market: Market) -> Decimal:
    fee = round_money(notional(position, market) * SWAP_TAKER)
    return maintenance(position, market) + fee


def _profit_at(position: Position, price: Decimal) -> Decimal:
    return BY_ID[position.inst_id].value(position.qty, price) - position.cost


def _settled_in(account: Account, ccy: str) -> list[Position]:
    return [each for each in account.open_positions() if BY_ID[each.inst_id].settle == ccy]


def _spot_frozen(order: Order, ccy: str, market: Market) -> Decimal:
    listed = BY_ID[order.inst_id]
    if order.side == "sell":
        return order.remaining if listed.base == ccy else ZERO
    price = order.px or market.quote(order.inst_id).ask
    return order.remaining * price if listed.quote == ccy else ZERO


def _total(values: Iterable[Decimal]) -> Decimal:
    return sum(values, ZERO)
