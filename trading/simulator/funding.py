"""Funding: at its times every holder of a swap pays or receives a part of the position's value."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from trading.simulator.decimals import plain, round_money
from trading.simulator.instruments import BY_ID
from trading.simulator.market import FundingDue
from trading.simulator.state import Payment

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange


def settle_due(exchange: Exchange) -> None:
    """Longs pay shorts when the rate is positive; the exchange's own account takes the difference.

    An entry says until when all is settled: whoever was not reached when an earlier
    run was killed in the middle pays now, and nobody pays twice.
    """
    state, now = exchange.state, exchange.clock.ms()
    due = exchange.market.funding_due(now)
    for each in due:
        settle(exchange, each, frozenset(state.funded))
    if due or not state.funded_until:
        at = due[-1].at_ms if due else now
        exchange.record({"kind": "funded", "ts": now, "at": at})


def settle(exchange: Exchange, due: FundingDue, paid: Container[Payment] = ()) -> None:
    """Every holder pays or receives, but for those that have `paid` already."""
    listed = BY_ID[due.inst_id]
    mark = exchange.market.quote(due.inst_id).mark
    for account_key, key in list(exchange.state.holders.get(due.inst_id, ())):
        if (account_key, key, due.at_ms) in paid:
            continue
        account = exchange.state.accounts[account_key]
        position = account.positions[key]
        value = abs(listed.value(position.qty, mark))
        owed = round_money(value * due.rate)
        exchange.record(
            {
                "kind": "funding",
                "ts": exchange.clock.ms(),
                "account": account_key,
                "inst_id": due.inst_id,
                "mgn_mode": position.mgn_mode,
                "pos_side": position.pos_side,
                "rate": plain(due.rate),
                "mark": plain(mark),
                "pos": plain(position.qty),
                "amount": plain(-owed if position.qty > 0 else owed),
                "bill_id": exchange.ids.next(),
                "at": due.at_ms,
            }
        )
        exchange.on_account(account, "funding_fee")
