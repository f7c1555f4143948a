"""Arming what an order brought along: the algo orders that protect what it filled."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trading.simulator.algo_state import Algo, Attached
from trading.simulator.clock import IdSource
from trading.simulator.decimals import ZERO, divide, floor_to
from trading.simulator.instruments import BY_ID
from trading.simulator.market import Quote
from trading.simulator.state import Order


def named(attached: tuple[Attached, ...], ids: IdSource) -> tuple[Attached, ...]:
    """Each part gets the id by which it is amended."""
    return tuple(replace(each, attach_id=ids.next()) for each in attached)


def armed(order: Order, quote: Quote, ids: IdSource, now_ms: int) -> list[Algo]:
    """The algo orders that close what this order opened, in the order they were attached.

    Of several take profits each closes its part of what was really filled; their stop
    loss closes all of it.
    """
    whole = left = _protected(order)
    made = []
    for each in order.attached:
        size = whole if each.sz is None else min(each.sz, left)
        if each.sz is not None:
            left -= size
        if size > 0:
            made.append(_algo(order, each, size, quote, ids.next(), now_ms))
    return made


def _algo(
    order: Order, attached: Attached, size: Decimal, quote: Quote, algo_id: str, now_ms: int
) -> Algo:
    spot = BY_ID[order.inst_id].is_spot
    follows = attached.trails and attached.active_px is None
    return Algo(
        account=order.account,
        inst_id=order.inst_id,
        algo_id=algo_id,
        algo_cl_ord_id=attached.cl_id,
        ord_type=_ord_type(attached),
        side="sell" if order.side == "buy" else "buy",
        pos_side=order.pos_side,
        td_mode=order.td_mode,
        sz=size,
        c_time=now_ms,
        last=quote.last,
        lever=order.lever,
        tgt_ccy="base_ccy" if spot else "",
        tag=order.tag,
        ccy=order.ccy,
        reduce_only=not spot,
        bound=not spot,
        tp=attached.tp,
        sl=attached.sl,
        parent=order.ord_id,
        cost_price=attached.cost_price,
        callback_ratio=attached.callback_ratio,
        callback_spread=attached.callback_spread,
        active_px=attached.active_px,
        active=follows,
        extreme=quote.last if follows else None,
    )


def _ord_type(attached: Attached) -> str:
    if attached.trails:
        return "move_order_stop"
    return "oco" if attached.tp and attached.sl else "conditional"


def _protected(order: Order) -> Decimal:
    """What was filled; a spot buyer holds less, as the fee was taken from the coins."""
    listed = BY_ID[order.inst_id]
    if listed.is_spot and order.fee_ccy == listed.base:
        return floor_to(order.filled + order.fee, listed.lot)
    return order.filled


def cost_price(order: Order) -> Decimal:
    """The average price of the order, on the tick."""
    average = divide(order.paid, order.filled) if order.filled else ZERO
    return floor_to(average, BY_ID[order.inst_id].tick)
