"""Private endpoints about money outside the trading account: currencies, funding, transfers."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator import wallet
from trading.simulator.bills import FUNDING_ACCOUNT, TRADING_ACCOUNT
from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import ZERO, divide, plain
from trading.simulator.instruments import CURRENCIES
from trading.simulator.margin import funds
from trading.simulator.routing import Call, Route, Routes, newest, several
from trading.simulator.rows_account import fill_in, held_currencies, in_usd
from trading.simulator.state import Transfer

Row = dict[str, Any]

TO_TRADING: Final = "131"
FROM_TRADING: Final = "130"

_EMPTY_CURRENCY: Final = (
    "burningFeeRate ctAddr depEstOpenTime depQuotaFixed depQuoteDailyLayer2"
    " maxFeeForCtAddr minFeeForCtAddr usedDepQuotaFixed wdEstOpenTime"
)
_CHAINS: Final = {"USDT": "TRC20", "BTC": "Bitcoin", "ETH": "ERC20"}


def _currencies(call: Call) -> list[Any]:
    wanted = several(call.params, "ccy", 20)
    return [_currency_row(ccy) for ccy in CURRENCIES if not wanted or ccy in wanted]


def _currency_row(ccy: str) -> Row:
    return {
        **fill_in(_EMPTY_CURRENCY, ""),
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


def _balances(call: Call) -> list[Any]:
    """What the funding account holds; asked currencies are listed even at zero."""
    held = call.account.wallet
    wanted = several(call.params, "ccy", 20) or [ccy for ccy, amount in held.items() if amount]
    return [_balance_row(ccy, plain(held.get(ccy, ZERO))) for ccy in wanted]


def _balance_row(ccy: str, amount: str) -> Row:
    return {"availBal": amount, "bal": amount, "ccy": ccy, "frozenBal": "0"}


def _valuation(call: Call) -> list[Any]:
    """Everything in one currency, bitcoin unless told otherwise."""
    ccy = call.params.text("ccy") or "BTC"
    if ccy not in CURRENCIES:
        raise parameter("ccy")
    market, account = call.venue.market, call.account
    coin = market.usd_price(ccy)
    pairs = [(market.usd_price(each), amount) for each, amount in account.wallet.items()]
    funding = divide(sum((price * amount for price, amount in pairs), ZERO), coin)
    views = (funds(account, each, market) for each in held_currencies(account))
    trading = divide(sum((in_usd(view, market) for view in views), ZERO), coin)
    details = {"classic": "0", "earn": "0", "funding": plain(funding), "trading": plain(trading)}
    return [{"details": details, "totalBal": plain(funding + trading), "ts": str(call.now_ms)}]


def _transfer(call: Call) -> list[Any]:
    made = wallet.transfer(call.venue.exchange, call.account, call.params)
    return [
        {
            "transId": made.trans_id,
            "ccy": made.ccy,
            "clientId": made.client_id,
            "from": _source(made),
            "amt": plain(abs(made.amount)),
            "to": _target(made),
        }
    ]


def _transfer_state(call: Call) -> list[Any]:
    trans_id, client_id = call.params.text("transId"), call.params.text("clientId")
    if not trans_id and not client_id:
        raise OkxError("50015", "transId", "clientId")
    found = [
        each
        for each in call.account.transfers
        if trans_id == each.trans_id or (not trans_id and client_id == each.client_id)
    ]
    return [
        {
            "amt": plain(abs(each.amount)),
            "ccy": each.ccy,
            "clientId": each.client_id,
            "from": _source(each),
            "instId": "",
            "state": "success",
            "subAcct": "",
            "to": _target(each),
            "toInstId": "",
            "transId": each.trans_id,
            "type": "0",
        }
        for each in found[-1:]
    ]


def _bills(call: Call) -> list[Any]:
    """Of the funding account; `after` and `before` are times here."""
    ccy, kind = call.params.text("ccy"), call.params.text("type")
    found = newest(
        call.params,
        reversed(call.account.transfers),
        number=lambda each: each.ts,
        time=lambda each: each.ts,
        keep=lambda each: ccy in ("", each.ccy) and kind in ("", _kind(each)),
    )
    return [
        {
            "billId": each.trans_id,
            "ccy": each.ccy,
            "clientId": each.client_id,
            "balChg": plain(-each.amount),
            "bal": plain(each.left),
            "type": _kind(each),
            "ts": str(each.ts),
            "notes": "",
        }
        for each in found
    ]


def _nothing(_call: Call) -> list[Any]:
    """No coin comes in from a chain or leaves for one."""
    return []


def _source(made: Transfer) -> str:
    return FUNDING_ACCOUNT if made.amount > 0 else TRADING_ACCOUNT


def _target(made: Transfer) -> str:
    return TRADING_ACCOUNT if made.amount > 0 else FUNDING_ACCOUNT


def _kind(made: Transfer) -> str:
    return TO_TRADING if made.amount > 0 else FROM_TRADING


def _get(handler: Any, limit: int = 6) -> Route:
    return Route(handler, limit, "uid", window_ms=1000, private=True)


ROUTES: Final[Routes] = {
    ("GET", "/api/v5/asset/currencies"): _get(_currencies),
    ("GET", "/api/v5/asset/balances"): _get(_balances),
    ("GET", "/api/v5/asset/bills"): _get(_bills),
    ("GET", "/api/v5/asset/asset-valuation"): Route(_valuation, 1, "uid", private=True),
    ("GET", "/api/v5/asset/transfer-state"): _get(_transfer_state, 10),
    ("GET", "/api/v5/asset/deposit-history"): _get(_nothing),
    ("GET", "/api/v5/asset/withdrawal-history"): _get(_nothing),
    ("POST", "/api/v5/asset/transfer"): Route(
        _transfer, 2, "uid+ccy", window_ms=1000, private=True, permission="trade"
    ),
}
