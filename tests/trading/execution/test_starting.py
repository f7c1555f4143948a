"""A process that starts learns what is still open before it sends, and one that leaves says so."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.tenancy import all_tenants
from tests.trading.execution.bench import Bench, forget_everything, put
from trading import leases
from trading.execution import starting
from trading.leases import alive_count, beat_heartbeat, leave
from trading.models import Heartbeat, Order, ReconcileRun
from trading.tasks import warm_up

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]


def left_behind(bench: Bench) -> Order:
    """Sent, accepted, and the sender died before it heard so."""
    link = bench.follower()
    (order,) = bench.open()
    bench.fault("drop_after_accept", link)
    bench.send([order])
    with all_tenants("as a dead sender leaves it"):
        Order.objects.filter(pk=order.pk).update(
            state="sending", not_before=None, lease_until=timezone.now() - timedelta(seconds=1)
        )
    return order


def runs() -> list[str]:
    with all_tenants("readings of every desk"):
        return list(ReconcileRun.objects.values_list("cause", flat=True))


def test_what_a_dead_sender_left_is_settled_before_the_first_order_leaves(bench: Bench) -> None:
    order = left_behind(bench)
    bench.follower()
    fresh = bench.open("20")
    forget_everything()

    sent = bench.send(fresh)

    with all_tenants("in which order the exchange was asked"):
        paths = [
            (entry["method"], entry["path"].partition("?")[0])
            for entry in bench.entries(kind="request")
            if "/trade/" in entry["path"]
        ]
    assert (bench.now(order).state, sent > 0) == ("filled", True)
    lookup, place = ("GET", "/api/v5/trade/order"), ("POST", "/api/v5/trade/order")
    assert paths.index(lookup) < len(paths) - 1 - paths[::-1].index(place)
    assert "1 orders asked about" in starting.note()


def test_accounts_with_something_open_are_read_and_others_are_not(bench: Bench) -> None:
    left_behind(bench)
    for _ in range(2):
        bench.follower()
    with all_tenants("so that it stays open"):
        Order.objects.update(state="live", order_type="limit", lease_until=None)
    forget_everything()

    bench.send(bench.open("20"))

    assert runs() == ["start-up"]


def test_it_happens_once_in_a_process_and_market(bench: Bench) -> None:
    left_behind(bench)
    forget_everything()
    starting.take_up("simulator")
    told = starting.note()

    starting.take_up("simulator")

    assert starting.note() == told


def test_an_exchange_that_does_not_answer_holds_up_no_other_market(
    bench: Bench, settings: Any
) -> None:
    dead = left_behind(bench)
    put(bench.now(dead).account, market="demo")
    with all_tenants("another market"):
        Order.objects.filter(pk=dead.pk).update(market="demo")
    settings.MARKETS["demo"] = {"rest": "http://127.0.0.1:9", "ws": "ws://127.0.0.1:9"}
    bench.follower()
    forget_everything()

    orders = [order for order in bench.open("20") if order.market == "simulator"]

    assert bench.send(orders) == 1
    assert set(starting._done) == {"simulator"}


def test_while_another_thread_learns_nothing_is_sent_there(bench: Bench) -> None:
    bench.follower()
    orders = bench.open()
    starting.forget()
    starting._busy["simulator"] = busy = threading.Lock()

    with busy:
        held = bench.send(orders)
    sent = bench.send(orders)

    assert (held, sent) == (0, 1)


def test_a_failure_of_ours_at_the_start_does_not_stop_trading(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbling(market: str) -> int:
        raise ValueError("poison")

    monkeypatch.setattr(starting, "resolve_unsure", stumbling)
    bench.follower()
    orders = bench.open()
    starting.forget()

    assert bench.send(orders) == 1


def test_what_was_placed_for_sure_holds_up_no_worker_that_starts(bench: Bench) -> None:
    order = left_behind(bench)
    with all_tenants("acknowledged, and not seen to fill"):
        Order.objects.filter(pk=order.pk).update(state="live", lease_until=None)
    forget_everything()

    starting.take_up("simulator")

    assert starting.note().startswith("simulator: 0 orders asked about, 1 of 1 accounts read")


def test_a_worker_is_counted_when_it_has_learned(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.follower()
    forget_everything()
    counted: list[int] = []
    take_up = starting.take_up

    def learning(market: str) -> None:
        counted.append(alive_count("executor"))
        take_up(market)

    monkeypatch.setattr(starting, "take_up", learning)

    warm_up()

    assert (counted, alive_count("executor")) == ([0], 1)
    assert "0 of 0 accounts read" in Heartbeat.objects.get(kind="executor").note


def test_who_leaves_is_no_longer_counted_and_does_not_come_back(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_leaving", set())
    beat_heartbeat("executor", "here")
    before = alive_count("executor")

    leave()
    beat_heartbeat("executor", "a task that was still running")

    assert (before, alive_count("executor")) == (1, 0)
    assert not Heartbeat.objects.filter(kind="executor").exists()
