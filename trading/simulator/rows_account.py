"""Balances, positions and configuration as OKX prints them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading.simulator import margin
from trading.simulator.decimals import ZERO, divide, plain, round_money
from trading.simulator.instruments import BY_ID
from trading.simulator.margin import Funds
from trading.simulator.market import Market
from trading.simulator.rows_algo import close_algos
from trading.simulator.state import Account, Position

Row = dict[str, Any]

_GREEKS = "deltaBS deltaPA gammaBS gammaPA thetaBS thetaPA vegaBS vegaPA"
_EMPTY_POSITION = (
    "baseBal baseBorrowed baseInterest bizRefId bizRefType clSpotInUseAmt hedgedPos liab"
    " liabCcy maxSpotInUseAmt optVal posCcy quoteBal quoteBorrowed quoteInterest spotInUseAmt"
    " spotInUseCcy nonSettleAvgPx settledPnl"
)
_ZERO_DETAIL = (
    "autoLendMtAmt borrowFroz crossLiab colRes colBorrAutoConversion smtSyncEq spotCopyTradingEq"
    " fixedBal frpType interest isoLiab liab maxLoan rewardBal spotIsoBal stgyEq twap uplLiab"
)
_EMPTY_DETAIL = (
    "spotInUseAmt clSpotInUseAmt maxSpotInUse spotBal openAvgPx accAvgPx spotUpl"
    " spotUplRatio totalPnl totalPnlRatio"
)
_EMPTY_BALANCE = (
    "adjEq availEq borrowFroz delta deltaLever imr mgnRatio mmr notionalUsd"
    " notionalUsdForBorrow notionalUsdForFutures notionalUsdForOption notionalUsdForSwap"
    " ordFroz upl"
)


def config_row(account: Account) -> Row:
    return {
        "acctLv": account.acct_lv,
        "acctStpMode": "cancel_maker",
        "autoLoan": account.auto_loan,
        "ctIsoMode": "automatic",
        "enableSpotBorrow": False,
        "feeType": "0",
        "greeksType": account.greeks_type,
        "ip": account.ip,
        "kycLv": "3",
        "label": account.label,
        "level": "Lv1",
        "levelTmp": "",
        "liquidationGear": "-1",
        "mainUid": account.uid,
        "mgnIsoMode": "automatic",
        "opAuth": "0",
        "perm": account.perm,
        "posMode": account.pos_mode,
        "roleType": "0",
        "settleCcy": "",
        "settleCcyList": ["USD", "USDC"],
        "spotBorrowAutoRepay": False,
        "spotOffsetType": "",
        "spotRoleType": "0",
        "spotTraderInsts": [],
        "stgyType": "0",
        "traderInsts": [],
        "type": "0",
        "uid": account.uid,
    }


def balance_row(account: Account, market: Market, wanted: list[str], now_ms: int) -> Row:
    """`wanted` currencies are listed even at zero; without it those that are held."""
    currencies = wanted or held_currencies(account)
    views = [margin.funds(account, ccy, market) for ccy in currencies]
    every = [margin.funds(account, ccy, market) for ccy in held_currencies(account)]
    total = sum((in_usd(view, market) for view in every), ZERO)
    iso = sum((view.iso_eq * market.usd_price(view.ccy) for view in every), ZERO)
    return {
        **fill_in(_EMPTY_BALANCE, ""),
        "deltaNeutralStatus": "0",
        "details": [detail_row(account, view, market) for view in views],
        "isoEq": plain(round_money(iso)),
        "totalEq": plain(total),
        "uTime": str(now_ms),
    }


def held_currencies(account: Account) -> list[str]:
    return [ccy for ccy, cash in account.balances.items() if cash or _in_use(account, ccy)]


def detail_row(account: Account, view: Funds, market: Market) -> Row:
    usd = in_usd(view, market)
    has_cross = bool(view.notional)
    health = margin.cross_health(account, view.ccy, market)
    return {
        **fill_in(_ZERO_DETAIL, "0"),
        **fill_in(_EMPTY_DETAIL, ""),
        "autoLendStatus": "off",
        "availBal": plain(view.available),
        "availEq": plain(view.available),
        "cashBal": plain(view.cash),
        "ccy": view.ccy,
        "collateralEnabled": False,
        "collateralRestrict": False,
        "disEq": plain(usd),
        "eq": plain(view.eq),
        "eqUsd": plain(usd),
        "frozenBal": plain(view.frozen),
        "imr": plain(view.imr) if has_cross else "",
        "isoEq": plain(view.iso_eq),
        "isoUpl": plain(view.iso_upl),
        "mgnRatio": _shown(health.ratio),
        "mmr": plain(view.mmr) if has_cross else "",
        "notionalLever": _ratio(view.notional, view.eq) if has_cross else "",
        "ordFrozen": plain(view.ord_frozen),
        "uTime": str(account.u_time),
        "upl": plain(view.upl + view.iso_upl),
    }


def position_row(account: Account, position: Position, market: Market) -> Row:
    listed = BY_ID[position.inst_id]
    quote = market.quote(position.inst_id)
    upl, upl_last = margin.unrealized(position, market), margin.unrealized_last(position, market)
    lever = account.lever(position.inst_id, position.mgn_mode, position.pos_side)
    at_entry = divide(abs(position.cost), lever)
    liquidation = margin.liquidation_price(account, position, market) if position.qty else None
    cross = position.mgn_mode == "cross"
    realized = position.pnl + position.fee + position.funding
    return {
        **fill_in(_GREEKS, ""),
        **fill_in(_EMPTY_POSITION, ""),
        "adl": "1",
        "availPos": _available(account, position),
        "avgPx": average(position),
        "bePx": break_even(position),
        "cTime": str(position.c_time),
        "ccy": listed.settle,
        "closeOrderAlgo": close_algos(account, position),
        "fee": plain(position.fee),
        "fundingFee": plain(position.funding),
        "idxPx": plain(quote.index),
        "imr": plain(margin.initial(account, position, market)) if cross else "",
        "instId": position.inst_id,
        "instType": listed.inst_type,
        "interest": "",
        "last": plain(quote.last),
        "lever": plain(lever),
        "liqPenalty": "0",
        "liqPx": plain(liquidation) if liquidation else "",
        "margin": "" if cross else plain(position.margin),
        "markPx": plain(quote.mark),
        "mgnMode": position.mgn_mode,
        "mgnRatio": _shown(margin.health(account, position, market).ratio),
        "mmr": plain(margin.maintenance(position, market)),
        "notionalUsd": plain(listed.usd_notional(position.qty, quote.mark)),
        "pendingCloseOrdLiabVal": "",
        "pnl": plain(position.pnl),
        "pos": shown_quantity(position),
        "posId": position.pos_id,
        "posSide": position.pos_side,
        "realizedPnl": plain(realized),
        "tradeId": position.trade_id,
        "uTime": str(position.u_time),
        "upl": plain(upl),
        "uplLastPx": plain(upl_last),
        "uplRatio": _ratio(upl, at_entry),
        "uplRatioLastPx": _ratio(upl_last, at_entry),
        "usdPx": plain(market.usd_price(listed.settle)),
    }


def _available(account: Account, position: Position) -> str:
    """What may still be closed of a long or short position; net positions do not say."""
    if position.pos_side == "net":
        return ""
    resting = sum(
        (
            each.remaining
            for each in account.pending.values()
            if each.reduce_only
            and (each.inst_id, each.td_mode, each.pos_side)
            == (position.inst_id, position.mgn_mode, position.pos_side)
        ),
        ZERO,
    )
    return plain(max(abs(position.qty) - resting, ZERO))


def closed_row(account: Account, position: Position) -> Row:
    """Positions history: a position that reached zero, or an open one that was partly closed."""
    listed = BY_ID[position.inst_id]
    realized = position.pnl + position.fee + position.funding
    direction = closed_direction(position)
    opened, closed = position.opened, position.closed
    opened_at = listed.price_of(opened, position.opened_cost) if opened else ZERO
    closed_at = listed.price_of(closed, position.closed_cost) if closed else ZERO
    lever = account.lever(position.inst_id, position.mgn_mode, position.pos_side)
    put_in = divide(abs(position.opened_cost), lever)
    return {
        "cTime": str(position.c_time),
        "ccy": listed.settle,
        "closeAvgPx": plain(closed_at),
        "closeTotalPos": plain(position.closed),
        "direction": direction,
        "fee": plain(position.fee),
        "fundingFee": plain(position.funding),
        "instId": position.inst_id,
        "instType": listed.inst_type,
        "lever": plain(lever),
        "liqPenalty": "0",
        "mgnMode": position.mgn_mode,
        "nonSettleAvgPx": "",
        "openAvgPx": plain(opened_at),
        "openMaxPos": plain(position.largest),
        "pnl": plain(position.pnl),
        "pnlRatio": _ratio(realized, put_in),
        "posId": position.pos_id,
        "posSide": position.pos_side,
        "realizedPnl": plain(realized),
        "settledPnl": "",
        "triggerPx": "",
        "type": closed_kind(position),
        "uTime": str(position.u_time),
        "uly": listed.family,
    }


def fill_in(names: str, value: str) -> Row:
    """Fields that are always the same here: unused parts of OKX's objects."""
    return dict.fromkeys(names.split(), value)


def shown_quantity(position: Position) -> str:
    """Signed in net mode, positive for both sides in long-short mode."""
    net = position.pos_side == "net"
    return plain(position.qty if net else abs(position.qty))


def average(position: Position) -> str:
    if not position.qty:
        return ""
    return plain(BY_ID[position.inst_id].price_of(position.qty, position.cost))


def break_even(position: Position) -> str:
    """The entry price moved by what both fees cost."""
    if not position.qty:
        return ""
    listed = BY_ID[position.inst_id]
    fees = round_money(abs(position.cost) * margin.SWAP_TAKER * 2)
    return plain(listed.price_of(position.qty, position.cost + fees))


def closed_direction(position: Position) -> str:
    if position.pos_side != "net":
        return position.pos_side
    return position.direction


def closed_kind(position: Position) -> str:
    """How a position was last reduced: 1 partly, 2 wholly, 3 and 4 by liquidation, 5 and 6 by ADL.

    Of the forced ones 3 and 6 left nothing, 4 and 5 a part.
    """
    rest = bool(position.qty)
    if position.closed_by == "adl":
        return "5" if rest else "6"
    if position.closed_by in ("partial_liquidation", "full_liquidation"):
        return "4" if rest else "3"
    return "1" if rest else "2"


def _shown(ratio: Decimal | None) -> str:
    return "" if ratio is None else plain(ratio)


def _ratio(value: Decimal, by: Decimal) -> str:
    return plain(divide(value, by)) if by else ""


def in_usd(view: Funds, market: Market) -> Decimal:
    return round_money(view.eq * market.usd_price(view.ccy))


def _in_use(account: Account, ccy: str) -> bool:
    return any(BY_ID[each.inst_id].settle == ccy for each in account.open_positions())
