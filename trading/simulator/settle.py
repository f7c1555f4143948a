"""The money of one execution: fee, profit, margin and the new position, exactly."""

from __future__ import annotations

from decimal import Decimal

from trading.simulator.decimals import ZERO, divide, plain, round_money
from trading.simulator.instruments import BY_ID
from trading.simulator.margin import fee_rate
from trading.simulator.state import Account, Entry, Order, Position


def spot_terms(order: Order, size: Decimal, price: Decimal, exec_type: str) -> Entry:
    """A buyer pays the fee in the coin bought, a seller in the quote currency."""
    listed = BY_ID[order.inst_id]
    rate = fee_rate(order.inst_id, exec_type)
    value = size * price
    if order.side == "buy":
        fee_ccy, fee = listed.base, -size * rate
        changes = {listed.base: size + fee, listed.quote: -value}
    else:
        fee_ccy, fee = listed.quote, -value * rate
        changes = {listed.base: -size, listed.quote: value + fee}
    return {
        "fee": plain(fee),
        "fee_ccy": fee_ccy,
        "fee_rate": plain(-rate),
        "pnl": "0",
        "sub_type": "1" if order.side == "buy" else "2",
        "changes": {ccy: plain(change) for ccy, change in changes.items()},
    }


def swap_terms(
    account: Account, order: Order, size: Decimal, price: Decimal, exec_type: str
) -> Entry:
    """Close first, then open with the rest.

    The closed part takes its share of the recorded cost, all of it when
    nothing is left: over a position's life the profits add up to the last digit.
    """
    listed = BY_ID[order.inst_id]
    before = _position_of(account, order)
    signed = size if order.side == "buy" else -size
    closing = min(size, abs(before.qty)) if before.qty * signed < 0 else ZERO
    opening = size - closing
    direction = 1 if signed > 0 else -1
    closed_cost = _share(before.cost, closing, abs(before.qty))
    pnl = -listed.value(direction * closing, price) - closed_cost if closing else ZERO
    opened_cost = listed.value(direction * opening, price) if opening else ZERO
    rate = fee_rate(order.inst_id, exec_type)
    fee = round_money(-abs(listed.value(size, price)) * rate)
    margin = -_share(before.margin, closing, abs(before.qty))
    if order.td_mode == "isolated":
        lever = account.lever(order.inst_id, "isolated", order.pos_side)
        margin += divide(abs(opened_cost), lever)
    return {
        "fee": plain(fee),
        "fee_ccy": listed.settle,
        "fee_rate": plain(-rate),
        "pnl": plain(pnl),
        "sub_type": _sub_type(order, before, closing),
        "changes": {listed.settle: plain(pnl + fee - margin)},
        "margin_change": plain(margin),
        "pos": plain(before.qty + signed),
        "cost": plain(before.cost - closed_cost + opened_cost),
        "closing": plain(closing),
        "opening": plain(opening),
        "closed_fee": plain(_share(fee, closing, size)),
    }


def _position_of(account: Account, order: Order) -> Position:
    key = order.position_key
    return account.positions.get(key) or Position(*key, pos_id="", c_time=0, u_time=0)


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    if not part:
        return ZERO
    return amount if part == whole else divide(amount * part, whole)


def _sub_type(order: Order, before: Position, closing: Decimal) -> str:
    """1 buy, 2 sell in net mode; 3 open long, 4 open short, 5 close long, 6 close short."""
    if order.pos_side == "net":
        return "1" if order.side == "buy" else "2"
    if closing:
        return "5" if before.qty > 0 else "6"
    return "3" if order.side == "buy" else "4"
