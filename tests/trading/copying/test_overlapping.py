"""Chunks copied side by side: each once, whatever becomes of the others."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from accounts.models import Installation
from accounts.scope import current_tenant_id, tenant_scope
from signals.models import Signal
from tests.trading.copying.desk import Desk, make_desk
from trading.copying import copy_source, overlapping, run
from trading.copying.overlapping import overlapping as side_by_side
from trading.enums import LimitKind
from trading.pace import Pace, pace
from trading.switch import set_limit

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def open_desk(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    Installation.objects.get_or_create(pk=1)
    monkeypatch.setattr(run, "CHUNK", 2)
    monkeypatch.setattr(overlapping, "_threads", None)
    yield make_desk()
    if overlapping._threads is not None:
        overlapping._threads.shutdown()
        overlapping._forget()


def always() -> bool:
    return True


def test_two_jobs_run_at_a_time_in_the_scope_of_whoever_asks() -> None:
    both = threading.Barrier(2)
    scopes: list[int | None] = []

    def job(number: int) -> int:
        both.wait(5)
        scopes.append(current_tenant_id())
        return number

    with tenant_scope(7):
        done = list(side_by_side([lambda n=n: job(n) for n in range(4)], always))

    assert sorted(done) == [0, 1, 2, 3]
    assert scopes == [7] * 4


def test_no_further_job_begins_where_somebody_else_goes_on() -> None:
    asked: list[int] = []

    def go_on() -> bool:
        asked.append(1)
        return len(asked) < 3

    assert len(list(side_by_side([lambda n=n: n for n in range(6)], go_on))) == 2


def test_a_failure_is_raised_when_the_others_have_been_told() -> None:
    begun, told = threading.Event(), []

    def slow() -> str:
        begun.wait(5)
        return "slow"

    def failing() -> str:
        begun.set()
        raise ZeroDivisionError

    jobs = side_by_side([slow, failing, lambda: "never"], always)
    with pytest.raises(ZeroDivisionError):
        told.extend(jobs)

    assert told in (["slow"], ["slow", "never"])


def test_every_follower_is_decided_once_and_the_signal_ends(open_desk: Desk) -> None:
    desk = open_desk
    for _ in range(7):
        desk.follower()
    signal = desk.say("open", "10")
    chunks: list[int] = []

    list(copy_source(desk.source.pk, each=lambda written: chunks.append(len(written.orders))))

    assert sorted(chunks) == [1, 2, 2, 2]
    assert len(desk.decisions()) == len(desk.orders()) == 7
    assert desk.leader() == 10
    with tenant_scope(desk.tenant):
        assert Signal.objects.get(pk=signal.pk).status == "copied"
    assert (overlapping._threads is not None) == (connection.vendor == "mysql")


def test_a_chunk_that_fails_leaves_the_signal_waiting_for_whoever_comes(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk
    for _ in range(6):
        desk.follower()
    signal = desk.say("open", "10")
    chunks, failures = run._copy_chunk, [ZeroDivisionError()]

    def stumbling(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return chunks(*args)

    with monkeypatch.context() as patch:
        patch.setattr(run, "_copy_chunk", stumbling)
        with pytest.raises(ZeroDivisionError):
            list(copy_source(desk.source.pk))
    with tenant_scope(desk.tenant):
        assert Signal.objects.get(pk=signal.pk).status != "copied"

    list(copy_source(desk.source.pk))

    assert len(desk.decisions()) == len(desk.orders()) == 6
    assert desk.leader() == 10


def test_a_cap_of_the_desk_is_counted_chunk_by_chunk(open_desk: Desk) -> None:
    desk = open_desk
    for _ in range(6):
        desk.follower()
    desk.hear("open", "10")
    (each,) = {order.notional for order in desk.orders()}
    other = make_desk()
    for _ in range(6):
        other.follower()
    set_limit(
        kind=LimitKind.DESK_NOTIONAL, value=Decimal(3) * each, actor=None, tenant=other.tenant
    )

    other.hear("open", "10")

    assert len(other.orders()) == 3


def test_a_cap_on_everybodys_sends_makes_chunks_wait_for_each_other(open_desk: Desk) -> None:
    board = {"kind": LimitKind.SYSTEM_SENDS, "actor": None, "tenant": open_desk.tenant}
    signal = open_desk.say("open", "10")
    pace.forget()
    with tenant_scope(open_desk.tenant):
        set_limit(value=Decimal(6), **board)
        assert run._adds_up(signal, 6)
        assert not run._adds_up(signal, 5)
        pace.add(1)
        assert run._adds_up(signal, 5)
    pace.forget()


def test_what_is_under_way_is_told_when_waiting_is_interrupted() -> None:
    asked: list[int] = []

    def go_on() -> bool:
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return True

    told: list[int] = []
    jobs = side_by_side([lambda n=n: n for n in range(6)], go_on)
    with pytest.raises(KeyboardInterrupt):
        told.extend(jobs)

    assert sorted(told) == [0, 1]


def test_the_pace_is_kept_by_several_threads_at_once() -> None:
    ticks = itertools.count()
    counted = Pace(lambda: next(ticks) / 5)
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(lambda: (counted.add(1), counted.own())) for _ in range(2000)]
        assert all(job.exception() is None for job in jobs)
