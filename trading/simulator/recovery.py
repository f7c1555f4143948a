"""After a restart: orders that an earlier run accepted, killed before it had matched them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.simulator import buying_power, fills, matching
from trading.simulator.codes import OkxError
from trading.simulator.state import Account, Entry, Order

if TYPE_CHECKING:
    from trading.simulator.exchange import Exchange

_BY_SYSTEM = "0"


def resume(exchange: Exchange, last: Entry | None) -> None:
    """Run them against the market; `last` is the last entry of the ledger.

    Before that a trade gets its second side, and close-only orders are trimmed.
    Only an order that is the last entry, or never rests, can have been interrupted.
    What the exchange itself had sent to liquidate is judged anew. Then resting orders
    are filled that the price has passed.
    """
    if last is not None and "maker" in last:
        fills.complete(exchange, last)
    newest = last["ord_id"] if last is not None and last["kind"] == "order" else ""
    for account in exchange.state.accounts.values():
        _trim(exchange, account)
        for order in list(account.pending.values()):
            if order.category != "normal":
                exchange.end(account, order, _BY_SYSTEM)
            elif order.ord_type in matching.IMMEDIATE or order.ord_id == newest:
                _arrive(exchange, account, order)
    matching.fill_passed(exchange)


def _trim(exchange: Exchange, account: Account) -> None:
    closing = {
        order.position_key: order
        for order in account.pending.values()
        if order.reduce_only and order.category == "normal"
    }
    for order in closing.values():
        fills.trim_closing(exchange, account, order)


def _arrive(exchange: Exchange, account: Account, order: Order) -> None:
    """Unless the account can no longer pay for it: prices have gone on meanwhile."""
    try:
        buying_power.check_funds(exchange, account, order)
    except OkxError:
        exchange.end(account, order, _BY_SYSTEM)
        return
    matching.arrive(exchange, account, order, slices=1)
