"""Clocks that differ: a little is reckoned with, too much stops every send to that exchange."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from accounts.tenancy import all_tenants
from tests.trading.execution.bench import Bench, diary
from trading.endpoints import endpoint_of_market
from trading.exchange.runner import client_for, exchange_loop
from trading.execution import clock, punctual, sweep
from trading.leases import db_now
from trading.models import ClockReading, Order

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]


def set_back(bench: Bench, offset_ms: int) -> None:
    bench.ask("POST", "/limits", clock_offset_ms=offset_ms)


def measure(offset_ms: int) -> None:
    """Sample until it is known; the client keeps to the exchange's limit of questions."""
    there, until = client_for(endpoint_of_market("simulator")), time.monotonic() + 10
    while abs(there.clock.offset_ms - offset_ms) > 100:
        assert time.monotonic() < until, there.clock.offset_ms
        exchange_loop().run(clock.measure(there))


def due(order: Order, **columns: Any) -> None:
    with all_tenants("time passes"):
        Order.objects.filter(pk=order.pk).update(not_before=None, **columns)


def readings() -> list[tuple[int, bool]]:
    return [(round(r.offset_ms, -2), r.is_halted) for r in ClockReading.objects.all()]


@pytest.mark.parametrize("offset_ms", [400, -400, 1500, -1500])
def test_a_small_difference_is_reckoned_with(bench: Bench, offset_ms: int) -> None:
    set_back(bench, offset_ms)
    bench.follower()
    (order,) = bench.open()

    bench.send([order])
    bench.finish()

    assert bench.now(order).state == "filled"
    (request,) = bench.requests(order)
    ahead = int(request["exp_time"]) - int(request["ts"])
    assert 0 < ahead <= 500 + 100  # the deadline of the bench, and what a measurement may err
    assert [(abs(offset - offset_ms) <= 100, halted) for offset, halted in readings()] == [
        (True, False)
    ]
    told = {400: [], 1500: ["clock.off"]}[abs(offset_ms)]
    assert [e.action for e in diary("clock.off") if e.tenant_id] == told


@pytest.mark.parametrize(
    "offset_ms",
    [
        5000,
        -40_000,
        pytest.param(-5000, marks=pytest.mark.long),
        pytest.param(40_000, marks=pytest.mark.long),
    ],
)
def test_too_much_stops_every_send(bench: Bench, offset_ms: int) -> None:
    bench.follower()
    bench.send(bench.open())
    bench.finish()
    (close,), before = bench.desk.hear("close"), len(bench.entries(kind="request", method="POST"))
    newcomer = bench.follower()
    (opening,) = (order for order in bench.open() if order.account_id == newcomer.account_id)
    set_back(bench, offset_ms)
    measure(offset_ms)

    assert bench.send([opening, close]) == 0
    assert (bench.now(opening).state, bench.now(opening).reason) == ("ready", "CLOCK_OFF")
    due(opening, expires_at=db_now() - timedelta(seconds=1))
    due(close)
    sweep()

    assert (bench.now(opening).state, bench.now(opening).reason) == ("expired", "CLOCK_OFF")
    assert (bench.now(close).state, bench.now(close).reason) == ("ready", "CLOCK_OFF")
    assert len(bench.entries(kind="request", method="POST")) == before
    punctual.note_clocks()
    assert [e.tenant_id for e in diary("clock.halted")] == [None, bench.desk.tenant.pk]
    assert [halted for _, halted in readings()] == [True]

    set_back(bench, 0)
    measure(0)
    due(close)
    bench.finish()

    assert (bench.now(close).state, bench.now(close).reason) == ("filled", "")
    assert len(diary("clock.right")) == 2


def test_a_clock_that_is_set_back_is_noticed_by_the_next_sample(bench: Bench) -> None:
    bench.follower()
    bench.send(bench.open())
    there = client_for(endpoint_of_market("simulator"))
    assert abs(there.clock.offset_ms) < 100

    set_back(bench, -10_000)
    exchange_loop().run(clock.measure(there))

    assert abs(there.clock.offset_ms + 10_000) < 100
    assert not clock.clock_is_right(there)
