"""Private account endpoints: balances, positions, risk, fees."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator import rows_account as rows
from trading.simulator import rows_risk
from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import plain
from trading.simulator.instruments import BY_ID, CURRENCIES, Instrument, account_instrument_row
from trading.simulator.margin import fee_rate
from trading.simulator.requests import Params
from trading.simulator.routing import (
    Call,
    Route,
    Routes,
    instrument_type,
    listed_instruments,
    newest,
    one_instrument,
    several,
)
from trading.simulator.state import Position

_HOUR_MS: Final = 3_600_000
_CLOSED_KINDS: Final = ("1", "2", "3", "4", "5", "6")


def _balance(call: Call) -> list[Any]:
    wanted = several(call.params, "ccy", 20)
    return [rows.balance_row(call.account, call.venue.market, wanted, call.now_ms)]


def _positions(call: Call) -> list[Any]:
    """Open ones; those asked for by `posId` also when closed."""
    inst_type = instrument_type(call.params, needed=False)
    wanted = several(call.params, "instId", 10)
    pos_ids = several(call.params, "posId", 20)
    if not all(each in BY_ID for each in wanted):
        raise OkxError("51001")
    return [
        rows.position_row(call.account, each, call.venue.market)
        for each in call.account.positions.values()
        if (each.qty or each.pos_id in pos_ids)
        and inst_type in ("", BY_ID[each.inst_id].inst_type)
        and (not wanted or each.inst_id in wanted)
        and (not pos_ids or each.pos_id in pos_ids)
    ]


def _positions_history(call: Call) -> list[Any]:
    """Closed positions and open ones that were partly closed; pages by time of change."""
    wanted = _wanted_positions(call.params)
    partly = [each for each in call.account.open_positions() if each.closed]
    every = [*call.account.closed, *partly]
    every.sort(key=lambda each: each.u_time, reverse=True)
    found = newest(
        call.params,
        every,
        number=lambda each: each.u_time,
        time=lambda each: each.u_time,
        keep=lambda each: all(question(each) for question in wanted),
    )
    return [rows.closed_row(call.account, each) for each in found]


def _wanted_positions(params: Params) -> list[Any]:
    inst_type, kind = instrument_type(params, needed=False), params.text("type")
    inst_id, mode, pos_id = (params.text(name) for name in ("instId", "mgnMode", "posId"))
    if kind not in ("", *_CLOSED_KINDS):
        raise parameter("type")
    if mode not in ("", "cross", "isolated"):
        raise parameter("mgnMode")
    if inst_id and inst_id not in BY_ID:
        raise OkxError("51001")

    def same(each: Position) -> bool:
        return inst_id in ("", each.inst_id) and mode in ("", each.mgn_mode)

    return [
        same,
        lambda each: pos_id in ("", each.pos_id),
        lambda each: inst_type in ("", BY_ID[each.inst_id].inst_type),
        lambda each: kind in ("", rows.closed_kind(each)),
    ]


def _trade_fee(call: Call) -> list[Any]:
    inst_type = instrument_type(call.params)
    if call.params.has("instId"):
        _check_type(one_instrument(call.params), inst_type)
    spot = inst_type in ("SPOT", "MARGIN")
    sample = "BTC-USDT" if spot else "BTC-USDT-SWAP"
    maker, taker = plain(-fee_rate(sample, "M")), plain(-fee_rate(sample, "T"))
    return [
        {
            "category": "1",
            "delivery": "",
            "exercise": "",
            "feeGroup": [{"elpMaker": maker, "groupId": "1", "maker": maker, "taker": taker}],
            "fiat": [],
            "instType": inst_type,
            "level": "Lv1",
            "maker": maker,
            "makerU": "" if spot else maker,
            "makerUSDC": "",
            "ruleType": "normal",
            "taker": taker,
            "takerU": "" if spot else taker,
            "takerUSDC": "",
            "ts": str(call.now_ms),
        }
    ]


def _check_type(listed: Instrument, inst_type: str) -> None:
    """A spot pair may also be asked for as margin, which has the same fees."""
    wanted = ("SPOT", "MARGIN") if listed.is_spot else (listed.inst_type,)
    if inst_type not in wanted:
        raise OkxError("51015")


def _instruments(call: Call) -> list[Any]:
    market = call.venue.market
    every = listed_instruments(call.params)
    return [
        account_instrument_row(each, market.state(each.inst_id), market.expires(each.inst_id))
        for each in every
    ]


def _rate_limit(call: Call) -> list[Any]:
    return [
        {
            "accRateLimit": "1000",
            "fillRatio": "",
            "mainFillRatio": "",
            "nextAccRateLimit": "1000",
            "ts": str(call.now_ms),
        }
    ]


def _position_risk(call: Call) -> list[Any]:
    inst_type = instrument_type(call.params, needed=False)
    return [rows_risk.position_risk_row(call.account, call.venue.market, inst_type, call.now_ms)]


def _risk_state(call: Call) -> list[Any]:
    """Only portfolio margin knows risk units; there are none here."""
    return [{"atRisk": False, "atRiskIdx": [], "atRiskMgn": [], "ts": str(call.now_ms)}]


def _greeks(call: Call) -> list[Any]:
    wanted = several(call.params, "ccy", 20) or rows.held_currencies(call.account)
    return [rows_risk.greeks_row(ccy, call.now_ms) for ccy in wanted]


def _interest_rates(call: Call) -> list[Any]:
    """Nothing is lent, so nothing costs interest."""
    wanted = several(call.params, "ccy", 20)
    return [{"ccy": ccy, "interestRate": "0"} for ccy in CURRENCIES if not wanted or ccy in wanted]


def _interest_limits(call: Call) -> list[Any]:
    hour = str((call.now_ms // _HOUR_MS + 1) * _HOUR_MS)
    wanted = several(call.params, "ccy", 20) or rows.held_currencies(call.account)
    return [
        {
            "debt": "0",
            "interest": "0",
            "loanAlloc": "",
            "nextDiscountTime": hour,
            "nextInterestTime": hour,
            "records": [rows_risk.loan_row(ccy) for ccy in wanted],
        }
    ]


def _collateral(call: Call) -> list[Any]:
    """Futures mode takes no coin as collateral for another."""
    wanted = several(call.params, "ccy", 20)
    return [
        {"ccy": ccy, "collateralEnabled": False}
        for ccy in CURRENCIES
        if (not wanted or ccy in wanted) and call.params.text("collateralEnabled") != "true"
    ]


def _nothing(_call: Call) -> list[Any]:
    """No interest, no loans, no sub-accounts: always an empty list."""
    return []


def _get(handler: Any, limit: int, key: str = "uid", window_ms: int = 2000) -> Route:
    return Route(handler, limit, key, window_ms=window_ms, private=True)


ROUTES: Final[Routes] = {
    ("GET", "/api/v5/account/balance"): _get(_balance, 10),
    ("GET", "/api/v5/account/positions"): _get(_positions, 10),
    ("GET", "/api/v5/account/positions-history"): _get(_positions_history, 10),
    ("GET", "/api/v5/account/account-position-risk"): _get(_position_risk, 10),
    ("GET", "/api/v5/account/trade-fee"): _get(_trade_fee, 5),
    ("GET", "/api/v5/account/instruments"): _get(_instruments, 20, "uid+type"),
    ("GET", "/api/v5/account/risk-state"): _get(_risk_state, 10),
    ("GET", "/api/v5/account/greeks"): _get(_greeks, 10),
    ("GET", "/api/v5/account/interest-accrued"): _get(_nothing, 5),
    ("GET", "/api/v5/account/interest-rate"): _get(_interest_rates, 5),
    ("GET", "/api/v5/account/interest-limits"): _get(_interest_limits, 5),
    ("GET", "/api/v5/account/spot-borrow-repay-history"): _get(_nothing, 5),
    ("GET", "/api/v5/account/collateral-assets"): _get(_collateral, 5),
    ("GET", "/api/v5/trade/account-rate-limit"): _get(_rate_limit, 1, window_ms=1000),
}
