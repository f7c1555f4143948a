"""What a halt promises: from its commit on nothing is accepted but what was declared in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from accounts.models import Installation
from accounts.tenancy import all_tenants
from tests.trading.execution.bench import PLACE, Bench
from tests.trading.execution.test_flatten import flatten, never_flipped, orders, positions
from trading.enums import TradingMode
from trading.execution.flight import asked_about, in_flight
from trading.models import Order
from trading.switch import SwitchUnreadableError, set_mode

BATCH = 3


@contextmanager
def sending(bench: Bench, ready: list[Order]) -> Iterator[Callable[[], int]]:
    """A fan-out in another process's place: a few at a time, until all were tried."""
    done = 0

    def work() -> None:
        nonlocal done
        try:
            for start in range(0, len(ready), BATCH):
                bench.send(ready[start : start + BATCH])
                done += BATCH
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: done
    finally:
        thread.join(30)
        assert not thread.is_alive()


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def declared() -> set[str]:
    with all_tenants("what the page shows"):
        return set(in_flight().values_list("client_order_id", flat=True))


def halt(bench: Bench, mode: TradingMode = TradingMode.HALTED) -> None:
    set_mode(mode=mode, reason="prices look wrong", actor=None, tenant=bench.desk.tenant)


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
@pytest.mark.simulator
@pytest.mark.parametrize(
    "mode", [TradingMode.HALTED, pytest.param(TradingMode.FLATTEN, marks=pytest.mark.long)]
)
def test_after_its_commit_only_what_was_declared_is_accepted(
    open_bench: Bench, mode: TradingMode, settings: Any
) -> None:
    bench = open_bench
    settings.ORDER_TTL_MARKET_S = 3
    for _ in range(12):
        bench.follower()
    ready = bench.open()
    # Answers are lost and the orders land later: what is in flight is in flight for a while.
    bench.fault("late_accept:1500", times=100, **PLACE)

    with sending(bench, ready) as done:
        until(lambda: done() >= BATCH)
        halt(bench, mode)
        shown = declared()
        seen = bench.ask("GET", "/health")["entries"]
        with all_tenants("attempts of the fan-out"):
            marked = sum(Order.objects.values_list("attempt", flat=True))
    until(lambda: not declared())
    time.sleep(0.1)

    later = {
        entry["cl_ord_id"]
        for entry in bench.ask("GET", f"/ledger?after={seen}")["entries"]
        if entry["kind"] == "order"
    }
    assert later
    assert later <= shown
    with all_tenants("attempts of the fan-out"):
        assert sum(Order.objects.values_list("attempt", flat=True)) == marked
        assert asked_about().count() == Order.objects.filter(state="unknown").count()
    assert marked < len(ready)


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
@pytest.mark.simulator
@pytest.mark.long
def test_flatten_in_the_middle_of_a_fan_out_ends_flat(open_bench: Bench) -> None:
    bench = open_bench
    links = [bench.follower(pos_mode=mode) for mode in ("net", "long_short") * 8]
    ready = bench.open()
    bench.fault("late_accept:200", times=4, **PLACE)
    bench.fault("drop_after_accept", times=4, **PLACE)
    bench.fault("partial:3", times=20, **PLACE)

    with sending(bench, ready) as done:
        until(lambda: done() >= BATCH)
        halt(bench, TradingMode.FLATTEN)
        flatten(30)

    flatten(30)
    assert [positions(bench, link) for link in links] == [{}] * len(links)
    assert never_flipped(bench)
    assert orders(flattens=True)


@pytest.mark.django_db
@pytest.mark.database
@pytest.mark.simulator
def test_a_switch_that_cannot_be_read_is_a_halt(bench: Bench) -> None:
    bench.follower()
    ready = bench.open()
    Installation.objects.all().delete()

    with pytest.raises(SwitchUnreadableError):
        bench.send(ready)

    assert bench.now(ready[0]).state == "ready"
    assert bench.entries(kind="order") == []
