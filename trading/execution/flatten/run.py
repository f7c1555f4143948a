"""One pass over all flattens that go on: every account asked at once, none waits for another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from accounts.tenancy import all_tenants
from customers.credentials import NoKey
from customers.enums import KeyStatus
from trading.endpoints import client_of, endpoint_of
from trading.enums import EventSource, FlattenStep
from trading.exchange.runner import exchange_loop
from trading.exchange.types import OrderReport
from trading.execution.clock import clock_is_right, clock_of
from trading.execution.flatten.facts import Facts, read_facts
from trading.execution.flatten.look import Look, look, look_up
from trading.execution.flatten.reach import UNSENT, active_runs, take_back
from trading.execution.flatten.rows import AT_ONCE, OutrunError, claim_due, enroll, hold_on, is_busy
from trading.execution.flatten.steps import after_closing, after_look, failed_here
from trading.execution.flatten.writing import closes_of
from trading.execution.keys import keys_of
from trading.execution.run import Flight
from trading.faults import InjectedFaultError, faultpoint
from trading.leases import db_now
from trading.models import FlattenAccount, FlattenRun
from trading.sync.apply import Contended, apply_orders
from trading.transition import retried

PATIENCE_S = 6  # more than a reading
HOLD_S = 1  # far less than a claim lasts
GATHER_S = 0.1
PAUSE_S = 0.1
SWEEP_S = 1.5
MOST = 1000  # of one pass
TOGETHER = 20  # are settled before their closes leave: marking costs as much for few as for many

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """One account that is being asked."""

    row: FlattenAccount
    facts: Facts
    now_ms: int
    until: float


def flatten_now(seconds: float = 25) -> None:
    """Pass after pass until every account is flat or a person's, or the time is over.

    Safe to run beside others: each account is one process's at a time.
    """
    until = time.monotonic() + seconds
    flight = Flight()
    with all_tenants("flatten: accounts of several desks are closed together"):
        try:
            while True:
                flatten_due(flight)
                if not is_busy() or time.monotonic() > until:
                    return
                threading.Event().wait(PAUSE_S)
        finally:
            flight.land()


def flatten_some() -> int:
    """The sweep's share: passes as long as something is due, then the others' turn.

    Runs in the scope of all tenants.
    """
    until = time.monotonic() + SWEEP_S
    done = 0
    while looked := flatten_due(most=AT_ONCE):
        done += looked
        if time.monotonic() > until:
            break
        threading.Event().wait(PAUSE_S * 2)
    return done


def flatten_due(flight: Flight | None = None, *, most: int = MOST) -> int:
    """One pass over what is due, each account once; how many were looked at.

    Answers to what was sent are recorded by whoever lands `flight`; without one, here. Runs in
    the scope of all tenants.
    """
    runs = active_runs()
    if not runs:
        return 0
    for run in runs:
        try:
            _begin(run)
        except InjectedFaultError:
            raise
        except Exception:
            log.exception("the flatten of %s goes on later", run.state.scope_key)
    own = flight or Flight()
    try:
        return _Pass(own, most).work()
    finally:
        if flight is None:
            own.land()


def _begin(run: FlattenRun) -> None:
    enroll(run)
    _take_back(run)


@retried
@transaction.atomic
def _take_back(run: FlattenRun) -> None:
    take_back(run, db_now())


class _Pass:
    """Some accounts are asked at once; each that was settled makes room for another.

    Closes leave as soon as a few accounts have theirs, and nobody waits for anybody's answer.
    """

    def __init__(self, flight: Flight, most: int) -> None:
        self._flight, self._most = flight, most
        self._asking: dict[Future[Any], _Job] = {}
        self._looked: set[int] = set()
        self._held_at = time.monotonic()

    def work(self) -> int:
        more = True
        while more or self._asking:
            if more and len(self._asking) <= AT_ONCE - TOGETHER:
                more = self._take_up()
            done, _rest = wait(self._asking, timeout=GATHER_S, return_when=FIRST_COMPLETED)
            self._settle(list(done)[:TOGETHER])
            self._give_up()
        return len(self._looked)

    def _take_up(self) -> bool:
        """Ask some that were not asked yet; whether there may be more of them."""
        room = min(AT_ONCE - len(self._asking), self._most - len(self._looked))
        rows = claim_due(room, self._looked) if room > 0 else []
        self._looked |= {row.pk for row in rows}
        facts = read_facts(rows) if rows else {}
        for row in rows:
            job = _ask_safely(row, facts[row.pk])
            if job is not None:
                self._asking[job[0]] = job[1]
        return bool(rows)

    def _settle(self, answered: Sequence[Future[Any]]) -> None:
        to_send: list[UUID] = []
        for future in answered:
            self._hold_on()
            to_send += _safely(self._asking.pop(future), future)
        self._hold_on()
        if to_send:
            faultpoint("FLATTEN.marked")
            self._flight.go(to_send)
        self._flight.hear_some()

    def _hold_on(self) -> None:
        if time.monotonic() - self._held_at > HOLD_S:
            hold_on([job.row for job in self._asking.values()])
            self._held_at = time.monotonic()

    def _give_up(self) -> None:
        """Who does not answer at all is left: the claim ends by itself."""
        now = time.monotonic()
        for future in [f for f, job in self._asking.items() if now > job.until and not f.done()]:
            future.cancel()
            del self._asking[future]


def _ask_safely(row: FlattenAccount, facts: Facts) -> tuple[Future[Any], _Job] | None:
    """An account that cannot even be asked keeps no other open."""
    try:
        return _ask(row, facts)
    except InjectedFaultError:
        raise
    except Exception:
        log.exception("account %s cannot be asked", row.account_id)
    _refuse(row, _("The account cannot be asked: close by hand at the exchange"))
    return None


def _ask(row: FlattenAccount, facts: Facts) -> tuple[Future[Any], _Job] | None:
    account = row.account
    if account.key_status != KeyStatus.VERIFIED:
        # Another user's key would show no position at all.
        _refuse(row, _("The API key is not verified: close by hand at the exchange"))
        return None
    try:
        keys = keys_of(account)
    except NoKey:
        _refuse(row, _("There is no usable API key: close by hand at the exchange"))
        return None
    client = client_of(account)
    clock_is_right(client)
    now_ms = clock_of(endpoint_of(account)).now_ms()
    job = _Job(row, facts, now_ms, time.monotonic() + PATIENCE_S)
    loop = exchange_loop()
    if row.step == FlattenStep.CLOSING:
        names = [
            (order.inst_id, order.client_order_id)
            for order in closes_of(row).filter(leg_number=row.leg)
            if not order.is_final and order.state not in UNSENT
        ]
        return loop.submit(look_up(client, keys, names)), job
    return loop.submit(look(client, keys, facts.wanted)), job


def _refuse(row: FlattenAccount, problem: str) -> None:
    try:
        failed_here(row, problem)
    except OutrunError:
        return


def _safely(job: _Job, future: Future[Any]) -> list[UUID]:
    """One account that cannot be written down is looked at again; nobody else waits for it."""
    try:
        return _settle(job, future.result())
    except InjectedFaultError:
        raise
    except (OutrunError, Contended, DatabaseError) as error:
        log.warning("flatten of account %s goes on later: %s", job.row.account_id, error)
    except Exception:
        log.exception("flatten of account %s failed", job.row.account_id)
    return []


def _settle(job: _Job, answer: Look | list[OrderReport]) -> list[UUID]:
    if isinstance(answer, Look):
        return after_look(job.row, job.facts, answer, job.now_ms)
    if answer:
        apply_orders(job.row.account, answer, source=EventSource.REST)
    return after_closing(job.row, job.now_ms)
