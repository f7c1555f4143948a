"""What the operator does to an account: money in and out, a fresh start, the end of its key."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trading.simulator.decimals import ZERO, plain
from trading.simulator.exchange import Exchange
from trading.simulator.margin import funds
from trading.simulator.state import Account, settle_of

BY_SYSTEM = "0"


class BadUpkeepError(ValueError):
    """What was asked cannot be done to this account; `field` names the part."""

    def __init__(self, field_name: str, why: str) -> None:
        self.field = field_name
        super().__init__(why)


def free(exchange: Exchange, account: Account, ccy: str) -> Decimal:
    """What may leave the account: never borrowed, never what orders and positions hold."""
    return funds(account, ccy, exchange.market).available_cash


def deposit(exchange: Exchange, account: Account, ccy: str, amount: Decimal) -> None:
    """Money from outside; a negative amount leaves and may not exceed what is free."""
    if amount < 0 and -amount > free(exchange, account, ccy):
        left = plain(free(exchange, account, ccy))
        raise BadUpkeepError("amount", f"only {left} {ccy} is free")
    record_deposit(exchange, account.key, ccy, amount)
    exchange.on_account(account, "transferred")


def record_deposit(exchange: Exchange, key: str, ccy: str, amount: Decimal) -> None:
    exchange.record(
        {
            "kind": "deposit",
            "ts": exchange.clock.ms(),
            "account": key,
            "ccy": ccy,
            "amount": plain(amount),
            "bill_id": exchange.ids.next(),
        }
    )


def reset(
    exchange: Exchange, account: Account, balances: Mapping[str, Decimal] | None = None
) -> None:
    """Cancel every order, drop every position, and bring the balances to these amounts.

    Unrealized profit and loss is gone. The difference to the wanted balances enters
    or leaves as deposits, so the total still equals what was deposited and bills add
    up. Currencies that are not named become zero; without `balances` the account
    keeps its cash and gets what isolated positions and the funding account held.
    """
    wanted = _with_margins(account) if balances is None else balances
    for order in list(account.pending.values()):
        exchange.end(account, order, BY_SYSTEM)
    exchange.record({"kind": "reset", "ts": exchange.clock.ms(), "account": account.key})
    for ccy in sorted({*account.balances, *wanted}):
        change = wanted.get(ccy, ZERO) - account.balances.get(ccy, ZERO)
        if change:
            record_deposit(exchange, account.key, ccy, change)
    exchange.on_account(account, "reset")


def change(exchange: Exchange, account: Account, changes: Mapping[str, str | bool]) -> None:
    """New permissions, address, environment, mode, label, or frozen, all at once."""
    mode = changes.get("acct_lv", account.acct_lv)
    busy = account.pending or account.live_algos or account.open_positions()
    if mode != account.acct_lv and busy:
        raise BadUpkeepError("acct_lv", "close all orders and positions first")
    exchange.record(
        {
            "kind": "account_change",
            "ts": exchange.clock.ms(),
            "account": account.key,
            "changes": dict(changes),
        }
    )


def remove(exchange: Exchange, account: Account) -> None:
    """Take everything back and forget the key: who uses it is told 50111 from then on."""
    reset(exchange, account, {})
    exchange.record({"kind": "account_end", "ts": exchange.clock.ms(), "account": account.key})


def _with_margins(account: Account) -> dict[str, Decimal]:
    totals = dict(account.balances)
    for position in account.positions.values():
        ccy = settle_of(position.inst_id)
        totals[ccy] = totals.get(ccy, ZERO) + position.margin
    for ccy, amount in account.wallet.items():
        totals[ccy] = totals.get(ccy, ZERO) + amount
    return totals
