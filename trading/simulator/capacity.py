"""The largest order an account may place now, by the very checks that orders go through."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.simulator import buying_power
from trading.simulator.decimals import ZERO, floor_to
from trading.simulator.exchange import Exchange
from trading.simulator.instruments import Instrument
from trading.simulator.matching import plan
from trading.simulator.state import Account, Order


@dataclass(frozen=True, slots=True)
class Wish:
    """An order without a size; a market order when it has no price."""

    listed: Instrument
    td_mode: str
    side: str
    px: Decimal | None


def largest(exchange: Exchange, account: Account, wish: Wish) -> Decimal:
    """In contracts, for spot pairs in coins. Sides open their own position in long-short mode."""
    listed = wish.listed
    if not listed.is_spot:
        return buying_power.largest(exchange, account, _probe(account, wish))
    ccy = listed.quote if wish.side == "buy" else listed.base
    money = buying_power.available(exchange, account, ccy, "cash")
    if wish.side == "sell":
        return floor_to(money, listed.lot)
    if wish.px is not None:
        return floor_to(money / wish.px, listed.lot)
    spent = _probe(account, wish, size=money, tgt_ccy="quote_ccy")
    return sum((size for _, size in plan(exchange, account, spent)), ZERO)


def closable_sizes(account: Account, listed: Instrument, td_mode: str) -> tuple[Decimal, Decimal]:
    """Contracts that a buy and a sell could close, less what resting orders close already."""
    sizes = {"buy": ZERO, "sell": ZERO}
    for (inst_id, mode, pos_side), position in account.positions.items():
        if (inst_id, mode) == (listed.inst_id, td_mode) and position.qty:
            side = "sell" if position.qty > 0 else "buy"
            resting = sum(
                each.remaining
                for each in account.pending.values()
                if each.reduce_only
                and (each.inst_id, each.td_mode, each.pos_side) == (inst_id, mode, pos_side)
            )
            sizes[side] += abs(position.qty) - resting
    return sizes["buy"], sizes["sell"]


def _probe(account: Account, wish: Wish, size: Decimal = ZERO, tgt_ccy: str = "") -> Order:
    pos_side = "net"
    if account.pos_mode == "long_short_mode" and not wish.listed.is_spot:
        pos_side = "long" if wish.side == "buy" else "short"
    return Order(
        account=account.key,
        inst_id=wish.listed.inst_id,
        ord_id="",
        cl_ord_id="",
        tag="",
        side=wish.side,
        pos_side=pos_side,
        td_mode=wish.td_mode,
        ord_type="market" if wish.px is None else "limit",
        sz=size,
        px=wish.px,
        tgt_ccy=tgt_ccy,
        reduce_only=False,
        lever="",
        ccy="",
        category="normal",
        c_time=0,
        u_time=0,
    )
