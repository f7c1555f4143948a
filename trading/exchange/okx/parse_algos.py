"""OKX rows of take profits and stop losses into Reports. Pure; raises MalformedReport only."""

from __future__ import annotations

from trading.exchange.algos import AlgoReport, AlgoState, AlgoType
from trading.exchange.errors import MalformedReport
from trading.exchange.okx import fields
from trading.exchange.okx.fields import Row, as_row
from trading.exchange.protection import ProtectionReport, Trigger, TriggerPrice
from trading.exchange.types import InstrumentType, MarginMode, PositionSide, Side

_INSTRUMENT_TYPES = {kind.value.upper(): kind for kind in InstrumentType}
_ALGO_TYPES = {kind.value: kind for kind in AlgoType if kind is not AlgoType.OTHER}
_POSITION_SIDES = {"": PositionSide.NET}
_MARGIN_MODES = {"spot_isolated": MarginMode.CASH}


def parse_algo(row: object) -> AlgoReport:
    row = as_row(row)
    return AlgoReport(
        inst_id=fields.required_text(row, "instId"),
        inst_type=instrument_type(row),
        client_algo_id=fields.text(row, "algoClOrdId"),
        exchange_algo_id=fields.required_text(row, "algoId"),
        algo_type=_ALGO_TYPES.get(fields.required_text(row, "ordType"), AlgoType.OTHER),
        state=fields.choice(row, "state", AlgoState),
        side=fields.choice(row, "side", Side),
        position_side=fields.choice(row, "posSide", PositionSide, _POSITION_SIDES),
        margin_mode=fields.choice(row, "tdMode", MarginMode, _MARGIN_MODES),
        quantity=None if fields.text(row, "closeFraction") else fields.size_or_zero(row, "sz"),
        take_profit=_trigger(row, "tp"),
        stop_loss=_trigger(row, "sl"),
        reduce_only=fields.flag(row, "reduceOnly"),
        exchange_order_ids=_order_ids(row),
        actual_side=fields.text(row, "actualSide"),
        actual_quantity=fields.size_or_zero(row, "actualSz"),
        actual_price=fields.price_or_none(row, "actualPx"),
        fail_code="" if fields.text(row, "failCode") == "0" else fields.text(row, "failCode"),
        created_at=fields.time(row, "cTime"),
        updated_at=fields.optional_time(row, "uTime"),
        triggered_at=fields.optional_time(row, "triggerTime"),
        tag=fields.text(row, "tag"),
        raw=row,
    )


def parse_protections(row: Row) -> tuple[ProtectionReport, ...]:
    """What an order carries; absent on the paths that do not tell."""
    carried = row.get("attachAlgoOrds") or []
    if not isinstance(carried, list):
        raise MalformedReport("attachAlgoOrds", "not a list")
    return tuple(_protection(as_row(each, "attachAlgoOrds")) for each in carried)


def instrument_type(row: Row) -> InstrumentType | None:
    """None for a type we do not know: somebody's odd position must not hide the others."""
    return _INSTRUMENT_TYPES.get(fields.text(row, "instType"))


def _protection(row: Row) -> ProtectionReport:
    return ProtectionReport(
        client_algo_id=fields.text(row, "attachAlgoClOrdId"),
        attached_id=fields.text(row, "attachAlgoId"),
        take_profit=_trigger(row, "tp"),
        stop_loss=_trigger(row, "sl"),
        fail_code=fields.text(row, "failCode"),
        fail_reason=fields.message(row, "failReason"),
    )


def _trigger(row: Row, leg: str) -> Trigger | None:
    price = fields.price_or_none(row, f"{leg}TriggerPx")
    if price is None:
        return None
    kind = f"{leg}TriggerPxType"
    return Trigger(price, fields.choice(row, kind, TriggerPrice, {"": TriggerPrice.LAST}))


def _order_ids(row: Row) -> tuple[str, ...]:
    """The list where there is one; older rows name a single order."""
    listed = row.get("ordIdList") or []
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise MalformedReport("ordIdList", "not a list of texts")
    return tuple(listed) or tuple(filter(None, (fields.text(row, "ordId"),)))
