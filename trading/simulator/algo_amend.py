"""New terms of algo orders and of what orders carry: read, checked, not yet recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from trading.simulator.algo_checks import check_attached_prices, check_legs
from trading.simulator.algo_requests import (
    check_splits,
    order_price,
    part,
    price_type,
    read_price,
    resting_leg,
)
from trading.simulator.algo_state import Algo, Attached, Leg
from trading.simulator.algo_trigger import price_of
from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import parse_number
from trading.simulator.instruments import BY_ID, Instrument
from trading.simulator.market import Quote
from trading.simulator.requests import Params, check_size, client_word
from trading.simulator.state import Order

_LEGS: Final = ("Tp", "Sl")
_PARTS: Final = ("TriggerPx", "OrdPx", "TriggerPxType")


def amended_algo(algo: Algo, params: Params, quote: Quote) -> dict[str, Any]:
    """The members of the algo order that change, or OkxError."""
    if algo.ord_type == "move_order_stop":
        raise OkxError("51506")
    if params.has("attachAlgoOrds"):
        raise parameter("attachAlgoOrds")
    changes = _new_size(algo, params)
    if algo.trigger is not None:
        changes |= _new_trigger(algo, algo.trigger, params, quote)
    else:
        changes |= _new_legs(algo, params)
    if not changes:
        raise OkxError("51500")
    check_legs(replace(algo, **changes), quote)
    return changes | {"req_id": client_word(params, "reqId")}


def amended_attachments(order: Order, params: Params, quote: Quote) -> tuple[Attached, ...]:
    """What the order carries afterwards; a part without any leg left is dropped."""
    raw = params.raw("attachAlgoOrds")
    if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
        raise parameter("attachAlgoOrds")
    wanted = [Params(each) for each in raw]
    carried = list(order.attached)
    positions = [_position(carried, each) for each in wanted]
    if len(set(positions)) < len(positions):
        raise OkxError("51539")
    listed = BY_ID[order.inst_id]
    for position, each in zip(positions, wanted, strict=True):
        carried[position] = _new_attached(carried[position], each, listed)
    kept = tuple(each for each in carried if each.tp or each.sl or each.trails)
    if len(kept) > 1:
        size = parse_number(params.text("newSz")) or order.sz
        check_splits(kept, listed, size)
    market = order.px is None
    reference = quote.best(order.side) if order.px is None else order.px
    check_attached_prices(kept, order.side, reference, market=market)
    return kept


def refuse_loose_legs(order: Order, params: Params) -> None:
    """Attached legs are amended inside `attachAlgoOrds` only."""
    names = [f"new{leg}{part_name}" for leg in _LEGS for part_name in _PARTS]
    if any(params.has(name) for name in names):
        raise OkxError("51538" if order.attached else "51527")


def _new_size(algo: Algo, params: Params) -> dict[str, Any]:
    if not params.has("newSz"):
        return {}
    if algo.close_fraction:
        raise OkxError("51524")
    if algo.linked_ord:
        raise OkxError("51090")
    size = parse_number(params.text("newSz"))
    if not size:
        raise parameter("newSz")
    check_size(BY_ID[algo.inst_id], size)
    return {"sz": size}


def _new_trigger(algo: Algo, leg: Leg, params: Params, quote: Quote) -> dict[str, Any]:
    """A trigger price is reached from where the price is at the time of the amendment."""
    listed = BY_ID[algo.inst_id]
    names = ("newTriggerPx", "newOrdPx", "newTriggerPxType")
    if not any(params.has(name) for name in names):
        return {}
    px_type = price_type(params, "newTriggerPxType", listed, leg.px_type)
    trigger_px, ord_px = leg.trigger_px, leg.ord_px
    if params.has("newTriggerPx"):
        trigger_px = read_price(params, "newTriggerPx", listed)
    if params.has("newOrdPx"):
        ord_px = order_price(params, "newOrdPx", listed)
    rising = trigger_px is not None and trigger_px >= price_of(quote, px_type)
    return {"trigger": Leg(trigger_px, px_type, ord_px), "rising": rising}


def _new_legs(algo: Algo, params: Params) -> dict[str, Any]:
    listed = BY_ID[algo.inst_id]
    changes: dict[str, Any] = {}
    for name, leg in (("Tp", algo.tp), ("Sl", algo.sl)):
        if not _names(params, name):
            continue
        if leg is None:
            raise OkxError("51526")
        if leg.trigger_px is None:
            raise OkxError("51098")
        changed = _new_leg(params, name, leg, listed)
        if algo.close_fraction and changed is not None and changed.ord_px is not None:
            raise OkxError("51523")
        changes[name.lower()] = changed
    if not changes:
        return {}
    legs = [changes.get("tp", algo.tp), changes.get("sl", algo.sl)]
    if not any(legs):
        raise OkxError("51531")
    return changes | {"ord_type": "oco" if all(legs) else "conditional"}


def _new_attached(attached: Attached, params: Params, listed: Instrument) -> Attached:
    if attached.trails:
        raise OkxError("51506")
    legs: dict[str, Leg | None] = {"Tp": attached.tp, "Sl": attached.sl}
    for name, leg in legs.items():
        if _names(params, name):
            legs[name] = _new_leg(params, name, leg, listed)
    size = part(params) if params.has("sz") else attached.sz
    cost_price = params.text("amendPxOnTriggerType") or ("1" if attached.cost_price else "0")
    if cost_price not in ("0", "1"):
        raise parameter("amendPxOnTriggerType")
    return replace(attached, tp=legs["Tp"], sl=legs["Sl"], sz=size, cost_price=cost_price == "1")


def _new_leg(params: Params, name: str, leg: Leg | None, listed: Instrument) -> Leg | None:
    """A price of 0 deletes the leg; what is not given stays."""
    trigger, price, kind = (f"new{name}{each}" for each in _PARTS)
    if any(params.has(each) and parse_number(params.text(each)) == 0 for each in (trigger, price)):
        return None
    if name == "Tp" and params.text("newTpOrdKind") == "limit":
        return resting_leg(params, listed, price)
    held = leg or Leg(None, "last", None)
    px_type = price_type(params, kind, listed, held.px_type or "last")
    trigger_px, ord_px = held.trigger_px, held.ord_px
    if params.has(trigger) or trigger_px is None:
        trigger_px = read_price(params, trigger, listed)
    if params.has(price) or leg is None:
        ord_px = order_price(params, price, listed)
    return Leg(trigger_px, px_type, ord_px)


def _position(carried: list[Attached], params: Params) -> int:
    attach_id, name = params.text("attachAlgoId"), params.text("attachAlgoClOrdId")
    for position, each in enumerate(carried):
        if each.attach_id == attach_id or (not attach_id and name and each.cl_id == name):
            return position
    raise OkxError("51527")


def _names(params: Params, leg: str) -> bool:
    return any(params.has(f"new{leg}{each}") for each in _PARTS)
