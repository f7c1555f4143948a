"""The funding account: money an account keeps beside its trading account."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from trading.simulator.bills import FUNDING_ACCOUNT, TRADING_ACCOUNT
from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import ZERO, parse_number, plain
from trading.simulator.exchange import Exchange
from trading.simulator.instruments import CURRENCIES
from trading.simulator.requests import Params
from trading.simulator.state import Account, Transfer
from trading.simulator.upkeep import free

_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)


def transfer(exchange: Exchange, account: Account, params: Params) -> Transfer:
    """Move money between the two accounts of one user; 58350 when it is not there or not free."""
    ccy = params.needed("ccy")
    amount = _amount(params)
    source = params.chosen("from", FUNDING_ACCOUNT, TRADING_ACCOUNT)
    if params.chosen("to", FUNDING_ACCOUNT, TRADING_ACCOUNT) == source:
        raise parameter("to")
    if params.text("type") not in ("", "0"):
        raise OkxError("58127")
    if ccy not in CURRENCIES:
        raise parameter("ccy")
    incoming = source == FUNDING_ACCOUNT
    held = account.wallet.get(ccy, ZERO) if incoming else free(exchange, account, ccy)
    if amount > held:
        raise OkxError("58350")
    entry = {
        "kind": "transfer",
        "ts": exchange.clock.ms(),
        "account": account.key,
        "ccy": ccy,
        "amount": plain(amount if incoming else -amount),
        "client_id": _client_id(params),
        "bill_id": exchange.ids.next(),
    }
    exchange.record(entry)
    exchange.on_account(account, "transferred")
    return account.transfers[-1]


def _amount(params: Params) -> Decimal:
    amount = parse_number(params.needed("amt"))
    if amount is None:
        raise parameter("amt")
    if not amount:
        raise OkxError("58114")
    return amount


def _client_id(params: Params) -> str:
    value = params.text("clientId")
    if value and not _CLIENT_ID.fullmatch(value):
        raise parameter("clientId")
    return value
