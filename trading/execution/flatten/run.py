"""One pass over all flattens that go on: every account asked at once, none waits for another."""

from __future__ import annotations

import logging
import threading
import time
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
from trading.execution.flatten.rows import OutrunError, claim_due, enroll, is_busy
from trading.execution.flatten.steps import after_closing, after_look, failed_here
from trading.execution.flatten.writing import closes_of
from trading.execution.keys import keys_of
from trading.execution.run import send_orders
from trading.faults import InjectedFaultError, faultpoint
from trading.leases import db_now
from trading.models import FlattenAccount, FlattenRun
from trading.sync.apply import Contended, apply_orders
from trading.transition import retried

PATIENCE_S = 6  # less than a claim lasts, and more than a reading
GATHER_S = 0.1
PAUSE_S = 0.1
SWEEP_S = 1.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """One account that is being asked."""

    row: FlattenAccount
    facts: Facts
    now_ms: int


def flatten_now(seconds: float = 25) -> None:
    """Pass after pass until every account is flat or a person's, or the time is over.

    Safe to run beside others: each account is one process's at a time.
    """
    until = time.monotonic() + seconds
    with all_tenants("flatten: accounts of several desks are closed together"):
        while True:
            flatten_due()
            if not is_busy() or time.monotonic() > until:
                return
            threading.Event().wait(PAUSE_S)


def flatten_some() -> int:
    """The sweep's share: passes as long as something is due, then the others' turn.

    Runs in the scope of all tenants.
    """
    until = time.monotonic() + SWEEP_S
    done = 0
    while looked := flatten_due():
        done += looked
        if time.monotonic() > until:
            break
        threading.Event().wait(PAUSE_S * 2)
    return done


def flatten_due() -> int:
    """One pass; how many accounts were looked at. Runs in the scope of all tenants."""
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
    rows = claim_due()
    if not rows:
        return 0
    _work(rows)
    return len(rows)


def _begin(run: FlattenRun) -> None:
    enroll(run)
    _take_back(run)


@retried
@transaction.atomic
def _take_back(run: FlattenRun) -> None:
    take_back(run, db_now())


def _work(rows: list[FlattenAccount]) -> None:
    facts = read_facts(rows)
    asking: dict[Future[Any], _Job] = {}
    for row in rows:
        job = _ask_safely(row, facts[row.pk])
        if job is not None:
            asking[job[0]] = job[1]
    until = time.monotonic() + PATIENCE_S
    while asking:
        done, _rest = wait(asking, timeout=GATHER_S, return_when=FIRST_COMPLETED)
        if not done and time.monotonic() > until:
            for future in asking:
                future.cancel()
            return  # their claims end by themselves
        to_send: list[UUID] = []
        for future in done:
            to_send += _safely(asking.pop(future), future)
        if to_send:
            faultpoint("FLATTEN.marked")
            send_orders(to_send)


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
    loop = exchange_loop()
    if row.step == FlattenStep.CLOSING:
        names = [
            (order.inst_id, order.client_order_id)
            for order in closes_of(row).filter(leg_number=row.leg)
            if not order.is_final and order.state not in UNSENT
        ]
        return loop.submit(look_up(client, keys, names)), _Job(row, facts, now_ms)
    return loop.submit(look(client, keys, facts.wanted)), _Job(row, facts, now_ms)


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
