"""Our requests as OKX bodies. Pure; raises ValueError for what must never be sent."""

from __future__ import annotations

import re
from decimal import Decimal

from trading.exchange.algos import AlgoAmendRequest, AlgoCancelRequest, AlgoRequest
from trading.exchange.protection import Protection, Trigger
from trading.exchange.types import (
    AmendRequest,
    CancelRequest,
    InstrumentType,
    MarginMode,
    OrderType,
    PlaceRequest,
    PositionMode,
    PositionSide,
)

Item = dict[str, str | bool]
Body = dict[str, str | bool | list[Item]]

_LONGEST_CLIENT_ID = 32
_TAG = re.compile(r"[A-Za-z0-9]{0,16}", re.ASCII)
_BY_MARKET = "-1"
_NOTHING_NEW = 2
_COUNTDOWN_S = (10, 120)
_PRICED = frozenset({OrderType.LIMIT, OrderType.POST_ONLY, OrderType.IOC, OrderType.FOK})
_POSITION_MODES = {PositionMode.NET: "net_mode", PositionMode.LONG_SHORT: "long_short_mode"}


def place_body(request: PlaceRequest) -> Body:
    check_place(request)
    body: Body = {
        "instId": request.inst_id,
        "tdMode": request.margin_mode.value,
        "side": request.side.value,
        "ordType": request.order_type.value,
        "sz": plain(request.quantity),
        "clOrdId": request.client_order_id,
    }
    if request.price is not None:
        body["px"] = plain(request.price)
    if _names_a_side(request.position_side):
        # In long-short mode the pair of side and position side says whether this closes.
        body["posSide"] = str(request.position_side)
    elif request.reduce_only:
        body["reduceOnly"] = True
    if request.tag:
        body["tag"] = request.tag
    target_currency = request.target_currency or _target_currency(request)
    if target_currency:
        body["tgtCcy"] = target_currency
    if request.protection is not None:
        body["attachAlgoOrds"] = [_protection(request.protection)]
    return body


def check_place(request: PlaceRequest) -> None:
    """Raises ValueError for what must never be sent."""
    # Without a name of ours an order whose answer is lost could never be found again.
    check_own(request)
    _check_tag(request.tag)
    if request.order_type is OrderType.OTHER:
        raise ValueError("order type cannot be sent")
    if (request.price is not None) != (request.order_type in _PRICED):
        raise ValueError(f"price does not fit order type {request.order_type}")


def check_own(request: PlaceRequest) -> None:
    """The part of `check_place` that is about the name and the numbers."""
    _check_client_id("client order id", request.client_order_id)
    _positive("quantity", request.quantity)
    if request.price is not None:
        _positive("price", request.price)


def amend_body(request: AmendRequest) -> Body:
    body = _target(request.inst_id, request.exchange_order_id, request.client_order_id)
    if request.quantity is None and request.price is None:
        raise ValueError("an amendment needs a quantity or a price")
    if request.quantity is not None:
        body["newSz"] = plain(_positive("quantity", request.quantity))
    if request.price is not None:
        body["newPx"] = plain(_positive("price", request.price))
    if request.request_id:
        _check_client_id("request id", request.request_id)
        body["reqId"] = request.request_id
    return body


def algo_body(request: AlgoRequest) -> Body:
    _check_client_id("client algo id", request.client_algo_id)
    legs = _legs(request.take_profit, request.stop_loss)
    body: Body = {
        "instId": request.inst_id,
        "tdMode": request.margin_mode.value,
        "side": request.side.value,
        "ordType": "oco" if request.take_profit and request.stop_loss else "conditional",
        "algoClOrdId": request.client_algo_id,
    }
    if request.quantity is None:
        body["closeFraction"] = "1"
    else:
        body["sz"] = plain(_positive("quantity", request.quantity))
    if _names_a_side(request.position_side):
        body["posSide"] = str(request.position_side)
    elif request.reduce_only:
        body["reduceOnly"] = True
    if request.cancel_with_position:
        body["cxlOnClosePos"] = True
    if request.tag:
        _check_tag(request.tag)
        body["tag"] = request.tag
    return body | legs


def algo_amend_body(request: AlgoAmendRequest) -> Body:
    body = _algo_target(request.inst_id, request.exchange_algo_id, request.client_algo_id)
    if request.quantity is not None:
        body["newSz"] = plain(_positive("quantity", request.quantity))
    for name, leg in (("newTp", request.take_profit), ("newSl", request.stop_loss)):
        if leg is not None:
            body |= _leg(name, leg)
    if len(body) == _NOTHING_NEW:
        raise ValueError("an amendment needs a quantity, a take profit or a stop loss")
    return body


def algo_cancel_body(request: AlgoCancelRequest) -> Body:
    return _algo_target(request.inst_id, request.exchange_algo_id, request.client_algo_id)


def countdown_body(timeout_s: int, tag: str) -> Body:
    if timeout_s and not _COUNTDOWN_S[0] <= timeout_s <= _COUNTDOWN_S[1]:
        raise ValueError("a countdown takes 10 to 120 s, or 0 to stop it")
    body: Body = {"timeOut": str(timeout_s)}
    if tag:
        _check_tag(tag)
        body["tag"] = tag
    return body


def cancel_body(request: CancelRequest) -> Body:
    return _target(request.inst_id, request.exchange_order_id, request.client_order_id)


def close_body(
    inst_id: str,
    margin_mode: MarginMode,
    position_side: PositionSide | None,
    *,
    auto_cancel: bool,
    client_order_id: str,
) -> Body:
    body: Body = {"instId": inst_id, "mgnMode": margin_mode.value}
    if _names_a_side(position_side):
        body["posSide"] = str(position_side)
    if auto_cancel:
        body["autoCxl"] = True
    if client_order_id:
        _check_client_id("client order id", client_order_id)
        body["clOrdId"] = client_order_id
    return body


def leverage_body(
    inst_id: str, leverage: Decimal, margin_mode: MarginMode, position_side: PositionSide | None
) -> Body:
    if not leverage.is_finite() or leverage <= 0:
        raise ValueError("leverage must be positive")
    body: Body = {"instId": inst_id, "lever": plain(leverage), "mgnMode": margin_mode.value}
    # Leverage is per side only in isolated long-short mode; elsewhere OKX refuses the field.
    if margin_mode is MarginMode.ISOLATED and _names_a_side(position_side):
        body["posSide"] = str(position_side)
    return body


def position_mode_body(position_mode: PositionMode) -> Body:
    return {"posMode": _POSITION_MODES[position_mode]}


def instrument_type(inst_type: InstrumentType) -> str:
    return str(inst_type).upper()


def plain(number: Decimal) -> str:
    """1E+2 as 100, 1.500 as 1.5: the one spelling of a number."""
    digits = f"{number:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _target_currency(request: PlaceRequest) -> str:
    """Without it OKX takes the quantity of a spot market buy for an amount of money to spend."""
    spot_market = request.margin_mode is MarginMode.CASH and request.price is None
    return "base_ccy" if spot_market else ""


def _names_a_side(position_side: PositionSide | None) -> bool:
    return position_side in (PositionSide.LONG, PositionSide.SHORT)


def _target(inst_id: str, exchange_id: str | None, client_id: str | None) -> Body:
    if exchange_id:
        return {"instId": inst_id, "ordId": exchange_id}
    if client_id:
        return {"instId": inst_id, "clOrdId": client_id}
    raise ValueError("an order id is needed")


def _algo_target(inst_id: str, exchange_id: str | None, client_id: str | None) -> Body:
    if exchange_id:
        return {"instId": inst_id, "algoId": exchange_id}
    if client_id:
        return {"instId": inst_id, "algoClOrdId": client_id}
    raise ValueError("an algo order id is needed")


def _protection(protection: Protection) -> Item:
    _check_client_id("client algo id", protection.client_algo_id)
    legs = _legs(protection.take_profit, protection.stop_loss)
    return {"attachAlgoClOrdId": protection.client_algo_id} | legs


def _legs(take_profit: Trigger | None, stop_loss: Trigger | None) -> Item:
    if take_profit is None and stop_loss is None:
        raise ValueError("a take profit or a stop loss is needed")
    legs: Item = {}
    if take_profit is not None:
        legs |= _leg("tp", take_profit)
    if stop_loss is not None:
        legs |= _leg("sl", stop_loss)
    return legs


def _leg(name: str, trigger: Trigger) -> Item:
    return {
        f"{name}TriggerPx": plain(_positive("trigger price", trigger.price)),
        f"{name}OrdPx": _BY_MARKET,
        f"{name}TriggerPxType": trigger.watches.value,
    }


def _positive(what: str, number: Decimal) -> Decimal:
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{what} must be positive")
    return number


def _check_tag(tag: str) -> None:
    if not _TAG.fullmatch(tag):
        raise ValueError("tag must be at most 16 letters and digits")


def _check_client_id(what: str, name: str) -> None:
    if not (name.isascii() and name.isalnum() and len(name) <= _LONGEST_CLIENT_ID):
        raise ValueError(f"{what} must be 1 to 32 letters and digits")
