"""Algo orders, and what orders carry, as OKX prints them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading.simulator.algo_requests import MARKET
from trading.simulator.algo_state import Algo, Attached, Leg
from trading.simulator.algo_trigger import trail_price
from trading.simulator.decimals import ZERO, plain
from trading.simulator.instruments import BY_ID
from trading.simulator.market import Market
from trading.simulator.state import Account, Order, Position

Row = dict[str, Any]

_NO_CHASE: Final = "chaseType chaseVal maxChaseType maxChaseVal"
_NO_SLICES: Final = "pxLimit pxSpread pxVar szLimit timeInterval"
_ADVANCED: Final = ("callbackRatio", "callbackSpread", "activePx", "moveTriggerPx")


def algo_row(algo: Algo) -> Row:
    """The REST object: one algo order, pending and history."""
    return {
        **_common(algo),
        **_legs(algo.tp, algo.sl),
        **_trailing(algo),
        **dict.fromkeys(_NO_CHASE.split(), ""),
        **dict.fromkeys(_NO_SLICES.split(), ""),
        "amendPxOnTriggerType": "1" if algo.cost_price else "0",
        "attachAlgoOrds": [_attached(each) for each in algo.attached],
        "closeFraction": algo.close_fraction,
        "last": plain(algo.last),
        "linkedOrd": {"ordId": algo.linked_ord},
        "ordIdList": algo.ord_ids,
        "ordId": algo.ord_ids[-1] if algo.ord_ids else "",
        "quickMgnType": "",
        "tgtCcy": algo.tgt_ccy,
        "triggerPxType": algo.trigger.px_type if algo.trigger else "",
        "uTime": str(algo.u_time),
    }


def algo_push_row(algo: Algo, market: Market) -> Row:
    """The orders-algo channel: take profits, stop losses and trigger orders."""
    row = algo_row(algo)
    for name in (*_ADVANCED, *_NO_CHASE.split(), *_NO_SLICES.split(), "triggerPxType"):
        del row[name]
    return row | {
        "amendResult": "0" if algo.amended else "",
        "notionalUsd": _notional(algo, market),
        "reqId": algo.req_id if algo.amended else "",
    }


def advance_push_row(algo: Algo, market: Market, now_ms: int) -> Row:
    """The algo-advance channel: trailing stops."""
    legs = _legs(algo.tp, algo.sl)
    return {
        **_common(algo),
        **{name: legs[name] for name in ("tpTriggerPx", "tpOrdPx", "slTriggerPx", "slOrdPx")},
        **_trailing(algo),
        **dict.fromkeys(_NO_SLICES.split(), ""),
        "count": str(len(algo.ord_ids)),
        "isTradeBorrowMode": False,
        "notionalUsd": _notional(algo, market),
        "pTime": str(now_ms),
    }


def attached_rows(order: Order, *, pushed: bool = False) -> list[Row]:
    """What an order carries; a failure to arm never happens, so its reason stays empty."""
    rows = []
    for each in order.attached:
        row = {
            **_attached(each),
            "amendPxOnTriggerType": "1" if each.cost_price else "0",
            "attachAlgoId": each.attach_id,
            "sz": "" if each.sz is None else plain(each.sz),
            "tpOrdKind": "limit" if each.tp and each.tp.trigger_px is None else "condition",
        }
        rows.append(row if pushed else row | {"failCode": "", "failReason": ""})
    return rows


def close_algos(account: Account, position: Position) -> list[Row]:
    """The algo orders that would close the whole position."""
    key = (position.inst_id, position.mgn_mode, position.pos_side)
    found = [each for each in account.live_algos.values() if each.close_fraction]
    return [
        {
            "algoId": each.algo_id,
            "closeFraction": each.close_fraction,
            "slTriggerPx": _trigger(each.sl),
            "slTriggerPxType": each.sl.px_type if each.sl else "",
            "tpTriggerPx": _trigger(each.tp),
            "tpTriggerPxType": each.tp.px_type if each.tp else "",
        }
        for each in found
        if each.key == key
    ]


def _common(algo: Algo) -> Row:
    listed = BY_ID[algo.inst_id]
    return {
        "actualPx": _number(algo.actual_px),
        "actualSide": algo.actual_side,
        "actualSz": plain(algo.actual_sz),
        "algoClOrdId": algo.algo_cl_ord_id,
        "algoId": algo.algo_id,
        "cTime": str(algo.c_time),
        "ccy": algo.ccy,
        "clOrdId": "",
        "failCode": algo.fail_code or ("0" if algo.is_live else ""),
        "instId": algo.inst_id,
        "instType": listed.inst_type,
        "isTradeBorrowMode": "",
        "lever": algo.lever,
        "ordPx": _price(algo.trigger),
        "ordType": algo.ord_type,
        "posSide": algo.pos_side,
        "reduceOnly": "true" if algo.reduce_only else "false",
        "side": algo.side,
        "state": algo.state,
        "sz": plain(algo.sz) if algo.sz else "",
        "tag": algo.tag,
        "tdMode": algo.td_mode,
        "tradeQuoteCcy": listed.quote if listed.is_spot else "",
        "triggerPx": _trigger(algo.trigger),
        "triggerTime": str(algo.trigger_time or ""),
    }


def _trailing(algo: Algo) -> Row:
    return _trail_terms(algo) | {
        "moveTriggerPx": _number(trail_price(algo, algo.extreme)),
    }


def _attached(attached: Attached) -> Row:
    return {
        **_legs(attached.tp, attached.sl),
        "attachAlgoClOrdId": attached.cl_id,
        "slTriggerRatio": "",
        "tpTriggerRatio": "",
        **(_trail_terms(attached) if attached.trails else {}),
    }


def _trail_terms(algo: Algo | Attached) -> Row:
    return {
        "activePx": _number(algo.active_px),
        "callbackRatio": _number(algo.callback_ratio),
        "callbackSpread": _number(algo.callback_spread),
    }


def _legs(tp: Leg | None, sl: Leg | None) -> Row:
    return {
        "slOrdPx": _price(sl),
        "slTriggerPx": _trigger(sl),
        "slTriggerPxType": sl.px_type if sl else "",
        "tpOrdPx": _price(tp),
        "tpTriggerPx": _trigger(tp),
        "tpTriggerPxType": tp.px_type if tp else "",
    }


def _price(leg: Leg | None) -> str:
    if leg is None:
        return ""
    return MARKET if leg.ord_px is None else plain(leg.ord_px)


def _trigger(leg: Leg | None) -> str:
    return "" if leg is None else _number(leg.trigger_px)


def _number(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _notional(algo: Algo, market: Market) -> str:
    """In USD at the last price; spot sizes in quote money are what they are."""
    if algo.tgt_ccy == "quote_ccy":
        return plain(algo.sz)
    last = market.quote(algo.inst_id).last
    return plain(BY_ID[algo.inst_id].usd_notional(algo.sz, last) or ZERO)
