"""The judge is judged: take one guard away and the check of the ledger must say so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from accounts.tenancy import all_tenants
from tests.chaos.ledger_check import violations
from tests.trading.execution.bench import LOOKUP, Bench
from trading.endpoints import endpoint_of
from trading.exchange.types import LookupKind
from trading.execution import lanes, looking, resolve, sweep
from trading.execution import mark as marking
from trading.execution import run as sending
from trading.execution.clock import clock_of
from trading.execution.keys import keys_of
from trading.execution.record import record
from trading.execution.send import send
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.simulator, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _pessimistic(bench: Bench) -> None:
    bench.ask("POST", "/limits", dup_clordid="never")


def _count_as(monkeypatch: pytest.MonkeyPatch, counts: Callable[[Any], bool]) -> None:
    for room in (looking, resolve):
        monkeypatch.setattr(room, "counts", counts)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "counting at once"])
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
    """An order that arrived in the last moment is not to be seen at once."""
    settings.ORDER_TTL_MARKET_S, settings.GRACE_S = 1, 1.4
    bench.ask("POST", "/limits", read_lag_ms=1300)
    link = bench.follower()
    bench.fault("late_accept:800", link)
    (order,) = bench.open()

    bench.send([order])
    bench.finish()

    assert violations(bench) == {}
    assert bench.accepted(order) == [1]


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "errors count"])
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


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "a fresh deadline"])
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
            marked.attempt.exp_at_ms = clock.now_ms() + 3000
        for answered in send([(marked, keys_of(marked.order.account))]):
            record(answered)

    broken = violations(bench)
    assert broken.get("doubled", []) == ([] if guarded else [order.client_order_id])


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "any order may go"])
def test_only_the_head_of_a_lane_may_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    def everyone(order_ids: Any, _now: Any) -> list[Order]:
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
