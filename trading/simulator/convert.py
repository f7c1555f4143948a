"""Converting between contracts and coins or US dollars."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading.simulator.codes import missing, parameter
from trading.simulator.decimals import divide, floor_to, parse_number, plain
from trading.simulator.instruments import Instrument
from trading.simulator.requests import Params


def converted(params: Params, listed: Instrument) -> dict[str, Any]:
    """Type 1 turns money into contracts (opening rounds down, closing up), type 2 the reverse.

    The price is needed where it matters: for coins of an inverse contract, for dollars of a
    linear one.
    """
    wanted = _choice(params, "type", "1", "2")
    unit = _choice(params, "unit", "coin", "usds")
    operation = _choice(params, "opType", "open", "close")
    size = _positive(params, "sz")
    uses_price = listed.is_inverse == (unit == "coin")
    price = _positive(params, "px") if uses_price or params.has("px") else Decimal(1)
    contract = _worth(listed, unit, price)
    if wanted == "1":
        made = floor_to(divide(size, contract), listed.lot)
        if operation == "close" and made * contract < size:
            made += listed.lot
    else:
        made = size * contract
    return {
        "instId": listed.inst_id,
        "px": params.text("px"),
        "sz": plain(made),
        "type": wanted,
        "unit": unit,
    }


def _worth(listed: Instrument, unit: str, price: Decimal) -> Decimal:
    """Of one contract."""
    if listed.is_inverse:
        return divide(listed.ct_val, price) if unit == "coin" else listed.ct_val
    return listed.ct_val if unit == "coin" else listed.ct_val * price


def _choice(params: Params, name: str, default: str, other: str) -> str:
    value = params.text(name) or default
    if value not in (default, other):
        raise parameter(name)
    return value


def _positive(params: Params, name: str) -> Decimal:
    text = params.text(name)
    if not text:
        raise missing(name)
    value = parse_number(text)
    if not value:
        raise parameter(name)
    return value
