"""Nudges. The rows are the truth: a task that is lost, late or doubled does no harm."""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import attrgetter

from celery import shared_task
from django.conf import settings
from django.db import connections

from accounts.contention import urgent
from accounts.tenancy import all_tenants
from customers.models import ExchangeAccount
from signals.models import Signal
from trading.auditing import audit_all
from trading.copying import copy_source
from trading.copying.cycles import settle_cycles, settle_left_over
from trading.copying.ending import end_followings as end_these
from trading.copying.ladder_watch import watch_waiting
from trading.copying.late_fills import close_late_fills, sweep_late_fills
from trading.copying.writing import Written
from trading.endpoints import endpoint_of_market
from trading.exchange.runner import client_for, exchange_loop
from trading.execution import Flight, send_orders, starting, sweep
from trading.execution.acting import act_due
from trading.execution.cancel import ask_wished
from trading.execution.carrying_out import carry_out_settlements
from trading.execution.clock import clock_is_right
from trading.execution.departing import INLINE, MarkNew
from trading.execution.flatten import flatten_now, flatten_some
from trading.execution.lanes import successors
from trading.execution.memory import settle_memory
from trading.execution.protecting import keep_protections_of
from trading.execution.repairing import carry_out_repairs, finish_repairs
from trading.execution.sweep import finish_proofs
from trading.leader_keys import verify_leader as verify_leader_key
from trading.leader_keys import verify_pending_leaders
from trading.leases import alive_count, beat_heartbeat, single_flight
from trading.outgoing import Outgoing
from trading.pace import pace
from trading.paper import ensure_opened
from trading.stops.losses import watch_losses as losses_of_all
from trading.stops.margin import watch_margins as margins_of_all
from trading.stops.mirroring import leaders_followed, mirror_stops
from trading.sync.leaders.linking import find_unkept, forget_old_trades
from trading.sync.listing import watch_delistings
from trading.sync.maintenance import watch_markets as watch_announcements
from trading.sync.reconcile import forget_old_runs as forget_runs
from trading.sync.reconcile import reconcile_account as reconcile
from trading.sync.reconcile import reconcile_due
from trading.verification import verify_account as verify
from trading.verification import verify_pending_accounts

# A sweep that takes longer is joined by the next, which does no harm; one that died is followed.
SWEEP_S = 10
WATCH_S = 60

log = logging.getLogger(__name__)


@shared_task
def copy_signal(signal_id: str) -> None:
    """Copy the signal, after those of its source that came before it, and send its orders."""
    with all_tenants("find the source of a signal"):
        source_id = Signal.objects.values_list("source_id", flat=True).get(pk=signal_id)
    _copy(source_id)


@shared_task
@urgent()
def send_shard(order_ids: Sequence[str]) -> None:
    send_orders(uuid.UUID(order_id) for order_id in order_ids)


@shared_task
def follow_up(order_ids: Sequence[str]) -> None:
    """Orders became final: settle their cycles and let their lanes go on."""
    ids = [uuid.UUID(order_id) for order_id in order_ids]
    settle_cycles(ids)
    close_late_fills(ids)
    with all_tenants("protections and lanes of orders that finished, of several desks"):
        keep_protections_of(ids)
        waiting = successors(ids)
    if waiting:
        send_orders(waiting)


@shared_task
def act() -> None:
    """Somebody asked for a cancel, a change or a protection."""
    with all_tenants("actions of every desk are due alike"):
        ask_wished()
        act_due()


@shared_task
def repair() -> None:
    """Differences that may be put right: write their orders and send them."""
    with all_tenants("repairs of every desk are due alike"):
        finish_repairs()
        order_ids = carry_out_repairs()
    if order_ids:
        send_orders(order_ids)


@shared_task
def sweep_orders() -> None:
    """Find what was left undone anywhere on the way from signal to final order.

    In parts, so that an exchange that makes the one wait does not hold up the other. Flatten is
    several processes' at once, and so it waits for no lease of one that died.
    """
    _sweep_signals()
    _sweep_unfinished()
    with all_tenants("flatten: accounts of several desks are closed together"):
        _without_stopping(flatten_some, "flatten")
    _finish_proofs()


@single_flight("sweep_signals", SWEEP_S)
def _sweep_signals() -> None:
    with all_tenants("signals that wait to be copied"):
        waiting = Signal.objects.waiting().order_by().values_list("source_id", flat=True)
        sources = list(waiting.distinct()[:100])
    for source_id in sources:
        _without_stopping(partial(_copy, source_id), f"copying source {source_id}")


@single_flight("sweep_orders", SWEEP_S)
def _sweep_unfinished() -> None:
    _without_stopping(sweep, "unfinished orders")
    _without_stopping(settle_left_over, "cycles")
    _without_stopping(end_these, "followings that are being stopped")
    _without_stopping(repair, "repairs")


@single_flight("finish_proofs", SWEEP_S)
def _finish_proofs() -> None:
    """Waits for looks that are due soon, so that it must hold up nothing else."""
    _without_stopping(finish_proofs, "proofs")


def _without_stopping(job: Callable[[], object], what: str) -> None:
    """A job that fails is tried again in the next round; it must not stop the others."""
    try:
        job()
    except Exception:
        log.exception("the sweep failed: %s", what)


@shared_task
@urgent()
def flatten() -> None:
    """Somebody set the switch to flatten: close without waiting for the sweep."""
    flatten_now()


@shared_task
def end_followings(subscription_id: int) -> None:
    """Somebody stopped following: end what is held without waiting for the sweep."""
    end_these([subscription_id])


@shared_task
def verify_account(account_id: int) -> None:
    ensure_opened([account_id])
    verify(account_id)


@shared_task
def verify_leader(leader_id: int) -> None:
    verify_leader_key(leader_id)


@shared_task
def verify_pending() -> None:
    ensure_opened()
    verify_pending_accounts()
    verify_pending_leaders()


@shared_task
def reconcile_account(account_id: int, cause: str = "requested") -> None:
    reconcile(account_id, cause=cause)


@shared_task
def reconcile_accounts() -> None:
    reconcile_due()


@shared_task
def watch_markets() -> None:
    """What the exchange announces about itself, and about what is held."""
    watch_announcements()
    watch_delistings()


@shared_task
@single_flight("watch_losses", WATCH_S)
def watch_losses() -> None:
    """Has anybody lost as much as a limit allows?"""
    losses_of_all()


@shared_task
@single_flight("watch_margins", WATCH_S)
def watch_margins() -> None:
    """Is anybody's position near its liquidation?"""
    margins_of_all()


@shared_task
def follow_stops(leader_id: int) -> None:
    """A leader moved its stops: followers that mirror them do, at once.

    Twice, for one that is taken away to be replaced is replaced when it is gone.
    """
    if mirror_stops(leader_id):
        act()
        if mirror_stops(leader_id):
            act()


@shared_task
@single_flight("follow_stops", WATCH_S)
def follow_all_stops() -> None:
    """The same for every leader, for a nudge that was lost and for what has settled since."""
    for leader_id in leaders_followed():
        _without_stopping(partial(follow_stops, leader_id), f"the stops of leader {leader_id}")


@shared_task
def watch_waiting_orders() -> None:
    """Openings that wait at a discount: whoever may wait no longer, and what filled too late."""
    _without_stopping(watch_waiting, "waiting openings")
    made = sweep_late_fills()
    if made:
        send_orders(made)


@shared_task
def watch_leaders() -> None:
    """Say of which leaders nothing is heard, when no streams process is there to say it."""
    find_unkept()


@shared_task
def forget_old_runs() -> None:
    forget_runs()
    forget_old_trades()


@shared_task
def settle_by_hand() -> None:
    """People decided about stuck orders; what is lost here the sweep finds."""
    with all_tenants("settlements by hand, of several desks"):
        carry_out_settlements()


@shared_task(soft_time_limit=3300, time_limit=3500)
def audit_ledger() -> None:
    """Every desk's books against the exchange's; what differs goes to people by the diary."""
    audit_all()


@shared_task
def warm_up() -> None:
    """Load what the first order would otherwise wait for, and learn what is open at each market.

    From then on this process is counted. Markets at the same time: one whose exchange does not
    answer holds up no other.
    """
    with all_tenants("the markets in use"):
        markets = set(ExchangeAccount.objects.order_by().values_list("market", flat=True))
    if len(markets) == 1:
        _warm_up_market(markets.pop())
    else:
        with ThreadPoolExecutor(max_workers=max(len(markets), 1)) as threads:
            for market in markets:
                threads.submit(_warm_up_alone, market)
    settle_memory()
    executor_heartbeat()


def _warm_up_alone(market: str) -> None:
    try:
        _without_stopping(partial(_warm_up_market, market), f"warming up {market}")
    finally:
        connections.close_all()


def _warm_up_market(market: str) -> None:
    client = client_for(endpoint_of_market(market))
    clock_is_right(client)
    exchange_loop().submit(client.warm(settings.EXCHANGE_CONNECTIONS))
    starting.take_up(market)


@shared_task
def executor_heartbeat() -> None:
    """Proof that an executor takes work, not only that its process exists."""
    beat_heartbeat("executor", starting.note())


@shared_task
def worker_heartbeat() -> None:
    """The same of the default queue, whose work is not trading."""
    beat_heartbeat("worker")


@urgent()
def _copy(source_id: int) -> None:
    """Copy what waits; each chunk of orders leaves while the next one is decided.

    What cannot be sent from here is found by the sweep: it must not keep others from being
    copied, and is raised when all are.
    """
    flight, failures = Flight(), list[Exception]()

    def let_go(written: Written) -> None:
        try:
            if written.marked:
                flight.depart(written.marked)
            waiting = written.waiting
            if mine := _dispatch(waiting, mine_left=bool(written.marked)):
                flight.add(mine, waiting)
                # Nothing is set for these at the exchange before: they need not wait for the rest.
                if not any(order.opens for order in waiting):
                    flight.go(())
        except Exception as error:  # noqa: BLE001 - raised below
            failures.append(error)

    try:
        for _ in copy_source(source_id, each=let_go, mark=MarkNew(pace.executors())):
            flight.hear_some()
    finally:
        flight.land()
    if failures:
        raise failures[0]


def _dispatch(orders: Sequence[Outgoing], *, mine_left: bool) -> list[uuid.UUID]:
    """Share out what is much, and return what is to be sent here. Closes first, else by lot.

    `mine_left`: this process has sent its share of them already.
    """
    by_lot = sorted(random.sample(orders, len(orders)), key=attrgetter("opens"))
    order_ids = [order.id for order in by_lot]
    executors = max(alive_count("executor"), 1) if len(order_ids) > INLINE else 1
    if mine_left and executors > 1:
        shards = [order_ids[shard :: executors - 1] for shard in range(executors - 1)]
        mine: list[uuid.UUID] = []
    else:
        mine, *shards = (order_ids[shard::executors] for shard in range(executors))
    for shard in shards:
        send_shard.apply_async(([str(i) for i in shard],), expires=15)
    return mine
