"""Algo orders: placed, triggered by prices, armed by fills, canceled with their position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from trading.simulator import algo_attached, algo_checks, algo_trigger
from trading.simulator.algo_state import Algo, Leg, terms, written
from trading.simulator.codes import OkxError
from trading.simulator.decimals import ZERO
from trading.simulator.exchange import Exchange
from trading.simulator.state import Account, Fill, Order, PositionKey

AlgoListener = Callable[[Account, Algo], None]

STOP_TRIGGERED = "36"
STOP_CANCELED = "37"
BY_OPERATOR = "0"


class AlgoEngine:
    """Sits beside the exchange and sends it orders when prices say so.

    What fills and ends of orders bring about is noted when it happens and done by
    `catch_up`, after the call that caused it: never in the middle of matching.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.on_algo: AlgoListener = _ignore
        self._ended: list[tuple[Account, Order]] = []
        self._touched: dict[tuple[str, PositionKey], Account] = {}
        self._fresh: list[tuple[Account, Algo, bool]] = []
        self._near: dict[str, algo_trigger.Nearest] = {}
        self._busy = False
        exchange.order_listeners.append(self._order_changed)
        exchange.watchers.append(self._prices_moved)
        self._recover()

    def look_at(self, account: Account, algo: Algo) -> None:
        """Have the prices compared with this algo order at the next `catch_up`."""
        self._near.pop(algo.inst_id, None)
        self._fresh.append((account, algo, False))

    def catch_up(self) -> None:
        """Do what ended orders, changed positions and new algo orders bring about."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._ended or self._touched or self._fresh:
                self._follow_orders()
                self._follow_positions()
                fresh, self._fresh = self._fresh, []
                for account, algo, moved in fresh:
                    self._evaluate(account, algo, moved=moved)
        finally:
            self._busy = False

    def _prices_moved(self, moved: Sequence[str], _now_ms: int) -> None:
        accounts = self.exchange.state.accounts
        for inst_id in moved:
            for algo in self._concerned(inst_id):
                self._fresh.append((accounts[algo.account], algo, True))
        self.catch_up()

    def _concerned(self, inst_id: str) -> list[Algo]:
        """The algo orders of this instrument that its new prices may mean something to."""
        live = self.exchange.state.algos.get(inst_id, {})
        near = self._near.get(inst_id)
        if near is None:
            near = self._near[inst_id] = algo_trigger.nearest(live.values())
        if near.is_reached(self.exchange.market.quote(inst_id)):
            del self._near[inst_id]
            return list(live.values())
        return [algo for algo in near.trailing if algo.is_live]

    def _order_changed(self, account: Account, order: Order, fill: Fill | None) -> None:
        if not order.is_open and (order.attached or order.origin):
            self._ended.append((account, order))
        if fill is not None and account.live_algos:
            key = (fill.inst_id, fill.mgn_mode, fill.pos_side)
            self._touched[account.key, key] = account

    def _follow_orders(self) -> None:
        ended, self._ended = self._ended, []
        for account, order in ended:
            if self._is_to_arm(account, order):
                self._arm(account, order)
            if order.origin and order.origin.linked:
                self._follow_profit(account, order)

    def _follow_positions(self) -> None:
        touched, self._touched = self._touched, {}
        for (_, key), account in touched.items():
            for algo in list(account.live_algos.values()):
                bound = algo.bound or algo.close_fraction
                if bound and algo.key == key and not algo_checks.closable_by(account, algo):
                    self.end(account, algo)

    def _follow_profit(self, account: Account, order: Order) -> None:
        """A take-profit limit order is done: filled, its stop loss ends too."""
        if order.origin is None:
            return
        algo = account.algos.get(order.origin.algo_id)
        if algo is None or not algo.is_live or algo.linked_ord != order.ord_id:
            return
        if order.state == "filled":
            self.end(account, algo)
        else:
            self.change(account, algo, linked_ord="")

    def _is_to_arm(self, account: Account, order: Order) -> bool:
        """Not when the operator ended the order, with the account's positions or for good."""
        known = self.exchange.state.accounts.get(account.key) is account
        return (
            known
            and bool(order.filled and order.attached)
            and not order.armed
            and order.cancel_source != BY_OPERATOR
        )

    def _arm(self, account: Account, order: Order) -> None:
        exchange = self.exchange
        quote = exchange.market.quote(order.inst_id)
        for algo in algo_attached.armed(order, quote, exchange.ids, exchange.clock.ms()):
            accepted = self.accept(account, algo)
            self.rest_profit(account, accepted, strict=False)
            self.on_algo(account, accepted)
            key = order.position_key
            self._touched[account.key, key] = account

    def accept(self, account: Account, algo: Algo) -> Algo:
        entry = {"kind": "algo", "ts": algo.c_time, **terms(algo)}
        self.exchange.record(entry)
        accepted = account.algos[algo.algo_id]
        self.look_at(account, accepted)
        return accepted

    def rest_profit(self, account: Account, algo: Algo, *, strict: bool) -> None:
        """Place the take-profit limit order that rests while the stop loss waits."""
        if algo.tp is None or algo.tp.trigger_px is not None:
            return
        size = self._size(account, algo, algo.tp)
        request = algo_trigger.as_order(algo, algo.tp, size, side_name="tp", linked=True)
        try:
            if not size:
                raise OkxError("51169")
            self.exchange.place(account, request)
        except OkxError as error:
            if strict or algo.sl is None:
                self.change(account, algo, tell=False, state="order_failed", fail_code=error.code)
            if strict:
                raise

    def _evaluate(self, account: Account, algo: Algo, *, moved: bool) -> None:
        if not algo.is_live:
            return
        quote = self.exchange.market.quote(algo.inst_id)
        if algo.ord_type == "move_order_stop":
            self._trail(account, algo, quote.last)
            return
        reached = algo_trigger.due(algo, quote, moved=moved)
        if reached is not None:
            self._fire(account, algo, *reached)

    def _trail(self, account: Account, algo: Algo, last: Decimal) -> None:
        """Follow the price; only what moves the trigger price is written down."""
        if not algo_trigger.is_activated(algo, last):
            return
        if not algo.active:
            self.change(account, algo, active=True, extreme=last)
        best = algo_trigger.followed(algo, last)
        moved = algo_trigger.trail_price(algo, best) != algo_trigger.trail_price(algo, algo.extreme)
        if moved:
            self.change(account, algo, tell=False, extreme=best)
        if algo_trigger.is_trailed(algo, last):
            self._fire(account, algo, "", Leg(last, "last", None))

    def _fire(self, account: Account, algo: Algo, name: str, leg: Leg) -> None:
        """Send the order; refused, the algo order has failed with the order's code."""
        self._end_linked(account, algo, STOP_TRIGGERED)
        size = self._size(account, algo, leg)
        request = algo_trigger.as_order(algo, leg, size, side_name=name, attached=algo.attached)
        try:
            if not size:
                raise OkxError("51169")
            self.exchange.place(account, request)
        except OkxError as error:
            now = self.exchange.clock.ms()
            self.change(
                account,
                algo,
                state="order_failed",
                actual_side=name,
                fail_code=error.code,
                trigger_time=now,
            )
            return
        self.on_algo(account, algo)
        if name == "tp":
            self._move_to_cost(account, algo)

    def _size(self, account: Account, algo: Algo, leg: Leg) -> Decimal:
        """Closing algo orders close what is there, never more: they cannot flip a position.

        One that will rest leaves room for the closing orders that rest already.
        """
        if not algo.reduce_only:
            return algo.sz
        free = algo_checks.closable_by(account, algo)
        if leg.ord_px is not None:
            free = max(free - algo_checks.resting_against(account, algo), ZERO)
        return free if algo.close_fraction else min(algo.sz, free)

    def _move_to_cost(self, account: Account, algo: Algo) -> None:
        """The first take profit of several moves their stop loss to the average price."""
        for each in list(account.live_algos.values()):
            if each.cost_price and each.parent and each.parent == algo.parent and each.sl:
                price = algo_attached.cost_price(account.orders[each.parent])
                moved = replace(each.sl, trigger_px=price)
                self.change(account, each, sl=moved, cost_price=False)
                self.look_at(account, each)

    def end(self, account: Account, algo: Algo) -> None:
        self._end_linked(account, algo, STOP_CANCELED)
        self.change(account, algo, state="canceled")

    def _end_linked(self, account: Account, algo: Algo, source: str) -> None:
        linked = account.pending.get(algo.linked_ord)
        if linked is not None:
            self.exchange.end(account, linked, source)

    def change(
        self,
        account: Account,
        algo: Algo,
        *,
        amended: bool = False,
        tell: bool = True,
        **values: Any,
    ) -> None:
        self.exchange.record(
            {
                "kind": "algo_change",
                "ts": self.exchange.clock.ms(),
                "account": account.key,
                "inst_id": algo.inst_id,
                "algo_id": algo.algo_id,
                "algo_cl_ord_id": algo.algo_cl_ord_id,
                "amended": amended,
                "set": written(values),
            }
        )
        if tell:
            self.on_algo(account, algo)

    def _recover(self) -> None:
        """After a restart: what the last run had no time to do after its last entries."""
        for account in self.exchange.state.accounts.values():
            for order in account.orders.values():
                if not order.is_open and (order.attached or order.origin):
                    self._ended.append((account, order))
            for algo in account.live_algos.values():
                self._touched[account.key, algo.key] = account
                self._fresh.append((account, algo, False))
        self.catch_up()


def _ignore(account: Account, algo: Algo) -> None:
    """No listener yet."""
