"""The map on the wall: every event and what it sets in motion.

This is the only place with `.connect()` calls. An event carries primary keys and is sent
on commit; losing one is harmless, since a sweep finds what is undone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.signals import user_logged_out

from accounts import approvals
from accounts.events import audit_recorded, tenant_created
from accounts.models import Tenant
from customers.events import exchange_account_changed
from customers.ports import use_copied_positions
from notifications.live import collector
from notifications.live.audiences import user_group
from notifications.live.finding import Source
from notifications.tasks import tell_people
from signals import ports
from signals.events import (
    leader_account_changed,
    leader_stops_changed,
    signal_accepted,
    signal_held,
    signal_refused,
)
from signals.services import ensure_builtin_sources
from strategies.events import subscription_ending
from trading import tasks
from trading.copying.held import HeldByCycles
from trading.events import (
    account_changed,
    account_touched,
    actions_asked,
    flatten_begun,
    orders_changed,
    orders_entered,
    orders_finished,
    orders_ready,
    repairs_asked,
    settlements_asked,
    signal_decided,
)
from trading.execution import deciding_repairs, settling
from trading.execution.flatten import leaving
from trading.faults import faultpoint
from trading.marketbook import StoredMarketBook

NUDGE_EXPIRES_S = 15
# The diary is written many times a second when signals are copied; one look finds it all.
TELL_EVERY_S = 1.0
# What ended is followed up many at a time: each message is a transaction of its own.
FOLLOW_UP_EVERY_S = 0.2
MOST_TOGETHER = 200

log = logging.getLogger(__name__)


def connect() -> None:
    """Connect every event to its receivers. Called once, when all apps are loaded."""
    ports.use_market_book(StoredMarketBook())
    approvals.on_approved(leaving.ACTION, leaving.leave)
    approvals.on_approved(settling.NOT_PLACED, settling.confirm_not_placed)
    use_copied_positions(HeldByCycles())
    subscription_ending.connect(end_following, dispatch_uid="end_following")
    approvals.on_approved(deciding_repairs.REOPEN, deciding_repairs.reopen)
    orders_entered.connect(send, dispatch_uid="send")
    repairs_asked.connect(repair, dispatch_uid="repair")
    settlements_asked.connect(settle_by_hand, dispatch_uid="settle_by_hand")
    tenant_created.connect(give_sources, dispatch_uid="give_sources")
    exchange_account_changed.connect(verify, dispatch_uid="verify")
    leader_account_changed.connect(verify_leader, dispatch_uid="verify_leader")
    leader_stops_changed.connect(follow_stops, dispatch_uid="follow_stops")
    signal_accepted.connect(copy, dispatch_uid="copy")
    account_touched.connect(read_again, dispatch_uid="read_again")
    orders_finished.connect(go_on, dispatch_uid="go_on")
    flatten_begun.connect(flatten, dispatch_uid="flatten")
    actions_asked.connect(act, dispatch_uid="act")
    audit_recorded.connect(tell, dispatch_uid="tell")
    _connect_live()


def _connect_live() -> None:
    """What open pages are told of."""
    for event in (signal_accepted, signal_held, signal_refused, signal_decided):
        event.connect(show_signal, dispatch_uid="show_signal")
    for event in (orders_ready, orders_changed):
        event.connect(show_orders, dispatch_uid="show_orders")
    account_changed.connect(show_account, dispatch_uid="show_account")
    audit_recorded.connect(show_entries, dispatch_uid="show_entries")
    user_logged_out.connect(leave, dispatch_uid="leave")


def give_sources(tenant_id: int, **_: Any) -> None:
    """A new desk gets its manual and system sources."""
    ensure_builtin_sources(Tenant.objects.get(pk=tenant_id))


def verify(account_id: int, **_: Any) -> None:
    """A saved key is checked at the exchange."""
    nudge(tasks.verify_account, account_id)


def verify_leader(leader_id: int, **_: Any) -> None:
    """A leader's saved key is checked at the exchange."""
    nudge(tasks.verify_leader, leader_id)


def follow_stops(leader_id: int, **_: Any) -> None:
    """A leader moved its stops: followers that mirror them do the same."""
    nudge(tasks.follow_stops, leader_id)


def read_again(account_id: int, **_: Any) -> None:
    """A paper account was funded or reset: its positions and balances are other ones."""
    nudge(tasks.reconcile_account, account_id, "requested")


def copy(signal_id: Any, followed: bool = False, **_: Any) -> None:
    """An accepted signal is copied to its followers, and the orders are sent.

    A task copies all that waits of a source: the last nudge of several is enough.
    """
    if not followed:
        nudge(tasks.copy_signal, str(signal_id))


def go_on(order_ids: Any, **_: Any) -> None:
    """Finished orders settle their cycles and let their lanes go on."""
    _finished.add([str(order_id) for order_id in order_ids])


def end_following(subscription_id: int, **_: Any) -> None:
    """A following was stopped: what it holds is ended at once."""
    nudge(tasks.end_followings, subscription_id)


def flatten(**_: Any) -> None:
    """Positions are closed at once; the sweep goes on with what this leaves."""
    nudge(tasks.flatten)


_telling = threading.Lock()
_told_at = 0.0


def tell(**_: Any) -> None:
    """A diary entry may be news for somebody. What is written meanwhile waits for the sweep."""
    global _told_at  # noqa: PLW0603 - one per process
    if time.monotonic() - _told_at < TELL_EVERY_S or not _telling.acquire(blocking=False):
        return
    try:
        nudge(tell_people)
        _told_at = time.monotonic()
    finally:
        _telling.release()


def show_signal(signal_id: Any, **_: Any) -> None:
    collector.note(Source.SIGNALS, [str(signal_id)])


def settle_by_hand(**_: Any) -> None:
    """A person decided about a stuck order: an executor carries it out."""
    nudge(tasks.settle_by_hand)


def send(order_ids: Any, **_: Any) -> None:
    """Staff closed something: an executor sends it."""
    nudge(tasks.send_shard, list(order_ids))


def repair(**_: Any) -> None:
    """A difference may be put right: an executor writes the orders and sends them."""
    nudge(tasks.repair)


def act(**_: Any) -> None:
    """Cancels, changes and protections are sent; what is lost here the sweep finds."""
    nudge(tasks.act)


def show_orders(order_ids: Any, **_: Any) -> None:
    collector.note(Source.ORDERS, order_ids)


def show_account(account_id: int, **_: Any) -> None:
    collector.note(Source.ACCOUNTS, [account_id])


def show_entries(entry_ids: Any, **_: Any) -> None:
    collector.note(Source.ENTRIES, entry_ids)


def leave(user: Any, request: Any, **_: Any) -> None:
    """Who logs out is asked at their open sockets whether they may still listen."""
    tenant = getattr(request, "tenant", None)
    if user is not None and tenant is not None:
        collector.send_soon([(user_group(tenant.pk, user.pk), {"type": "live.check"})])


class Gathered:
    """Ids on their way to a task. The first go at once; what comes close behind goes together.

    After a signal hundreds of orders end within a second, each told by a socket of its own.
    """

    def __init__(self, task: Any, seconds: float) -> None:
        self._task, self._seconds = task, seconds
        self.forget()

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self.rests = False

    def add(self, ids: Sequence[str]) -> None:
        with self._lock:
            self._waiting += ids
            if self.rests:
                return
            going = self._take()
        self._send(going)

    def _take(self) -> list[str]:
        """What waits; whatever comes from here on waits for the rest that begins."""
        going, self._waiting = self._waiting, []
        self.rests = bool(going)
        if self.rests:
            timer = threading.Timer(self._seconds, self._go_on)
            timer.daemon = True
            timer.start()
        return going

    def _go_on(self) -> None:
        with self._lock:
            going = self._take()
        self._send(going)

    def _send(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), MOST_TOGETHER):
            nudge(self._task, list(ids[start : start + MOST_TOGETHER]))


def nudge(task: Any, *args: Any) -> None:
    """Wake a worker. A broker that is away costs a second or two, never the work."""
    faultpoint("S3.before_poke")
    try:
        task.apply_async(args, retry=False, expires=NUDGE_EXPIRES_S)
    except Exception as error:  # noqa: BLE001 - any broker, any error: the sweep does the work
        log.warning("%s could not be nudged: %s", task.name, error)


_finished = Gathered(tasks.follow_up, FOLLOW_UP_EVERY_S)
if hasattr(os, "register_at_fork"):
    # A forked child has the lock and the waiting ids, but not the timer.
    os.register_at_fork(after_in_child=_finished.forget)
