"""Order bodies as bytes: built once for alike orders and patched for each. Pure."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import orjson

from trading.exchange.okx.encode import check_own, place_body, plain
from trading.exchange.types import MarginMode, OrderType, PlaceRequest, PositionSide, Side

_ALIKE = 512
_QUANTITY = "{quantity}"
_NAME = "{name}"


def place_bytes(request: PlaceRequest) -> bytes:
    """What `place_body` says, byte for byte. Raises ValueError for what must never be sent."""
    if request.protection is not None:
        return orjson.dumps(place_body(request))
    check_own(request)
    head, middle, tail = _template(
        request.inst_id,
        request.side,
        request.position_side,
        request.margin_mode,
        request.order_type,
        request.price,
        request.reduce_only,
        request.tag,
        request.target_currency,
    )
    quantity = plain(request.quantity)
    return f"{head}{quantity}{middle}{request.client_order_id}{tail}".encode()


@lru_cache(_ALIKE)
def _template(  # noqa: PLR0913, PLR0917 - all terms of an order but its quantity and its name
    inst_id: str,
    side: Side,
    position_side: PositionSide | None,
    margin_mode: MarginMode,
    order_type: OrderType,
    price: Decimal | None,
    reduce_only: bool,
    tag: str,
    target_currency: str | None,
) -> tuple[str, str, str]:
    """Raises ValueError for what must never be sent, whatever its quantity and its name."""
    body = place_body(
        PlaceRequest(
            inst_id=inst_id,
            side=side,
            position_side=position_side,
            margin_mode=margin_mode,
            order_type=order_type,
            quantity=Decimal(1),
            price=price,
            reduce_only=reduce_only,
            client_order_id="x",
            tag=tag,
            target_currency=target_currency,
        )
    )
    if "{" in inst_id:
        raise ValueError("no instrument has such a name")
    whole = orjson.dumps(body | {"sz": _QUANTITY, "clOrdId": _NAME}).decode()
    head, _, rest = whole.partition(_QUANTITY)
    middle, _, tail = rest.partition(_NAME)
    return head, middle, tail
