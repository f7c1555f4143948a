"""May this account place this algo order now? Refusals are OKX codes; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from trading.simulator.algo_state import Algo, Attached, Leg
from trading.simulator.algo_trigger import price_of, rises
from trading.simulator.codes import OkxError
from trading.simulator.decimals import ZERO
from trading.simulator.market import Quote
from trading.simulator.requests import OrderRequest
from trading.simulator.state import Account

STOPS_PER_INSTRUMENT: Final = 100
TRIGGERS_PER_INSTRUMENT: Final = 500
TRAILING: Final = 50

# By leg, side of the stop order and price: the trigger price lies on the wrong side of it.
_WRONG_SIDE: Final = {
    ("tp", "buy", "last"): "51277",
    ("sl", "buy", "last"): "51278",
    ("tp", "sell", "last"): "51279",
    ("sl", "sell", "last"): "51280",
    ("tp", "buy", "mark"): "51300",
    ("sl", "buy", "mark"): "51302",
    ("tp", "sell", "mark"): "51303",
    ("sl", "sell", "mark"): "51304",
    ("tp", "buy", "index"): "51305",
    ("sl", "buy", "index"): "51306",
    ("tp", "sell", "index"): "51307",
    ("sl", "sell", "index"): "51308",
}
# By leg, side of the order that brings it, and whether that is a market order.
_WRONG_ATTACHED: Final = {
    ("tp", "buy", False): "51046",
    ("sl", "buy", False): "51047",
    ("tp", "sell", False): "51048",
    ("sl", "sell", False): "51049",
    ("tp", "buy", True): "51050",
    ("sl", "buy", True): "51051",
    ("tp", "sell", True): "51052",
    ("sl", "sell", True): "51053",
}


def check_algo(account: Account, algo: Algo, quote: Quote) -> None:
    """Everything but the form and the size, which is judged like an order's."""
    _check_name(account, algo.algo_cl_ord_id)
    _check_count(account, algo)
    check_legs(algo, quote)
    _check_closing(account, algo)
    if algo.trigger is not None and algo.attached:
        reference = algo.trigger.ord_px or algo.trigger.trigger_px or ZERO
        check_attached(account, algo.attached, algo.side, algo.reduce_only)
        check_attached_prices(algo.attached, algo.side, reference, market=False)
    _check_activation(algo.side, algo.active_px, quote.last)


def check_legs(algo: Algo, quote: Quote) -> None:
    """A trigger price may equal the price it is compared with: then it is reached at once."""
    for name, leg in (("tp", algo.tp), ("sl", algo.sl)):
        if leg is None or leg.trigger_px is None:
            continue
        price = price_of(quote, leg.px_type)
        rising = rises(name, algo.side)
        if leg.trigger_px < price if rising else leg.trigger_px > price:
            raise OkxError(_WRONG_SIDE[name, algo.side, leg.px_type])


def check_order_attachments(account: Account, request: OrderRequest, quote: Quote) -> None:
    """Take profits and stop losses that a new order brings along."""
    closing = request.reduce_only or _closes_hedged(account, request.side, request.pos_side)
    check_attached(account, request.attached, request.side, closing)
    market = request.px is None
    reference = quote.best(request.side) if request.px is None else request.px
    check_attached_prices(request.attached, request.side, reference, market=market)


def check_attached(
    account: Account, attached: Iterable[Attached], side: str, closing: bool
) -> None:
    if closing:
        raise OkxError("51333")
    names = [each.cl_id for each in attached if each.cl_id]
    taken = _names(account)
    for name in names:
        if name in taken or names.count(name) > 1:
            raise OkxError("51068", name)


def check_attached_prices(
    attached: Iterable[Attached], side: str, reference: Decimal, *, market: bool
) -> None:
    for each in attached:
        _check_activation("sell" if side == "buy" else "buy", each.active_px, reference)
        for name, leg in (("tp", each.tp), ("sl", each.sl)):
            price = _waited_for(leg)
            if price is None:
                continue
            above = (name == "tp") == (side == "buy")
            if price <= reference if above else price >= reference:
                raise OkxError(_WRONG_ATTACHED[name, side, market])


def _check_name(account: Account, name: str) -> None:
    if name and name in _names(account):
        raise OkxError("51065")


def _names(account: Account) -> set[str]:
    """Names of live algo orders and of what pending orders carry share one space."""
    found = {each.algo_cl_ord_id for each in account.live_algos.values()}
    for algo in account.live_algos.values():
        found.update(each.cl_id for each in algo.attached)
    for order in account.pending.values():
        found.update(each.cl_id for each in order.attached)
    return found


def _check_count(account: Account, algo: Algo) -> None:
    if algo.ord_type == "move_order_stop":
        held = sum(each.ord_type == algo.ord_type for each in account.live_algos.values())
        if held >= TRAILING:
            raise OkxError("51260", str(TRAILING))
        return
    most = TRIGGERS_PER_INSTRUMENT if algo.ord_type == "trigger" else STOPS_PER_INSTRUMENT
    alike = sum(
        each.inst_id == algo.inst_id
        and (each.ord_type == "trigger") == (algo.ord_type == "trigger")
        and each.ord_type != "move_order_stop"
        for each in account.live_algos.values()
    )
    if alike >= most:
        raise OkxError("51261", str(most))


def _check_closing(account: Account, algo: Algo) -> None:
    """Algo orders that belong to a position need one, and may only close it."""
    if algo.close_fraction and not algo.reduce_only:
        raise OkxError("51328" if account.pos_mode == "net_mode" else "51331")
    if algo.bound and not algo.reduce_only:
        raise OkxError("51000", "cxlOnClosePos")
    if not algo.bound and not algo.close_fraction:
        return
    if not closable_by(account, algo):
        raise OkxError("51058")
    if algo.close_fraction and any(
        each.close_fraction and each.key == algo.key for each in account.live_algos.values()
    ):
        raise OkxError("51088")


def closable_by(account: Account, algo: Algo) -> Decimal:
    """How much of the position this algo order could close; nothing in its own direction."""
    position = account.positions.get(algo.key)
    if position is None or not position.qty:
        return ZERO
    return abs(position.qty) if (position.qty > 0) == (algo.side == "sell") else ZERO


def resting_against(account: Account, algo: Algo) -> Decimal:
    """What close-only orders of the same position and side have taken for themselves."""
    resting = (
        each.remaining
        for each in account.pending.values()
        if each.reduce_only
        and each.side == algo.side
        and (each.inst_id, each.td_mode, each.pos_side) == algo.key
    )
    return sum(resting, ZERO)


def _closes_hedged(account: Account, side: str, pos_side: str) -> bool:
    hedged = account.pos_mode != "net_mode" and pos_side in ("long", "short")
    return hedged and (pos_side == "long") == (side == "sell")


def _check_activation(side: str, active_px: Decimal | None, price: Decimal) -> None:
    """A trailing stop of this side becomes active on the good side of the price."""
    if active_px is None:
        return
    if side == "sell" and active_px <= price:
        raise OkxError("51258")
    if side == "buy" and active_px >= price:
        raise OkxError("51259")


def _waited_for(leg: Leg | None) -> Decimal | None:
    if leg is None:
        return None
    return leg.ord_px if leg.trigger_px is None else leg.trigger_px
