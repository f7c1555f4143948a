"""How soon flatten closes: nobody's close waits for another account, nor for a process to start."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import wait
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from accounts.tenancy import all_tenants
from tests.trading.execution.bench import Bench
from tests.trading.execution.test_flatten import POSITIONS, flatten, held, positions, rows, throw
from trading import tasks
from trading.execution import starting
from trading.execution.flatten import flatten_due, flatten_now
from trading.execution.flatten import rows as rows_of
from trading.execution.flatten import run as passes
from trading.execution.flatten.rows import claim_due
from trading.execution.run import Flight
from trading.leases import take_job
from trading.models import FlattenAccount

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]


@pytest.fixture(autouse=True)
def fast(settings: Any) -> None:
    settings.FLATTEN_READS_APART_S = 0.1
    settings.FLATTEN_WATCH_S = 0.2


def one_pass() -> int:
    with all_tenants("flatten"):
        return flatten_due()


def test_a_close_of_flatten_leaves_before_its_process_has_learned_what_is_open(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What there is to be closed was read at the exchange a moment ago."""
    link = held(bench)
    starting.forget()
    learned: list[str] = []
    monkeypatch.setattr(starting, "take_up", learned.append)
    throw(bench)

    flatten()

    assert positions(bench, link) == {}
    assert learned == []


def test_other_orders_of_the_same_market_still_wait_for_that(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.follower()
    opened = bench.open()
    starting.forget()
    monkeypatch.setattr(starting, "take_up", lambda _market: None)

    assert bench.send(opened) == 0


def test_closes_leave_while_other_accounts_are_still_being_settled(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [bench.follower() for _ in range(3)]
    bench.send(bench.open())
    bench.finish()
    throw(bench)
    monkeypatch.setattr(passes, "TOGETHER", 1)
    left: list[int] = []
    go = Flight.go

    def noting(self: Flight, order_ids: Sequence[UUID]) -> None:
        left.append(sum(row.step == "closing" for row in rows()))
        go(self, order_ids)

    monkeypatch.setattr(Flight, "go", noting)

    assert one_pass() == 3

    assert left == [1, 2, 3]
    flatten()
    assert [positions(bench, link) for link in links] == [{}] * 3


def test_an_account_that_does_not_answer_keeps_its_place_and_nobody_elses(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is settled makes room for another, in the same pass."""
    silent, *others = [bench.follower() for _ in range(4)]
    bench.send(bench.open())
    bench.finish()
    bench.fault("hang:4000", silent, times=1, **POSITIONS)
    throw(bench)
    monkeypatch.setattr(passes, "AT_ONCE", 2)
    monkeypatch.setattr(passes, "TOGETHER", 1)
    steps: list[list[str]] = []
    settle = passes._safely

    def noting(*args: Any) -> list[UUID]:
        found = settle(*args)
        steps.append(sorted(row.step for row in rows()))
        return found

    monkeypatch.setattr(passes, "_safely", noting)

    assert one_pass() == 4

    assert ["canceling", "closing", "closing", "closing"] in steps
    flatten()
    assert [positions(bench, link) for link in (silent, *others)] == [{}] * 4


def test_an_account_that_answers_late_is_held_on_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim ends soon after its process has died, and not before."""
    link = held(bench)
    bench.fault("hang:1200", link, times=1, **POSITIONS)
    throw(bench)
    monkeypatch.setattr(rows_of, "CLAIM", timedelta(seconds=0.4))
    monkeypatch.setattr(passes, "HOLD_S", 0.1)
    taken: list[int] = []

    def beside_another(asking: Any, **terms: Any) -> Any:
        taken.extend(row.pk for row in (claim_due() if asking else ()))
        return wait(asking, **terms)

    with monkeypatch.context() as patch:
        patch.setattr(passes, "wait", beside_another)
        assert one_pass() == 1

    assert taken == []
    flatten()
    assert positions(bench, link) == {}


def test_a_sweep_that_died_holds_up_no_flatten(bench: Bench) -> None:
    """Its lease on the sweep is not over yet."""
    link = held(bench)
    throw(bench)
    assert take_job("sweep_orders", uuid.uuid4(), 60)

    until = time.monotonic() + 15
    while [row.step for row in rows()] != ["flat"]:
        tasks.sweep_orders()
        assert time.monotonic() < until

    assert positions(bench, link) == {}


def test_who_only_waits_is_not_asked_for_every_kind_of_foreign_order_again(
    bench: Bench, settings: Any
) -> None:
    """Each kind takes a request, and a waiting account is looked at again and again."""
    settings.ORDER_TTL_MARKET_S = 5
    bench.fault("drop_after_accept", bench.follower())
    bench.send(bench.open())
    throw(bench)

    asked = []
    for _ in range(2):
        before = len(algo_requests(bench))
        assert one_pass() == 1
        asked.append(len(algo_requests(bench)) - before)
        assert [row.step for row in rows()] == ["waiting"]
        with all_tenants("its time has come"):
            FlattenAccount.objects.update(not_before=None)

    assert asked[0] > 1
    assert asked[1] == 1


def algo_requests(bench: Bench) -> list[dict[str, Any]]:
    entries = bench.entries(kind="request", method="GET")
    return [entry for entry in entries if "orders-algo-pending" in entry["path"]]


def test_a_pass_looks_at_no_more_than_it_may(bench: Bench) -> None:
    for _ in range(3):
        bench.follower()
    bench.send(bench.open())
    bench.finish()
    throw(bench)

    with all_tenants("flatten"):
        assert flatten_due(most=2) == 2

    flatten()


def test_answers_to_closes_are_on_record_when_it_is_over(bench: Bench) -> None:
    link = held(bench)
    throw(bench)

    flatten_now(15)

    assert [row.step for row in rows()] == ["flat"]
    assert positions(bench, link) == {}
    with all_tenants("what was answered"):
        assert [attempt.outcome for attempt in bench.attempts_of_all()][-1] == "ack"
