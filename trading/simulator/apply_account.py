"""Applying what the operator of the exchange does to an account."""

from __future__ import annotations

from decimal import Decimal

from trading.simulator import algo_apply
from trading.simulator.decimals import ZERO
from trading.simulator.state import Entry, State, Transfer, settle_of


def reset(state: State, entry: Entry) -> None:
    """Positions and algo orders end; what they held leaves the exchange, as does the wallet."""
    account = state.accounts[entry["account"]]
    for key, position in account.positions.items():
        if position.margin:
            ccy = settle_of(position.inst_id)
            state.deposited[ccy] = state.deposited.get(ccy, ZERO) - position.margin
        if position.qty:
            position.u_time = entry["ts"]
        position.qty = position.cost = position.margin = ZERO
        state.held(account, key)
    for ccy, amount in account.wallet.items():
        state.deposited[ccy] = state.deposited.get(ccy, ZERO) - amount
    account.wallet.clear()
    algo_apply.forget(state, account, entry["ts"])
    account.u_time = entry["ts"]


def transfer(state: State, entry: Entry) -> None:
    """Between the funding and the trading account: positive goes into trading."""
    account = state.accounts[entry["account"]]
    ccy, amount = entry["ccy"], Decimal(entry["amount"])
    left = account.wallet.get(ccy, ZERO) - amount
    account.wallet[ccy] = left
    account.balances[ccy] = account.balances.get(ccy, ZERO) + amount
    account.u_time = entry["ts"]
    account.transfers.append(
        Transfer(entry["bill_id"], entry["client_id"], ccy, amount, left, entry["ts"])
    )


def change_account(state: State, entry: Entry) -> None:
    account = state.accounts[entry["account"]]
    for name, value in entry["changes"].items():
        setattr(account, name, value)
    account.u_time = entry["ts"]


def end_account(state: State, entry: Entry) -> None:
    """Only after a reset to nothing: no order rests and no money is left."""
    del state.accounts[entry["account"]]
