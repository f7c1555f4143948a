"""The judge is judged: take one guard away and the check of the ledger must say so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from accounts.tenancy import all_tenants
from tests.chaos.ledger_check import violations
from tests.chaos.model.venue import position_report
from tests.trading.copying.desk import BTC
from tests.trading.execution.bench import LOOKUP, Bench, put
from trading.endpoints import endpoint_of
from trading.enums import TradingMode
from trading.exchange.types import LookupKind
from trading.execution import lanes, looking, resolve, sweep
from trading.execution import mark as marking
from trading.execution import run as sending
from trading.execution.clock import clock_of
from trading.execution.flatten.plan import Held, plan_cycles
from trading.execution.keys import keys_of
from trading.execution.record import record
from trading.execution.send import send
from trading.models import Cycle, Instrument, Order
from trading.switch import set_mode

pytestmark = [pytest.mark.django_db, pytest.mark.simulator, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _pessimistic(request: pytest.FixtureRequest) -> None:
    name = "open_bench" if "open_bench" in request.fixturenames else "bench"
    request.getfixturevalue(name).ask("POST", "/limits", dup_clordid="never")


def _count_as(monkeypatch: pytest.MonkeyPatch, counts: Callable[[Any], bool]) -> None:
    for room in (looking, resolve):
        monkeypatch.setattr(room, "counts", counts)


@pytest.mark.parametrize(
    "guarded",
    [True, pytest.param(False, marks=pytest.mark.long)],
    ids=["guarded", "counting at once"],
)
def test_a_not_found_counts_only_after_the_deadline(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, settings: Any, guarded: bool
) -> None:
    settings.ORDER_TTL_MARKET_S = 2
    if not guarded:
        _count_as(monkeypatch, lambda one: one.lookup.kind == LookupKind.NOT_FOUND)
    link = bench.follower()
    bench.fault("late_accept:1700", link)
    (order,) = bench.open()

    bench.send([order])
    bench.sweep_for(2.5)

    broken = violations(bench)
    assert broken.get("doubled", []) == ([] if guarded else [order.client_order_id])


def test_the_lag_of_the_exchange_is_waited_out(bench: Bench, settings: Any) -> None:
    """An order that arrived in the last moment is not to be seen at once.

    The lag leaves time for the three looks that nobody makes who waits it out, on a busy
    machine too.
    """
    settings.ORDER_TTL_MARKET_S, settings.GRACE_S = 1, 4.1
    bench.ask("POST", "/limits", read_lag_ms=4000)
    link = bench.follower()
    bench.fault("late_accept:800", link)
    (order,) = bench.open()

    bench.send([order])
    bench.finish()

    assert violations(bench) == {}
    assert bench.accepted(order) == [1]


@pytest.mark.parametrize(
    "guarded", [True, pytest.param(False, marks=pytest.mark.long)], ids=["guarded", "errors count"]
)
def test_a_failed_reading_proves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    async def nothing(*_: Any) -> set[str]:
        return set()

    if not guarded:
        _count_as(monkeypatch, lambda one: one.lookup.kind != LookupKind.FOUND)
        monkeypatch.setattr(looking, "_listed_ids", nothing)
    link = bench.follower()
    bench.fault("drop_after_accept", link)
    for path in ("order", "orders-pending", "orders-history", "fills"):
        match = LOOKUP | {"path": f"/api/v5/trade/{path}"}
        bench.fault("code:50026", link, times=1000, **match)
    (order,) = bench.open()

    bench.send([order])
    bench.sweep_for(2.2)

    broken = violations(bench)
    assert broken.get("doubled", []) == ([] if guarded else [order.client_order_id])


def test_a_failed_reading_is_not_counted(bench: Bench) -> None:
    link = bench.follower()
    bench.fault("drop_before", link)
    bench.fault("code:50026", link, times=1000, **LOOKUP)
    (order,) = bench.open()

    bench.send([order])
    bench.sweep_for(1.6)

    now = bench.now(order)
    assert (now.state, now.not_found_count, now.attempt) == ("unknown", 0, 1)


def test_a_list_that_cannot_be_read_proves_nothing(bench: Bench) -> None:
    """The look-up does not find what is there, and the lists that would show it fail."""
    link = bench.follower()
    bench.fault("drop_after_accept", link)
    bench.fault("code:51603", link, times=1000, **LOOKUP)
    for path in ("orders-pending", "orders-history", "fills"):
        match = LOOKUP | {"path": f"/api/v5/trade/{path}"}
        bench.fault("code:50026", link, times=1000, **match)
    (order,) = bench.open()

    bench.send([order])
    bench.sweep_for(2)

    assert bench.accepted(order) == [1]
    assert (bench.now(order).state, bench.now(order).attempt) == ("unknown", 1)


def test_a_key_that_may_be_another_users_proves_nothing(bench: Bench) -> None:
    link = bench.follower()
    bench.fault("drop_before", link)
    (order,) = bench.open()

    bench.send([order])
    put(link.account, key_status="pending")
    bench.sweep_for(1.6)

    now = bench.now(order)
    assert (now.state, now.not_found_count, now.attempt) == ("unknown", 0, 1)


@pytest.mark.parametrize(
    "guarded",
    [True, pytest.param(False, marks=pytest.mark.long)],
    ids=["guarded", "a fresh deadline"],
)
def test_a_deadline_is_fixed_when_the_order_is_marked(bench: Bench, guarded: bool) -> None:
    """A process sleeps between marking and sending while another one takes over."""
    bench.follower()
    (order,) = bench.open()
    with all_tenants("a process"):
        (marked,) = marking.mark([order], {})
        while bench.unfinished():
            sweep()
            time.sleep(0.05)
        if not guarded:
            clock = clock_of(endpoint_of(marked.order.account))
            later = marked.attempt._replace(exp_at_ms=clock.now_ms() + 3000)
            marked = marked._replace(attempt=later)
        for answered in send([(marked, keys_of(marked.order.account))]):
            record(answered)

    broken = violations(bench)
    assert broken.get("doubled", []) == ([] if guarded else [order.client_order_id])


def test_an_order_in_somebodys_hands_is_left_alone(bench: Bench, settings: Any) -> None:
    settings.ORDER_TTL_MARKET_S = 3
    bench.follower()
    (order,) = bench.open()
    with all_tenants("a process"):
        assert len(marking.mark([order], {})) == 1

    bench.sweep_for(0.3)

    assert bench.steps(order) == ["ready", "sending"]


@pytest.mark.parametrize(
    "guarded",
    [True, pytest.param(False, marks=pytest.mark.long)],
    ids=["guarded", "any order may go"],
)
def test_only_the_head_of_a_lane_may_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    def everyone(order_ids: Any, _now: Any, _known: Any = None) -> list[Order]:
        found = Order.objects.filter(id__in=list(order_ids), state="ready")
        return list(found.select_related("account__customer", "subscription__strategy", "cycle"))

    link = bench.follower()
    bench.fault("drop_before", link)
    (first,) = bench.open()
    bench.send([first])
    if not guarded:
        monkeypatch.setattr(sending, "ready_heads", everyone)
        monkeypatch.setattr(marking, "ready_heads", everyone)
    (second,) = bench.desk.hear("add", "10")
    bench.send([second])
    bench.finish()

    broken = violations(bench)
    assert broken.get("out of order", []) == ([] if guarded else [first.lane_key])
    assert lanes.ready_heads is not everyone


@pytest.mark.parametrize(("ours", "there", "closed"), [("5", "3", "3"), ("3", "5", "3")])
def test_flatten_closes_what_is_there_and_no_more(
    bench: Bench, ours: str, there: str, closed: str
) -> None:
    instrument = Instrument.objects.get(inst_id=BTC)
    cycle = Cycle(inst_id=BTC, direction="long")
    position = position_report(Decimal(there))

    plan = plan_cycles([Held(cycle, Decimal(ours), instrument, "cross")], [position])

    assert [close.quantity for close in plan.closes] == [Decimal(closed)]


@pytest.mark.database_long
def test_a_halt_waits_for_whoever_is_marking(open_bench: Bench) -> None:
    """Between reading the switch and marking by it nobody can throw it."""
    open_bench.follower()
    (order,) = open_bench.open()
    has_read, may_go_on, halted = threading.Event(), threading.Event(), threading.Event()

    def pausing(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if "trading_tradingstate" in sql and connection.in_atomic_block:
            has_read.set()
            may_go_on.wait(10)
        return result

    def mark_and_send() -> None:
        with connection.execute_wrapper(pausing):
            open_bench.send([order])
        connection.close()

    def halt() -> None:
        set_mode(mode=TradingMode.HALTED, reason="now", actor=None, tenant=open_bench.desk.tenant)
        halted.set()
        connection.close()

    threads = [threading.Thread(target=work) for work in (mark_and_send, halt)]
    threads[0].start()
    assert has_read.wait(10)
    threads[1].start()
    assert not halted.wait(0.7)
    may_go_on.set()
    assert halted.wait(10)
    for thread in threads:
        thread.join()
    assert open_bench.accepted(order) == [1]


def test_the_check_sees_what_is_lost_and_what_is_not_ours(bench: Bench) -> None:
    bench.follower()
    bench.send(bench.open())
    bench.finish()
    assert violations(bench) == {}

    with all_tenants("forget"):
        Order.objects.update(exchange_order_id="")
    assert set(violations(bench)) == {"lost", "fills"}
    with all_tenants("forget more"):
        Order.objects.update(client_order_id="another")
    assert set(violations(bench)) >= {"unrecorded", "identity"}
