"""Orders and fills as OKX prints them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading.simulator.decimals import ZERO, divide, plain
from trading.simulator.instruments import BY_ID
from trading.simulator.market import Market
from trading.simulator.rows_algo import attached_rows
from trading.simulator.state import Fill, Order

Row = dict[str, Any]


def order_row(order: Order) -> Row:
    """The REST object: GET order, pending, history."""
    listed = BY_ID[order.inst_id]
    origin = order.origin
    came_from = origin if origin is not None and not origin.linked else None
    linked = origin.algo_id if origin is not None and origin.linked else ""
    return {
        "accFillSz": plain(order.filled),
        "algoClOrdId": came_from.algo_cl_ord_id if came_from else "",
        "algoId": came_from.algo_id if came_from else "",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": attached_rows(order),
        "avgPx": average(order),
        "cTime": str(order.c_time),
        "cancelSource": order.cancel_source,
        "cancelSourceReason": "",
        "category": order.category,
        "ccy": order.ccy,
        "clOrdId": order.cl_ord_id,
        "fee": plain(order.fee),
        "feeCcy": order.fee_ccy,
        "fillPx": "" if order.fill_px is None else plain(order.fill_px),
        "fillSz": plain(order.fill_sz),
        "fillTime": str(order.fill_time or ""),
        "instId": order.inst_id,
        "instType": listed.inst_type,
        "isTpLimit": "true" if linked else "false",
        "lever": order.lever,
        "linkedAlgoOrd": {"algoId": linked},
        "ordId": order.ord_id,
        "ordType": order.ord_type,
        "pnl": plain(order.pnl),
        "posSide": order.pos_side,
        "px": "" if order.px is None else plain(order.px),
        "pxType": "",
        "pxUsd": "",
        "pxVol": "",
        "quickMgnType": "",
        "rebate": "0",
        "rebateCcy": _rebate_ccy(order),
        "reduceOnly": "true" if order.reduce_only and order.pos_side == "net" else "false",
        "side": order.side,
        "slOrdPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "source": origin.source if origin else "",
        "state": order.state,
        "stpId": "",
        "stpMode": order.stp_mode,
        "sz": plain(order.sz),
        "tag": order.tag,
        "tdMode": order.td_mode,
        "tgtCcy": order.tgt_ccy,
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "tradeId": order.trade_id,
        "tradeQuoteCcy": listed.quote if listed.is_spot else "",
        "uTime": str(order.u_time),
    }


def order_push_row(order: Order, fill: Fill | None, market: Market) -> Row:
    """The orders channel: the REST object plus what this very event brought."""
    listed = BY_ID[order.inst_id]
    quote = market.quote(order.inst_id)
    row = order_row(order)
    del row["cancelSourceReason"]
    amended = order.amended and fill is None
    return row | {
        "attachAlgoOrds": attached_rows(order, pushed=True),
        "amendResult": "0" if amended else "",
        "amendSource": "1" if amended else "",
        "code": "0",
        "execType": fill.exec_type if fill else "",
        "fillFee": plain(fill.fee) if fill else "0",
        "fillFeeCcy": fill.fee_ccy if fill else "",
        "fillFwdPx": "",
        "fillIdxPx": plain(quote.index) if fill else "",
        "fillMarkPx": plain(fill.mark) if fill and not listed.is_spot else "",
        "fillMarkVol": "",
        "fillNotionalUsd": plain(listed.usd_notional(fill.sz, fill.px)) if fill else "",
        "fillPnl": plain(fill.pnl) if fill else "0",
        "fillPx": plain(fill.px) if fill else "",
        "fillPxUsd": "",
        "fillPxVol": "",
        "fillSz": plain(fill.sz) if fill else "0",
        "fillTime": str(fill.ts) if fill else "",
        "lastPx": plain(quote.last),
        "msg": "",
        "notionalUsd": plain(_notional_usd(order, market)),
        "reqId": order.req_id if amended else "",
        "tradeId": fill.trade_id if fill else "",
    }


def fill_row(fill: Fill) -> Row:
    listed = BY_ID[fill.inst_id]
    return {
        "side": fill.side,
        "fillSz": plain(fill.sz),
        "fillPx": plain(fill.px),
        "fillPxVol": "",
        "fillFwdPx": "",
        "fee": plain(fill.fee),
        "fillPnl": plain(fill.pnl),
        "ordId": fill.ord_id,
        "feeRate": plain(fill.fee_rate),
        "instType": listed.inst_type,
        "fillPxUsd": "",
        "instId": fill.inst_id,
        "clOrdId": fill.cl_ord_id,
        "posSide": fill.pos_side,
        "billId": fill.bill_id,
        "subType": fill.sub_type,
        "fillMarkVol": "",
        "tag": fill.tag,
        "fillTime": str(fill.ts),
        "execType": fill.exec_type,
        "fillIdxPx": plain(fill.mark),
        "tradeId": fill.trade_id,
        "fillMarkPx": "" if listed.is_spot else plain(fill.mark),
        "feeCcy": fill.fee_ccy,
        "ts": str(fill.ts),
        "tradeQuoteCcy": listed.quote if listed.is_spot else "",
    }


def average(order: Order) -> str:
    return plain(divide(order.paid, order.filled)) if order.filled else ""


def _rebate_ccy(order: Order) -> str:
    listed = BY_ID[order.inst_id]
    if not listed.is_spot:
        return listed.settle
    return listed.quote if order.side == "buy" else listed.base


def _notional_usd(order: Order, market: Market) -> Decimal:
    listed = BY_ID[order.inst_id]
    if order.tgt_ccy == "quote_ccy":
        return order.sz
    price = order.px or market.quote(order.inst_id).last
    return listed.usd_notional(order.sz, price) or ZERO
