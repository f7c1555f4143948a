"""Applying one ledger entry to the state: the only place where the state changes."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from trading.simulator import algo_apply, apply_account, apply_margin, bills, history
from trading.simulator.algo_state import written
from trading.simulator.decimals import ZERO, plain
from trading.simulator.instruments import BY_ID
from trading.simulator.state import (
    Account,
    Entry,
    Fill,
    Order,
    Position,
    PositionKey,
    State,
    lever_key,
    settle_of,
)


def apply(state: State, entry: Entry) -> None:
    """Fold one entry in; kinds that change nothing (request, answer, price) pass."""
    change = _CHANGES.get(entry["kind"])
    if change:
        change(state, entry)
        bills.write(state, entry)


def order_entry(order: Order) -> Entry:
    return {
        "kind": "order",
        "ts": order.c_time,
        "account": order.account,
        "inst_id": order.inst_id,
        "ord_id": order.ord_id,
        "cl_ord_id": order.cl_ord_id,
        "side": order.side,
        "pos_side": order.pos_side,
        "sz": plain(order.sz),
        "px": "" if order.px is None else plain(order.px),
        "ord_type": order.ord_type,
        "td_mode": order.td_mode,
        "tgt_ccy": order.tgt_ccy,
        "reduce_only": order.reduce_only,
        "lever": order.lever,
        "ccy": order.ccy,
        "tag": order.tag,
        "category": order.category,
        "fee_ccy": order.fee_ccy,
        "stp_mode": order.stp_mode,
        **({"attached": written(order.attached)} if order.attached else {}),
        **({"origin": written(order.origin)} if order.origin else {}),
    }


def position_id(uid: str, key: PositionKey) -> str:
    """Stable over re-opening, as on the exchange."""
    digest = hashlib.sha256("|".join((uid, *key)).encode()).digest()
    return str(10**18 + int.from_bytes(digest[:7], "big"))


def _add_account(state: State, entry: Entry) -> None:
    fields = ("secret", "passphrase", "uid", "label", "acct_lv", "pos_mode", "perm", "ip", "env")
    values = {name: entry[name] for name in fields}
    state.accounts[entry["account"]] = Account(
        key=entry["account"], **values, u_time=entry["ts"], bills=deque(maxlen=state.kept)
    )


def _deposit(state: State, entry: Entry) -> None:
    ccy, amount = entry["ccy"], Decimal(entry["amount"])
    account = state.accounts[entry["account"]]
    account.balances[ccy] = account.balances.get(ccy, ZERO) + amount
    account.u_time = entry["ts"]
    state.deposited[ccy] = state.deposited.get(ccy, ZERO) + amount


def _set(state: State, entry: Entry) -> None:
    account = state.accounts[entry["account"]]
    if entry["name"] == "pos_mode":
        account.pos_mode = entry["value"]
        return
    key = lever_key(entry["inst_id"], entry["mgn_mode"], entry["pos_side"])
    account.levers[key] = Decimal(entry["value"])
    _move_margin(state, account, entry)


def _move_margin(state: State, account: Account, entry: Entry) -> None:
    """A new isolated leverage moves money between the balance and the position."""
    for pos_side, change in entry["margin"].items():
        position = account.positions[(entry["inst_id"], entry["mgn_mode"], pos_side)]
        position.margin += Decimal(change)
        ccy = settle_of(entry["inst_id"])
        account.balances[ccy] -= Decimal(change)


def _add_order(state: State, entry: Entry) -> None:
    account = state.accounts[entry["account"]]
    order = Order(
        account=entry["account"],
        inst_id=entry["inst_id"],
        ord_id=entry["ord_id"],
        cl_ord_id=entry["cl_ord_id"],
        tag=entry["tag"],
        side=entry["side"],
        pos_side=entry["pos_side"],
        td_mode=entry["td_mode"],
        ord_type=entry["ord_type"],
        sz=Decimal(entry["sz"]),
        px=Decimal(entry["px"]) if entry["px"] else None,
        tgt_ccy=entry["tgt_ccy"],
        reduce_only=entry["reduce_only"],
        lever=entry["lever"],
        ccy=entry["ccy"],
        category=entry["category"],
        c_time=entry["ts"],
        u_time=entry["ts"],
        fee_ccy=entry["fee_ccy"],
        stp_mode=entry.get("stp_mode", "cancel_maker"),
    )
    algo_apply.ordered(state, account, order, entry)
    account.orders[order.ord_id] = order
    account.pending[order.ord_id] = order
    if order.cl_ord_id:
        account.by_client_id[(order.inst_id, order.cl_ord_id)] = order
        account.client_ids.add(order.cl_ord_id)
    state.resting.add(order)


def _fill(state: State, entry: Entry) -> None:
    account = state.accounts[entry["account"]]
    order = account.orders[entry["ord_id"]]
    fill = _read_fill(entry)
    account.fills.append(fill)
    history.trim(account.fills, state.kept)
    account.u_time = fill.ts
    _fill_order(order, fill, entry["order_state"])
    _pay(state, account, entry)
    if not fill.is_spot:
        _move_position(account, fill, entry)
        state.held(account, (fill.inst_id, fill.mgn_mode, fill.pos_side))
        history.trim(account.closed, state.kept)
    if not order.is_open:
        _retire(state, account, order)


def _read_fill(entry: Entry) -> Fill:
    return Fill(
        account=entry["account"],
        inst_id=entry["inst_id"],
        ord_id=entry["ord_id"],
        cl_ord_id=entry["cl_ord_id"],
        tag=entry["tag"],
        trade_id=entry["trade_id"],
        bill_id=entry["bill_id"],
        side=entry["side"],
        pos_side=entry["pos_side"],
        mgn_mode=entry["mgn_mode"],
        exec_type=entry["exec_type"],
        sub_type=entry["sub_type"],
        sz=Decimal(entry["sz"]),
        px=Decimal(entry["px"]),
        mark=Decimal(entry["mark"]),
        fee=Decimal(entry["fee"]),
        fee_ccy=entry["fee_ccy"],
        fee_rate=Decimal(entry["fee_rate"]),
        pnl=Decimal(entry["pnl"]),
        ts=entry["ts"],
    )


def _fill_order(order: Order, fill: Fill, state: str) -> None:
    order.filled += fill.sz
    order.paid += fill.sz * fill.px
    order.fee += fill.fee
    order.fee_ccy = fill.fee_ccy
    order.pnl += fill.pnl
    order.fill_px, order.fill_sz, order.fill_time = fill.px, fill.sz, fill.ts
    order.trade_id = fill.trade_id
    order.state = state
    order.amended = False
    order.u_time = fill.ts


def _pay(state: State, account: Account, entry: Entry) -> None:
    """Balances move by the entry's changes; the house takes the other side."""
    margin = Decimal(entry.get("margin_change", "0"))
    settle = settle_of(entry["inst_id"])
    for ccy, text in entry["changes"].items():
        change = Decimal(text)
        account.balances[ccy] = account.balances.get(ccy, ZERO) + change
        kept = margin if ccy == settle else ZERO
        state.house[ccy] = state.house.get(ccy, ZERO) - change - kept


def _move_position(account: Account, fill: Fill, entry: Entry) -> None:
    key = (fill.inst_id, fill.mgn_mode, fill.pos_side)
    position = account.positions.get(key)
    if position is None or not position.qty:
        position = _open(account, key, fill.ts)
    closing, opening = Decimal(entry["closing"]), Decimal(entry["opening"])
    closed_fee = Decimal(entry["closed_fee"])
    if closing:
        position.closed += closing
        position.closed_cost += BY_ID[fill.inst_id].value(closing, fill.px)
        position.pnl += fill.pnl
        position.fee += closed_fee
        position.closed_by = account.orders[fill.ord_id].category
    position.trade_id, position.u_time = fill.trade_id, fill.ts
    position.qty, position.cost = Decimal(entry["pos"]), Decimal(entry["cost"])
    position.margin += Decimal(entry["margin_change"])
    if closing and (opening or not position.qty):
        account.closed.append(position)
    if opening:
        position = _reopened(account, key, position) if closing else position
        position.fee += fill.fee - closed_fee
        position.opened += opening
        position.opened_cost += BY_ID[fill.inst_id].value(opening, fill.px)
    position.largest = max(position.largest, abs(position.qty))
    if position.qty:
        position.direction = "long" if position.qty > 0 else "short"


def _open(account: Account, key: PositionKey, now_ms: int) -> Position:
    """A life of its own: the closed position of before stays as it is in the history."""
    before = account.positions.get(key)
    made = before.pos_id if before is not None else position_id(account.uid, key)
    position = Position(*key, made, now_ms, now_ms)
    account.positions[key] = position
    return position


def _reopened(account: Account, key: PositionKey, flipped: Position) -> Position:
    """The fill went through zero: what is left starts a life of its own."""
    position = _open(account, key, flipped.u_time)
    position.qty, position.cost = flipped.qty, flipped.cost
    position.margin, position.trade_id = flipped.margin, flipped.trade_id
    flipped.qty = flipped.cost = flipped.margin = ZERO
    return position


def _cancel(state: State, entry: Entry) -> None:
    account = state.accounts[entry["account"]]
    order = account.orders[entry["ord_id"]]
    order.state = "canceled"
    order.amended = False
    order.cancel_source = entry["cancel_source"]
    order.u_time = entry["ts"]
    _retire(state, account, order)


def _amend(state: State, entry: Entry) -> None:
    account = state.accounts[entry["account"]]
    order = account.orders[entry["ord_id"]]
    size, price = Decimal(entry["sz"]), Decimal(entry["px"]) if entry["px"] else None
    loses_its_place = price != order.px or size > order.sz
    if loses_its_place:
        state.resting.remove(order)
    order.sz, order.px, order.frozen = size, price, None
    if loses_its_place:
        state.resting.add(order)
    order.req_id, order.amended = entry["req_id"], True
    order.u_time = entry["ts"]
    if order.filled >= order.sz:
        order.state = "filled"
        _retire(state, account, order)


def _retire(state: State, account: Account, order: Order) -> None:
    account.pending.pop(order.ord_id, None)
    state.resting.remove(order)
    history.ended(state, account, order)


_CHANGES: Final[dict[str, Callable[[State, Entry], None]]] = {
    "account": _add_account,
    "account_change": apply_account.change_account,
    "account_end": apply_account.end_account,
    "reset": apply_account.reset,
    "deposit": _deposit,
    "setting": _set,
    "order": _add_order,
    "fill": _fill,
    "cancel": _cancel,
    "transfer": apply_account.transfer,
    "amend": _amend,
    "funding": apply_margin.pay_funding,
    "funded": apply_margin.end_funding,
    "margin": apply_margin.move_margin,
    "cover": apply_margin.cover_loss,
    "algo": algo_apply.add,
    "algo_change": algo_apply.change,
    "attach": algo_apply.attach,
    "countdown": algo_apply.countdown,
}
