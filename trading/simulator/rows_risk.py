"""Risk, greeks and loans as OKX prints them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading.simulator.decimals import divide, plain
from trading.simulator.instruments import BY_ID
from trading.simulator.margin import funds
from trading.simulator.market import Market
from trading.simulator.rows_account import fill_in, held_currencies, in_usd, shown_quantity
from trading.simulator.state import Account, Position

Row = dict[str, Any]

_GREEKS: Final = "thetaBS thetaPA deltaBS deltaPA gammaBS gammaPA vegaBS vegaPA"
_EMPTY_LOAN: Final = "availLoan avgRate posLoan usedLoan interestFreeLiab potentialBorrowingAmt"


def position_risk_row(account: Account, market: Market, inst_type: str, now_ms: int) -> Row:
    """Balances and positions of one instant."""
    views = [funds(account, ccy, market) for ccy in held_currencies(account)]
    return {
        "adjEq": "",
        "balData": [
            {"ccy": view.ccy, "disEq": plain(in_usd(view, market)), "eq": plain(view.eq)}
            for view in views
        ],
        "posData": [
            _position_row(each, market)
            for each in account.open_positions()
            if inst_type in ("", BY_ID[each.inst_id].inst_type)
        ],
        "ts": str(now_ms),
    }


def greeks_row(ccy: str, now_ms: int) -> Row:
    """Options are not listed: no greek has a value."""
    return {**fill_in(_GREEKS, ""), "ccy": ccy, "ts": str(now_ms)}


def loan_row(ccy: str) -> Row:
    return {
        **fill_in(_EMPTY_LOAN, ""),
        "ccy": ccy,
        "interest": "0",
        "loanQuota": "0",
        "rate": "0",
        "surplusLmt": "0",
        "surplusLmtDetails": {},
        "usedLmt": "0",
    }


def _position_row(position: Position, market: Market) -> Row:
    listed = BY_ID[position.inst_id]
    mark = market.quote(position.inst_id).mark
    return {
        "baseBal": "",
        "ccy": listed.settle,
        "instId": position.inst_id,
        "instType": listed.inst_type,
        "mgnMode": position.mgn_mode,
        "notionalCcy": plain(_coins(position, mark)),
        "notionalUsd": plain(listed.usd_notional(position.qty, mark)),
        "pos": shown_quantity(position),
        "posCcy": "",
        "posId": position.pos_id,
        "posSide": position.pos_side,
        "quoteBal": "",
    }


def _coins(position: Position, mark: Decimal) -> Decimal:
    """The position in coins of its underlying."""
    listed = BY_ID[position.inst_id]
    worth = abs(position.qty) * listed.ct_val
    return divide(worth, mark) if listed.is_inverse else worth
