"""Folding the entries of algo orders and countdowns into the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.simulator.algo_state import Algo, Origin, read, read_algo, read_attached

if TYPE_CHECKING:
    from trading.simulator.state import Account, Entry, Order, State


def add(state: State, entry: Entry) -> None:
    algo = read_algo(entry)
    account = state.accounts[entry["account"]]
    account.algos[algo.algo_id] = algo
    account.live_algos[algo.algo_id] = algo
    state.algos.setdefault(algo.inst_id, {})[algo.algo_id] = algo
    if algo.parent in account.orders:
        account.orders[algo.parent].armed = True


def change(state: State, entry: Entry) -> None:
    """`set` holds the members that changed, in their ledger form."""
    account = state.accounts[entry["account"]]
    algo = account.algos[entry["algo_id"]]
    algo.amended = bool(entry.get("amended"))
    for name, value in entry["set"].items():
        setattr(algo, name, read(name, value))
    algo.u_time = entry["ts"]
    _retire(state, account, algo)


def attach(state: State, entry: Entry) -> None:
    """What an order carries has been amended."""
    order = state.accounts[entry["account"]].orders[entry["ord_id"]]
    order.attached = read_attached(entry["attached"])
    order.req_id, order.amended = entry["req_id"], True
    order.u_time = entry["ts"]


def ordered(state: State, account: Account, order: Order, entry: Entry) -> None:
    """An order that came from an algo order: accepting it is what makes the algo effective.

    Both happen with one entry, so that a crash can never leave an algo order
    waiting whose order is already out.
    """
    order.attached = read_attached(entry.get("attached", []))
    if "origin" not in entry:
        return
    order.origin = Origin(**entry["origin"])
    algo = account.algos[order.origin.algo_id]
    if order.origin.linked:
        algo.linked_ord = order.ord_id
        return
    algo.state, algo.amended = "effective", False
    algo.actual_side, algo.actual_sz, algo.actual_px = order.origin.side, order.sz, order.px
    algo.ord_ids.append(order.ord_id)
    algo.trigger_time = algo.u_time = order.c_time
    _retire(state, account, algo)


def forget(state: State, account: Account, now_ms: int) -> None:
    """The account starts anew: nothing waits and nothing counts down any more."""
    for algo in list(account.live_algos.values()):
        algo.state, algo.u_time = "canceled", now_ms
        _retire(state, account, algo)
    for key in [each for each in state.countdowns if each[0] == account.key]:
        del state.countdowns[key]


def countdown(state: State, entry: Entry) -> None:
    """`at` is when the orders of this tag are canceled, 0 when they no longer are."""
    key = (entry["account"], entry["tag"])
    state.countdowns.pop(key, None)
    if entry["at"]:
        state.countdowns[key] = entry["at"]


def _retire(state: State, account: Account, algo: Algo) -> None:
    """An ended algo order stays to be asked for, until there are too many of them."""
    if algo.is_live or account.live_algos.pop(algo.algo_id, None) is None:
        return
    state.algos.get(algo.inst_id, {}).pop(algo.algo_id, None)
    account.ended_algos.append(algo.algo_id)
    if len(account.ended_algos) > state.kept:
        account.algos.pop(account.ended_algos.popleft(), None)
