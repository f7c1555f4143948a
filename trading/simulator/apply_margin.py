"""Applying payments that are no trades: funding, margin moved by hand, losses covered."""

from __future__ import annotations

from decimal import Decimal

from trading.simulator.decimals import ZERO
from trading.simulator.state import Account, Entry, State, settle_of


def pay_funding(state: State, entry: Entry) -> None:
    """Isolated positions pay out of their margin, cross positions out of the balance."""
    account = state.accounts[entry["account"]]
    amount, ccy = Decimal(entry["amount"]), settle_of(entry["inst_id"])
    key = (entry["inst_id"], entry["mgn_mode"], entry["pos_side"])
    position = account.positions[key]
    state.funded.add((account.key, key, entry["at"]))
    position.funding += amount
    position.u_time = account.u_time = entry["ts"]
    if entry["mgn_mode"] == "isolated":
        position.margin += amount
    else:
        _add(account.balances, ccy, amount)
    _add(state.house, ccy, -amount)


def end_funding(state: State, entry: Entry) -> None:
    """Everybody has paid for the funding times up to `at`."""
    state.funded_until = entry["at"]
    state.funded.clear()


def move_margin(state: State, entry: Entry) -> None:
    """`amount` goes from the balance into the isolated position, or comes back when negative."""
    account: Account = state.accounts[entry["account"]]
    amount = Decimal(entry["amount"])
    position = account.positions[(entry["inst_id"], entry["mgn_mode"], entry["pos_side"])]
    position.margin += amount
    position.u_time = account.u_time = entry["ts"]
    _add(account.balances, settle_of(entry["inst_id"]), -amount)


def cover_loss(state: State, entry: Entry) -> None:
    """The insurance fund pays what an account without positions owes."""
    account = state.accounts[entry["account"]]
    amount, ccy = Decimal(entry["amount"]), entry["ccy"]
    _add(account.balances, ccy, amount)
    _add(state.house, ccy, -amount)
    account.u_time = entry["ts"]


def _add(amounts: dict[str, Decimal], ccy: str, change: Decimal) -> None:
    amounts[ccy] = amounts.get(ccy, ZERO) + change
