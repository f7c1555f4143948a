"""Bills as OKX prints them."""

from __future__ import annotations

from typing import Any

from trading.simulator.decimals import plain
from trading.simulator.instruments import BY_ID
from trading.simulator.state import Bill

Row = dict[str, Any]


def bill_row(bill: Bill) -> Row:
    listed = BY_ID.get(bill.inst_id)
    spot = listed is not None and listed.is_spot
    mark = "" if bill.mark is None else plain(bill.mark)
    return {
        "bal": plain(bill.bal),
        "balChg": plain(bill.bal_chg),
        "billId": bill.bill_id,
        "ccy": bill.ccy,
        "clOrdId": bill.cl_ord_id,
        "earnAmt": "",
        "earnApr": "",
        "execType": bill.exec_type,
        "fee": plain(bill.fee),
        "fillFwdPx": "",
        "fillIdxPx": mark if bill.trade_id else "",
        "fillMarkPx": mark if bill.trade_id and not spot else "",
        "fillMarkVol": "",
        "fillPxUsd": "",
        "fillPxVol": "",
        "fillTime": str(bill.ts) if bill.trade_id else "",
        "from": bill.source,
        "instId": bill.inst_id,
        "instType": listed.inst_type if listed is not None else "",
        "interest": "0",
        "mgnMode": bill.mgn_mode,
        "notes": bill.notes,
        "ordId": bill.ord_id,
        "pnl": plain(bill.pnl),
        "posBal": plain(bill.pos_bal),
        "posBalChg": plain(bill.pos_bal_chg),
        "px": "" if bill.px is None else plain(bill.px),
        "subType": bill.sub_type,
        "sz": plain(bill.sz),
        "tag": bill.tag,
        "to": bill.target,
        "tradeId": bill.trade_id,
        "ts": str(bill.ts),
        "type": bill.kind,
    }
