"""How much of the past an account keeps in memory; the ledger keeps all of it."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator.state import Account, Order, State

_SLACK: Final = 4


def ended(state: State, account: Account, order: Order) -> None:
    """An order has ended: the oldest of too many is forgotten."""
    account.ended.append(order.ord_id)
    if len(account.ended) > state.kept:
        _forget(state, account, account.orders[account.ended.popleft()])


def trim(rows: list[Any], kept: int) -> None:
    """Drop the oldest rows, not one by one."""
    if len(rows) > kept + kept // _SLACK:
        del rows[:-kept]


def _forget(state: State, account: Account, order: Order) -> None:
    if any(algo.parent == order.ord_id for algo in account.live_algos.values()):
        account.ended.append(order.ord_id)
        return
    del account.orders[order.ord_id]
    name = (order.inst_id, order.cl_ord_id)
    if account.by_client_id.get(name) is order:
        del account.by_client_id[name]
        if not state.keeps_names:
            account.client_ids.discard(order.cl_ord_id)
