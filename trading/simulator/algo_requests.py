"""Reading algo orders and attached take profits and stop losses: their form only."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading.simulator.algo_state import Algo, Attached, Leg
from trading.simulator.codes import OkxError, missing, parameter
from trading.simulator.decimals import parse_number
from trading.simulator.instruments import Instrument
from trading.simulator.requests import (
    Params,
    check_price,
    client_word,
    flag,
    position_side,
    tag_of,
    target_currency,
    trade_mode,
)

ALGO_TYPES: Final = ("conditional", "oco", "trigger", "move_order_stop")
PRICE_TYPES: Final = ("last", "index", "mark")
MARKET: Final = "-1"
MAX_SPLITS: Final = 10
FEWEST_FOR_COST_PRICE: Final = 2
_UNSUPPORTED: Final = ("tpTriggerRatio", "slTriggerRatio")
_TRAILING: Final = ("callbackRatio", "callbackSpread", "activePx")


def read_algo(params: Params) -> Algo:
    """A well-formed algo order without account, id and time."""
    listed = params.instrument()
    ord_type = params.chosen("ordType", *ALGO_TYPES)
    side = params.chosen("side", "buy", "sell")
    algo = Algo(
        account="",
        inst_id=listed.inst_id,
        algo_id="",
        algo_cl_ord_id=client_word(params, "algoClOrdId"),
        ord_type=ord_type,
        side=side,
        pos_side=position_side(params),
        td_mode=trade_mode(params, listed),
        sz=_quantity(params),
        c_time=0,
        tgt_ccy=target_currency(params, listed, "market", side),
        tag=tag_of(params),
        ccy=params.text("ccy"),
        reduce_only=flag(params, "reduceOnly"),
        close_fraction=params.text("closeFraction"),
        bound=flag(params, "cxlOnClosePos"),
    )
    _READERS[ord_type](params, listed, algo)
    return algo


def read_attachments(params: Params, listed: Instrument, size: Decimal) -> tuple[Attached, ...]:
    """`attachAlgoOrds` of an order of this size; ids are given when it is placed."""
    raw = params.raw("attachAlgoOrds")
    if raw in (None, "", [], {}):
        return ()
    if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
        raise parameter("attachAlgoOrds")
    found = tuple(_attached(Params(each), listed) for each in raw)
    if len(found) > 1:
        check_splits(found, listed, size)
    elif found[0].cost_price:
        raise OkxError("51077" if listed.is_spot else "51085")
    return found


def read_leg(params: Params, name: str, listed: Instrument) -> Leg | None:
    """`name` is tp or sl; either both prices are there or none."""
    trigger, price = f"{name}TriggerPx", f"{name}OrdPx"
    kind = params.text("tpOrdKind") or "condition"
    if kind not in ("condition", "limit"):
        raise parameter("tpOrdKind")
    if name == "tp" and kind == "limit":
        return resting_leg(params, listed, "tpOrdPx")
    if not params.has(trigger) and not params.has(price):
        return None
    px_type = price_type(params, f"{trigger}Type", listed)
    return Leg(read_price(params, trigger, listed), px_type, order_price(params, price, listed))


def read_price(params: Params, name: str, listed: Instrument) -> Decimal:
    price = parse_number(params.needed(name))
    if not price:
        raise parameter(name)
    check_price(listed, price)
    return price


def order_price(params: Params, name: str, listed: Instrument) -> Decimal | None:
    """None stands for a market order, written as -1."""
    return None if params.needed(name) == MARKET else read_price(params, name, listed)


def price_type(params: Params, name: str, listed: Instrument, default: str = "last") -> str:
    value = params.text(name) or default
    if value not in PRICE_TYPES:
        raise parameter(name)
    if listed.is_spot and value != "last":
        raise OkxError("51415")
    return value


def _quantity(params: Params) -> Decimal:
    """`sz`, or zero with `closeFraction`, whose only value is 1."""
    if not params.has("closeFraction"):
        size = parse_number(params.needed("sz"))
        if not size:
            raise parameter("sz")
        return size
    if parse_number(params.text("closeFraction")) != 1:
        raise parameter("closeFraction")
    if params.has("sz"):
        raise parameter("sz")
    return Decimal(0)


def _read_conditional(params: Params, listed: Instrument, algo: Algo) -> None:
    """With both legs only the stop loss counts."""
    algo.tp, algo.sl = read_leg(params, "tp", listed), read_leg(params, "sl", listed)
    if algo.sl is not None:
        algo.tp = None
    elif algo.tp is None:
        raise OkxError("50015", "tpTriggerPx", "slTriggerPx")
    elif algo.tp.trigger_px is None:
        raise OkxError("51095")
    _check_fraction(listed, algo)


def _read_oco(params: Params, listed: Instrument, algo: Algo) -> None:
    algo.tp, algo.sl = read_leg(params, "tp", listed), read_leg(params, "sl", listed)
    if algo.sl is None:
        limited = algo.tp is not None and algo.tp.trigger_px is None
        raise OkxError("51095") if limited else missing("slTriggerPx")
    if algo.tp is None:
        raise missing("tpTriggerPx")
    if algo.tp.trigger_px is None and not algo.bound:
        raise OkxError("51096")
    _check_fraction(listed, algo)


def _read_trigger(params: Params, listed: Instrument, algo: Algo) -> None:
    _refuse_fraction(params)
    px_type = price_type(params, "triggerPxType", listed)
    trigger_px = read_price(params, "triggerPx", listed)
    algo.trigger = Leg(trigger_px, px_type, order_price(params, "orderPx", listed))
    algo.advance_type = params.text("advanceOrdType")
    if algo.advance_type not in ("", "fok", "ioc"):
        raise parameter("advanceOrdType")
    algo.attached = read_attachments(params, listed, algo.sz)


def _read_trailing(params: Params, listed: Instrument, algo: Algo) -> None:
    _refuse_fraction(params)
    algo.callback_ratio, algo.callback_spread, algo.active_px = _trail(params, listed)


def _trail(
    params: Params, listed: Instrument
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Ratio or spread, one of them, and the price that activates the trailing stop."""
    if params.has("callbackRatio") == params.has("callbackSpread"):
        raise OkxError("50015", "callbackRatio", "callbackSpread")
    ratio = spread = active_px = None
    if params.has("callbackRatio"):
        ratio = parse_number(params.text("callbackRatio"))
        if not ratio or ratio > 1:
            raise OkxError("51311", "0", "1")
    else:
        spread = read_price(params, "callbackSpread", listed)
    if params.has("activePx"):
        active_px = read_price(params, "activePx", listed)
    return ratio, spread, active_px


def _refuse_fraction(params: Params) -> None:
    for name in ("closeFraction", "cxlOnClosePos"):
        if params.has(name) and params.text(name) != "false":
            raise parameter(name)


def _check_fraction(listed: Instrument, algo: Algo) -> None:
    """Closing a whole position takes contracts and market orders."""
    if not algo.close_fraction:
        return
    if listed.is_spot:
        raise OkxError("51327")
    if any(leg is not None and leg.ord_px is not None for leg in (algo.tp, algo.sl)):
        raise OkxError("51330")


def resting_leg(params: Params, listed: Instrument, name: str) -> Leg:
    """A take profit that waits in the book instead of for a trigger."""
    if listed.is_spot:
        raise OkxError("51094")
    price = order_price(params, name, listed)
    if price is None:
        raise OkxError("51093")
    return Leg(None, "", price)


def _attached(params: Params, listed: Instrument) -> Attached:
    for name in _UNSUPPORTED:
        if params.has(name):
            raise parameter(name)
    cl_id = client_word(params, "attachAlgoClOrdId")
    tp, sl = read_leg(params, "tp", listed), read_leg(params, "sl", listed)
    if any(params.has(name) for name in _TRAILING):
        if tp or sl:
            raise parameter("attachAlgoOrds")
        return Attached("", cl_id, None, None, None, False, *_trail(params, listed))
    if tp is None and sl is None:
        raise OkxError("51178") if cl_id else parameter("attachAlgoOrds")
    cost_price = params.text("amendPxOnTriggerType") or "0"
    if cost_price not in ("0", "1"):
        raise parameter("amendPxOnTriggerType")
    return Attached("", cl_id, tp, sl, part(params), cost_price == "1")


def part(params: Params) -> Decimal | None:
    if not params.has("sz"):
        return None
    size = parse_number(params.text("sz"))
    if not size:
        raise parameter("sz")
    return size


def check_splits(found: tuple[Attached, ...], listed: Instrument, size: Decimal) -> None:
    """Several take profits that share the order, and at most one stop loss."""
    if listed.is_spot:
        raise OkxError("51077")
    if any(each.tp and each.sl for each in found):
        raise OkxError("51076")
    profits = [each.tp for each in found if each.tp]
    if len(profits) > MAX_SPLITS:
        raise OkxError("51079", str(MAX_SPLITS))
    if len(found) - len(profits) > 1:
        raise OkxError("51084", "1")
    if any(each.cost_price for each in found) and len(profits) < FEWEST_FOR_COST_PRICE:
        raise OkxError("51085")
    _check_profits(profits)
    sizes = [each.sz for each in found if each.tp]
    if None in sizes:
        raise OkxError("51089")
    if sum(each for each in sizes if each) != size:
        raise OkxError("51083")


def _check_profits(profits: list[Leg]) -> None:
    resting = [each for each in profits if each.trigger_px is None]
    if resting and len(resting) < len(profits):
        raise OkxError("51091")
    if resting and len({each.ord_px for each in resting}) < len(resting):
        raise OkxError("51092")
    if resting:
        return
    if len({each.px_type for each in profits}) > 1:
        raise OkxError("51080")
    if len({each.trigger_px for each in profits}) < len(profits):
        raise OkxError("51081")
    if any(each.ord_px is not None for each in profits):
        raise OkxError("51082")


_READERS: Final[dict[str, Any]] = {
    "conditional": _read_conditional,
    "oco": _read_oco,
    "trigger": _read_trigger,
    "move_order_stop": _read_trailing,
}
