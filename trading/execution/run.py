"""Send orders: look, set leverage, mark, send, record. Safe to run twice and to run late."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import wait
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from accounts.tenancy import all_tenants
from trading.departing import Marked
from trading.endpoints import client_of
from trading.enums import EventSource, OrderState, Reason
from trading.exchange.runner import exchange_loop
from trading.exchange.types import Credentials
from trading.execution.keys import is_refused, keys_of_all
from trading.execution.lanes import ready_heads
from trading.execution.leverage import needs_leverage, set_leverage
from trading.execution.mark import mark, not_refused
from trading.execution.poison import isolated
from trading.execution.punctual import on_time
from trading.execution.record import write_down
from trading.execution.refused import follow_refusals
from trading.execution.send import Answered, Sending
from trading.execution.starting import started
from trading.faults import faultpoint
from trading.leases import db_now
from trading.outgoing import Outgoing, may_be_handed
from trading.pace import pace
from trading.sync.freshening import freshen
from trading.transition import Change, retried, transition

# Every transaction that marks asks the same questions, for few orders or for many.
ENOUGH = 500
CHUNK = 600
LATER = timedelta(seconds=2)
LEVERAGE_S = 3
# Far less than the lease that covers a marked order until its answer is on record.
HEAR_EVERY_S = 0.5
# Refusals are followed when no answer came for a while, or at the latest after another.
QUIET_S = 0.2
REFUSED_WAIT_S = 2.0

log = logging.getLogger(__name__)


def send_orders(order_ids: Iterable[UUID]) -> int:
    """Send what may be sent of these orders, and return how many were.

    Each is sent at most once per mark; what is left behind by a crash is found by the sweep.
    """
    flight = Flight()
    try:
        flight.add(order_ids)
    finally:
        sent = flight.land()
    return sent


class Flight:
    """Orders on their way out of this process: each chunk leaves while the next is prepared."""

    def __init__(self) -> None:
        self.sent = 0
        self._waiting: list[UUID] = []
        self._handed: dict[UUID, Outgoing] = {}
        self._sending = Sending()
        self._refused: list[Answered] = []
        self._refused_at = 0.0
        self._heard_at = time.monotonic()

    def add(self, order_ids: Iterable[UUID], handed: Iterable[Outgoing] = ()) -> None:
        """Let these orders go once there are enough of them, without waiting for answers.

        `handed` are those of them that were written a moment ago: only their version is read.
        """
        self._waiting += order_ids
        self._handed |= {order.id: order for order in handed if may_be_handed(order)}
        if len(self._waiting) >= ENOUGH:
            self._leave()

    def go(self, order_ids: Iterable[UUID]) -> None:
        """Let these orders go now, however few they are, without waiting for answers."""
        self._waiting += order_ids
        self._leave()

    def depart(self, marked: Sequence[Marked]) -> None:
        """Let go what was marked in the transaction that made it."""
        pace.add(len(marked))
        self.sent += len(marked)
        faultpoint("S5.marked")
        with all_tenants("execution: orders of several desks are sent together"):
            keys = keys_of_all(one.order.account for one in marked)
            self._launch(marked, keys)
            self.hear_some()

    def land(self) -> int:
        """Let go what still waits and record every answer; how many orders were sent."""
        try:
            self._leave()
        finally:
            self._hear()
        return self.sent

    def _hear(self) -> None:
        with all_tenants("execution: answers of several desks are recorded together"):
            try:
                for answered in self._sending.answers(QUIET_S):
                    self._record(answered)
                    if not answered or self._refused_long:
                        self._follow_refusals()
            finally:
                self._follow_refusals()

    def _leave(self) -> None:
        with all_tenants("execution: orders of several desks are sent together"):
            while self._waiting:
                ids, self._waiting = self._waiting[:CHUNK], self._waiting[CHUNK:]
                self.sent += isolated(ids, self._let_go)
                self.hear_some()

    def _let_go(self, ids: Sequence[UUID]) -> int:
        heads = started(self._ready(ids))
        if not heads:
            return 0
        heads, keys = _with_keys(on_time(heads))
        freshen({(order.market, order.inst_id) for order in heads if order.opens})
        heads, leverages = _set_leverages(heads, keys)
        faultpoint("S4.claimed")
        marked = mark(heads, leverages.locked, leverages.unset)
        faultpoint("S5.marked")
        self._launch(marked, keys)
        return len(marked)

    def _ready(self, ids: Sequence[UUID]) -> list[Outgoing]:
        """Those that seem to be ready; `mark` looks at everybody's lane again.

        What was handed over and asks nothing of the exchange before needs no look here.
        """
        handed = [self._handed.pop(i) for i in ids if i in self._handed]
        sure = {order.id for order in handed if not needs_leverage(order)}
        rest = [i for i in ids if i not in sure]
        looked = ready_heads(rest, db_now(), {o.id: o for o in handed}) if rest else []
        return [order for order in handed if order.id in sure] + looked

    def hear_some(self) -> None:
        """Record what was answered, now and then: those who still wait to leave come first."""
        if time.monotonic() - self._heard_at < HEAR_EVERY_S:
            return
        with all_tenants("execution: answers of several desks are recorded together"):
            self._record(self._sending.come())
            if self._refused_long:
                self._follow_refusals()
        self._heard_at = time.monotonic()

    def _launch(self, marked: Sequence[Marked], keys: Mapping[int, Credentials]) -> None:
        ready = [
            (one, keys[one.order.account_id]) for one in marked if one.order.account_id in keys
        ]
        self._sending.launch(ready)

    def _record(self, answered: Sequence[Answered]) -> None:
        if not answered:
            return
        refused = write_down(answered)
        if refused and not self._refused:
            self._refused_at = time.monotonic()
        self._refused += refused

    @property
    def _refused_long(self) -> bool:
        return bool(self._refused) and time.monotonic() - self._refused_at > REFUSED_WAIT_S

    def _follow_refusals(self) -> None:
        """Not while somebody's answer waits: nothing leaves with a refused key meanwhile.

        What fails here is found by the sweep, and keeps nobody's answer from being recorded.
        """
        refused, self._refused = self._refused, []
        try:
            follow_refusals(refused)
        except Exception:
            log.exception("%d refusals are left to the sweep", len(refused))


def _with_keys(orders: Sequence[Outgoing]) -> tuple[list[Outgoing], dict[int, Credentials]]:
    """Each account's key. An order without a key waits for one, or expires.

    One whose key was refused a moment ago waits until its account is paused.
    """
    refused = [order for order in orders if is_refused(order.account)]
    if refused:
        _put_off(refused)
        waiting = {order.id for order in refused}
        orders = [order for order in orders if order.id not in waiting]
    keys = keys_of_all(order.account for order in orders)
    keyless = [order for order in orders if order.account_id not in keys]
    if keyless:
        _end_or_wait(keyless)
    return [order for order in orders if order.account_id in keys], keys


@retried
@transaction.atomic
def _end_or_wait(orders: Sequence[Outgoing]) -> None:
    now = db_now()
    changes = []
    for order in orders:
        if order.opens:
            columns = {"reason": Reason.KEY_NOT_VERIFIED}
            changes.append(Change(order, OrderState.DENIED, columns, "the account has no key"))
        else:
            changes.append(Change(order, OrderState.READY, {"not_before": now + LATER}))
    transition(changes, source=EventSource.ENGINE, at=now)


class _Leverages(NamedTuple):
    """Whose leverage the exchange would not set and why; and whose it was not asked to set,
    because something else stood in their way."""

    locked: Mapping[UUID, str]
    unset: Set[UUID]


def _set_leverages(
    orders: Sequence[Outgoing], keys: Mapping[int, Credentials]
) -> tuple[list[Outgoing], _Leverages]:
    """Set what differs, all accounts at once; who may go on, and with which leverage.

    An account that does not answer in time comes again later: nobody else waits for it.
    """
    differing = [order for order in orders if order.opens and needs_leverage(order)]
    allowed = not_refused(differing) if differing else set()
    loop = exchange_loop()
    asked = {
        order.id: loop.submit(set_leverage(client_of(order.account), keys[order.account_id], order))
        for order in differing
        if order.id in allowed
    }
    answered, _ = wait(asked.values(), timeout=LEVERAGE_S)
    locked: dict[UUID, str] = {}
    waiting = []
    for order in orders:
        future = asked.get(order.id)
        if future is None:
            continue
        if future not in answered or future.exception() or future.result().unheard:
            waiting.append(order)
        elif future.result().locked:
            locked[order.id] = future.result().note
    if waiting:
        _put_off(waiting)
    unset = {order.id for order in differing} - allowed
    return [order for order in orders if order not in waiting], _Leverages(locked, unset)


@retried
@transaction.atomic
def _put_off(orders: Sequence[Outgoing]) -> None:
    now = db_now()
    changes = [Change(order, OrderState.READY, {"not_before": now + LATER}) for order in orders]
    transition(changes, source=EventSource.ENGINE, at=now)
