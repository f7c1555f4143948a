"""Private account endpoints: configuration, balances, positions, leverage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading.simulator import rows_account as rows
from trading.simulator import settings
from trading.simulator.codes import OkxError
from trading.simulator.decimals import ZERO, divide, floor_to, plain
from trading.simulator.instruments import BY_ID, CURRENCIES, Instrument, account_instrument_row
from trading.simulator.margin import fee_rate, funds
from trading.simulator.requests import Params
from trading.simulator.routing import (
    Call,
    Route,
    Routes,
    instrument_type,
    listed_instruments,
    one_instrument,
    page,
)

Row = dict[str, Any]

_EMPTY_CURRENCY: Final = (
    "burningFeeRate ctAddr depEstOpenTime depQuotaFixed depQuoteDailyLayer2"
    " maxFeeForCtAddr minFeeForCtAddr usedDepQuotaFixed wdEstOpenTime"
)
_CHAINS: Final = {"USDT": "TRC20", "BTC": "Bitcoin", "ETH": "ERC20"}


def _config(call: Call) -> list[Any]:
    return [rows.config_row(call.account)]


def _balance(call: Call) -> list[Any]:
    wanted = _list(call.params, "ccy", 20)
    return [rows.balance_row(call.account, call.venue.market, wanted, call.now_ms)]


def _positions(call: Call) -> list[Any]:
    inst_type = instrument_type(call.params, needed=False)
    wanted = _list(call.params, "instId", 10)
    pos_ids = _list(call.params, "posId", 20)
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
    params = call.params
    wanted = {
        "instType": instrument_type(params, needed=False),
        "instId": params.text("instId"),
        "mgnMode": params.text("mgnMode"),
        "posId": params.text("posId"),
    }
    made = [rows.closed_row(call.account, each) for each in call.account.closed]
    kept = [row for row in made if all(value in ("", row[name]) for name, value in wanted.items())]
    return page(params, kept, "uTime", "uTime")


def _set_position_mode(call: Call) -> list[Any]:
    return [settings.set_position_mode(call.venue.exchange, call.account, call.params)]


def _set_leverage(call: Call) -> list[Any]:
    return [settings.set_leverage(call.venue.exchange, call.account, call.params)]


def _leverage_info(call: Call) -> list[Any]:
    call.params.needed("instId")
    mgn_mode = call.params.chosen("mgnMode", "cross", "isolated")
    found = [_listed(each) for each in _list(call.params, "instId", 20)]
    return [
        row for listed in found for row in settings.leverage_rows(call.account, listed, mgn_mode)
    ]


def _max_size(call: Call) -> list[Any]:
    call.params.needed("instId")
    mode = call.params.chosen("tdMode", "cash", "cross", "isolated")
    found = [_listed(each) for each in _list(call.params, "instId", 5)]
    return [_max_size_row(call, listed, mode) for listed in found]


def _max_size_row(call: Call, listed: Instrument, mode: str) -> Row:
    quote = call.venue.market.quote(listed.inst_id)
    buy, sell = _available(call, listed)
    if listed.is_spot:
        buy = floor_to(divide(buy, quote.ask), listed.lot)
        return _size_row(listed, listed.base, buy, floor_to(sell, listed.lot))
    lever = call.account.lever(listed.inst_id, mode, "net")
    per_contract = divide(abs(listed.value(Decimal(1), quote.ask)), lever)
    per_contract += abs(listed.value(Decimal(1), quote.ask)) * fee_rate(listed.inst_id, "T")
    size = floor_to(divide(buy, per_contract), listed.lot)
    return _size_row(listed, listed.settle, size, size)


def _size_row(listed: Instrument, ccy: str, buy: Decimal, sell: Decimal) -> Row:
    return {"ccy": ccy, "instId": listed.inst_id, "maxBuy": plain(buy), "maxSell": plain(sell)}


def _max_avail_size(call: Call) -> list[Any]:
    call.params.needed("instId")
    call.params.chosen("tdMode", "cash", "cross", "isolated")
    made = []
    for inst_id in _list(call.params, "instId", 5):
        buy, sell = _available(call, _listed(inst_id))
        made.append({"instId": inst_id, "availBuy": plain(buy), "availSell": plain(sell)})
    return made


def _available(call: Call, listed: Instrument) -> tuple[Decimal, Decimal]:
    buy_ccy, sell_ccy = (
        (listed.quote, listed.base) if listed.is_spot else (listed.settle, listed.settle)
    )
    market = call.venue.market
    buy = funds(call.account, buy_ccy, market).available
    return buy, funds(call.account, sell_ccy, market).available


def _trade_fee(call: Call) -> list[Any]:
    inst_type = instrument_type(call.params)
    sample = "BTC-USDT" if inst_type in ("SPOT", "MARGIN") else "BTC-USDT-SWAP"
    maker, taker = plain(-fee_rate(sample, "M")), plain(-fee_rate(sample, "T"))
    spot = inst_type in ("SPOT", "MARGIN")
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


def _instruments(call: Call) -> list[Any]:
    return [account_instrument_row(each) for each in listed_instruments(call.params)]


def _currencies(call: Call) -> list[Any]:
    wanted = _list(call.params, "ccy", 20)
    return [_currency_row(ccy) for ccy in CURRENCIES if not wanted or ccy in wanted]


def _currency_row(ccy: str) -> Row:
    return {
        **rows.fill_in(_EMPTY_CURRENCY, ""),
        "canDep": True,
        "canInternal": True,
        "canWd": True,
        "ccy": ccy,
        "chain": f"{ccy}-{_CHAINS.get(ccy, ccy)}",
        "fee": "0.1",
        "logoLink": "",
        "mainNet": True,
        "maxFee": "0.1",
        "maxWd": "1000000",
        "minDep": "0.01",
        "minDepArrivalConfirm": "1",
        "minFee": "0.1",
        "minInternal": "0.0001",
        "minWd": "0.01",
        "minWdUnlockConfirm": "2",
        "name": ccy,
        "needTag": False,
        "usedWdQuota": "0",
        "wdQuota": "10000000",
        "wdTickSz": "8",
    }


def _funding_balances(call: Call) -> list[Any]:
    """The funding account is empty: all money is in the trading account."""
    return [
        {"availBal": "0", "bal": "0", "ccy": ccy, "frozenBal": "0"}
        for ccy in _list(call.params, "ccy", 20)
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


def _max_withdrawal(call: Call) -> list[Any]:
    held = _list(call.params, "ccy", 20) or rows.held_currencies(call.account)
    made = []
    for ccy in held:
        free = min(
            funds(call.account, ccy, call.venue.market).available,
            call.account.balances.get(ccy, ZERO),
        )
        amounts = {"maxWd": plain(free), "maxWdEx": plain(free)}
        made.append({"ccy": ccy, **amounts, "spotOffsetMaxWd": "", "spotOffsetMaxWdEx": ""})
    return made


def _listed(inst_id: str) -> Instrument:
    return one_instrument(Params({"instId": inst_id}))


def _list(params: Params, name: str, most: int) -> list[str]:
    values = [each.strip() for each in params.text(name).split(",") if each.strip()]
    if len(values) > most:
        raise OkxError("50025", name, str(most))
    return values


def _get(handler: Any, limit: int, key: str = "uid", window_ms: int = 2000) -> Route:
    return Route(handler, limit, key, window_ms=window_ms, private=True)


def _post(handler: Any, limit: int) -> Route:
    return Route(handler, limit, "uid", private=True, permission="trade")


ROUTES: Final[Routes] = {
    ("GET", "/api/v5/account/config"): _get(_config, 5),
    ("GET", "/api/v5/account/balance"): _get(_balance, 10),
    ("GET", "/api/v5/account/positions"): _get(_positions, 10),
    ("GET", "/api/v5/account/positions-history"): _get(_positions_history, 10),
    ("GET", "/api/v5/account/leverage-info"): _get(_leverage_info, 20),
    ("GET", "/api/v5/account/max-size"): _get(_max_size, 20),
    ("GET", "/api/v5/account/max-avail-size"): _get(_max_avail_size, 20),
    ("GET", "/api/v5/account/max-withdrawal"): _get(_max_withdrawal, 20),
    ("GET", "/api/v5/account/trade-fee"): _get(_trade_fee, 5),
    ("GET", "/api/v5/account/instruments"): _get(_instruments, 20, "uid+type"),
    ("GET", "/api/v5/asset/currencies"): _get(_currencies, 6, window_ms=1000),
    ("GET", "/api/v5/asset/balances"): _get(_funding_balances, 6, window_ms=1000),
    ("GET", "/api/v5/trade/account-rate-limit"): _get(_rate_limit, 1, window_ms=1000),
    ("POST", "/api/v5/account/set-position-mode"): _post(_set_position_mode, 5),
    ("POST", "/api/v5/account/set-leverage"): _post(_set_leverage, 20),
}
