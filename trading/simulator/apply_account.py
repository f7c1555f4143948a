"""Applying what the operator of the exchange does to an account."""

from __future__ import annotations

from trading.simulator.decimals import ZERO
from trading.simulator.state import Entry, State, settle_of


def reset(state: State, entry: Entry) -> None:
    """Positions end where they are; what isolated ones held leaves the exchange with them."""
    account = state.accounts[entry["account"]]
    for position in account.positions.values():
        if position.margin:
            ccy = settle_of(position.inst_id)
            state.deposited[ccy] = state.deposited.get(ccy, ZERO) - position.margin
        if position.qty:
            position.u_time = entry["ts"]
        position.qty = position.cost = position.margin = ZERO
    account.u_time = entry["ts"]


def change_account(state: State, entry: Entry) -> None:
    account = state.accounts[entry["account"]]
    for name, value in entry["changes"].items():
        setattr(account, name, value)
    account.u_time = entry["ts"]


def end_account(state: State, entry: Entry) -> None:
    """Only after a reset to nothing: no order rests and no money is left."""
    del state.accounts[entry["account"]]
