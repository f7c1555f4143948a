"""Funding: at its times every holder of a swap pays or receives a part of the position's value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.simulator.decimals import plain, round_money
from trading.simulator.instruments import BY_ID
from trading.simulator.market import FundingDue

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange


def settle_due(exchange: Exchange) -> None:
    """Longs pay shorts when the rate is positive; the exchange's own account takes the difference.

    The market tells each funding time once, and not what an earlier run has settled.
    """
    for due in exchange.market.funding_due(exchange.clock.ms()):
        settle(exchange, due)


def settle(exchange: Exchange, due: FundingDue) -> None:
    listed = BY_ID[due.inst_id]
    mark = exchange.market.quote(due.inst_id).mark
    for account_key, key in list(exchange.state.holders.get(due.inst_id, ())):
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
