"""Our requests as OKX bodies. Pure; raises ValueError for what must never be sent."""

from __future__ import annotations

import re
from decimal import Decimal

from trading.exchange.types import (
    CancelRequest,
    InstrumentType,
    MarginMode,
    OrderType,
    PlaceRequest,
    PositionMode,
    PositionSide,
)

Body = dict[str, str | bool]

_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9]{0,16}", re.ASCII)
_PRICED = frozenset({OrderType.LIMIT, OrderType.POST_ONLY, OrderType.IOC, OrderType.FOK})
_POSITION_MODES = {PositionMode.NET: "net_mode", PositionMode.LONG_SHORT: "long_short_mode"}


def place_body(request: PlaceRequest) -> Body:
    _check_place(request)
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
    return body


def cancel_body(request: CancelRequest) -> Body:
    if request.exchange_order_id:
        return {"instId": request.inst_id, "ordId": request.exchange_order_id}
    if request.client_order_id:
        return {"instId": request.inst_id, "clOrdId": request.client_order_id}
    raise ValueError("a cancel needs an order id")


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
        _check_client_order_id(client_order_id)
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


def _check_place(request: PlaceRequest) -> None:
    _check_client_order_id(request.client_order_id)
    if not _TAG.fullmatch(request.tag):
        raise ValueError("tag must be at most 16 letters and digits")
    if not request.quantity.is_finite() or request.quantity <= 0:
        raise ValueError("quantity must be positive")
    if request.order_type is OrderType.OTHER:
        raise ValueError("order type cannot be sent")
    if (request.price is not None) != (request.order_type in _PRICED):
        raise ValueError(f"price does not fit order type {request.order_type}")
    if request.price is not None and not (request.price.is_finite() and request.price > 0):
        raise ValueError("price must be positive")


def _check_client_order_id(client_order_id: str) -> None:
    # OKX's broker ids come from ccxt when this is empty, so it never may be.
    if not _CLIENT_ORDER_ID.fullmatch(client_order_id):
        raise ValueError("client order id must be 1 to 32 letters and digits")
