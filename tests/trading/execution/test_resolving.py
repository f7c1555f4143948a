"""How much is asked of the exchange, what old orders may become, and what poison costs others."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.fields import uuid7
from accounts.tenancy import all_tenants
from tests.trading.execution.bench import Bench, diary
from trading import leases
from trading.exchange.types import LookupKind, OrderLookup
from trading.execution import resolve, sweep
from trading.execution import run as sending
from trading.execution.looking import MAX_LOOKUPS, Asked
from trading.execution.poison import MAX_FAILURES
from trading.execution.sweep import finish_proofs
from trading.leases import leave
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


def lost(bench: Bench, *, leg: str = "", **columns: Any) -> Order:
    """An order that was sent and never arrived, so and so long ago."""
    link = bench.follower()
    bench.fault("drop_before", link)
    (order,) = bench.open()
    bench.send([order])
    assert bench.now(order).state == "unknown"
    back_date(order, **({"leg": leg} if leg else {}), **columns)
    return order


def back_date(order: Order, *, ago: timedelta = timedelta(0), **columns: Any) -> None:
    at = timezone.now() - ago
    with all_tenants("as if it had been longer ago"):
        Order.objects.filter(pk=order.pk).update(
            sent_at=at, exp_at_ms=int(at.timestamp() * 1000) - 5000, not_before=None, **columns
        )


def test_an_outage_longer_than_our_patience_still_ends_in_proof(bench: Bench) -> None:
    order = lost(bench, ago=timedelta(minutes=20), expires_at=timezone.now())

    bench.finish()

    assert (bench.now(order).state, bench.accepted(order)) == ("expired", [0])
    assert diary("order.needs_a_person") == []


def test_a_proof_that_began_is_finished_without_another_sweep(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within twice the time between two answers, which a busy machine must not take by itself."""
    monkeypatch.setattr(resolve, "NOT_FOUND_APART", timedelta(milliseconds=600))
    order = lost(bench)
    assert finish_proofs() == 0  # nobody asked yet

    sweep()
    assert (bench.now(order).state, bench.now(order).not_found_count) == ("unknown", 1)

    assert finish_proofs() == 1
    assert bench.accepted(order) == [1]


def test_an_absence_is_looked_at_the_moment_it_begins_to_say_something(
    bench: Bench, settings: Any
) -> None:
    settings.GRACE_S = 1
    order = lost(bench)
    soon_ms = round(time.time() * 1000) + 800 - 1100  # patience: a skew of 0.1 s and the grace
    with all_tenants("its deadline is over, its grace is not"):
        Order.objects.filter(pk=order.pk).update(exp_at_ms=soon_ms)

    assert resolve_once() == 1
    asked = bench.now(order)
    assert (asked.state, asked.not_found_count) == ("unknown", 0)
    counts_at = datetime.fromtimestamp((soon_ms + 1100) / 1000, tz=UTC)
    assert asked.not_before is not None
    assert abs(asked.not_before - counts_at) < timedelta(milliseconds=200)

    assert finish_proofs() == 1  # three looks of one call, each when it is due
    assert bench.accepted(order) == [1]


def test_a_proof_waits_for_nobody_else(bench: Bench) -> None:
    """Its order leaves while others are still being proved."""
    first, second = bench.follower(), bench.follower()
    for link in (first, second):
        bench.fault("drop_before", link)
    orders = {order.account_id: order for order in bench.open()}
    bench.send(orders.values())
    early, late = orders[first.account_id], orders[second.account_id]
    for order in orders.values():
        back_date(order)
    sweep()
    with all_tenants("it has two looks left, the other only one"):
        Order.objects.filter(pk=early.pk).update(not_found_count=2)
    proofs = resolve.resolve_again()

    with all_tenants("look by look"):
        proved = [ids for ids in proofs if ids]

    assert proved == [[early.pk], [late.pk]]


def absent(bench: Bench, followers: int) -> list[Order]:
    """As many orders that never arrived, old enough for that to count."""
    for _ in range(followers):
        bench.fault("drop_before", bench.follower())
    orders = bench.open()
    bench.send(orders)
    for order in orders:
        back_date(order)
    return orders


def test_many_absent_ones_are_claimed_and_written_together(bench: Bench) -> None:
    orders = absent(bench, 6)

    with all_tenants("what a round does between asking"), CaptureQueriesContext(connection) as seen:
        claimed = resolve._claim(resolve._due(timezone.now(), Q(), 10), timezone.now())
        nowhere = OrderLookup(kind=LookupKind.NOT_FOUND)
        resolve._settle_all([Asked(order, nowhere) for order in claimed])

    written = [one["sql"] for one in seen.captured_queries if one["sql"].startswith("UPDATE")]
    assert len(written) == 2
    assert {bench.now(order).not_found_count for order in orders} == {1}


def test_one_that_cannot_be_written_holds_up_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = absent(bench, 3)
    bad, next_step = orders[0], resolve._next_step

    def stumbling(one: Any, now: Any) -> Any:
        if one.order.pk == bad.pk:
            raise ValueError("numbers that cannot be")
        return next_step(one, now)

    monkeypatch.setattr(resolve, "_next_step", stumbling)

    assert resolve_once() == len(orders)
    assert [bench.now(order).not_found_count for order in orders] == [0, 1, 1]


def test_of_two_that_claim_one_asks(bench: Bench) -> None:
    order = lost(bench)
    with all_tenants("two processes that read it at the same time"):
        now = timezone.now()
        read = [Order.objects.get(pk=order.pk) for _ in range(2)]
        claimed = [resolve._claim([one], now) for one in read]

    assert [len(mine) for mine in claimed] == [1, 0]


def test_a_process_that_leaves_waits_for_no_look(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_leaving", set())
    order = lost(bench)
    sweep()

    leave()

    assert finish_proofs() == 0
    assert (bench.now(order).state, bench.now(order).not_found_count) == ("unknown", 1)


def test_a_reduction_of_hours_ago_is_never_sent_again(bench: Bench) -> None:
    order = lost(bench, ago=timedelta(hours=3), leg="close", expires_at=None)

    sweep_until(bench, order, "manual")

    assert (bench.now(order).state, bench.accepted(order)) == ("manual", [0])
    assert len(bench.requests(order)) == 1
    assert [entry.level for entry in diary("order.needs_a_person")] == ["critical"]


def test_what_is_older_than_the_exchanges_fills_cannot_be_proved(bench: Bench) -> None:
    order = lost(bench, ago=timedelta(days=4))

    sweep_until(bench, order, "manual")

    assert (bench.now(order).state, len(bench.requests(order))) == ("manual", 1)


def test_many_of_one_account_are_looked_for_in_lists_and_ten_at_a_time(bench: Bench) -> None:
    order = lost(bench)
    with all_tenants("many that are gone like it"):
        for number in range(25):
            copy = Order.objects.get(pk=order.pk)
            copy.pk, copy.link_uid = uuid7(), uuid7()
            copy.client_order_id = f"tst{number:026d}"
            copy.lane_key = f"{copy.lane_key}|{number}"
            copy.save(force_insert=True)
    before = len(bench.entries(kind="request", method="GET"))

    asked = resolve_once()

    paths = [entry["path"] for entry in bench.entries(kind="request", method="GET")[before:]]
    assert asked == 26
    assert sum(path.startswith("/api/v5/trade/order?") for path in paths) == MAX_LOOKUPS
    assert sum("orders-history" in path for path in paths) == 1


def test_many_that_were_placed_are_found_in_the_lists(bench: Bench) -> None:
    link = bench.follower()
    orders = []
    for _ in range(MAX_LOOKUPS + 2):
        (order,) = bench.open()
        bench.fault("drop_after_accept", link)
        bench.send([order])
        orders.append(order)
        free_lane(order)
    with all_tenants("all are due"):
        Order.objects.filter(pk__in=[order.pk for order in orders]).update(not_before=None)

    bench.finish()

    assert {str(bench.now(order).state) for order in orders} == {"filled"}
    assert bench.accepted(*orders) == [1] * len(orders)


def free_lane(order: Order) -> None:
    with all_tenants("so that the next may go"):
        Order.objects.filter(pk=order.pk).update(lane_key=f"lane|{order.pk.hex}"[:80])


def sweep_until(bench: Bench, order: Order, state: str, seconds: float = 15) -> None:
    """Sweep after sweep until the order has come there, or the time is over."""
    until = time.monotonic() + seconds
    while bench.now(order).state != state and time.monotonic() < until:
        bench.sweep_for(0.05)


def resolve_once() -> int:
    with all_tenants("one round"):
        return resolve.resolve_due()


def test_an_order_that_cannot_be_settled_is_set_aside_after_five_times(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, good = bench.follower(), bench.follower()
    for link in (poison, good):
        bench.fault("drop_after_accept", link)
    orders = {order.account_id: order for order in bench.open()}
    bench.send(orders.values())
    apply = resolve.apply_orders
    tries: list[int] = []

    def stumbling(account: Any, *args: Any, **more: Any) -> Any:
        if account.pk == poison.account_id:
            tries.append(1)
            raise ValueError("a report that cannot be read")
        return apply(account, *args, **more)

    monkeypatch.setattr(resolve, "apply_orders", stumbling)
    monkeypatch.setattr(resolve, "CLAIM", timedelta(milliseconds=20))
    sweep_until(bench, orders[poison.account_id], "manual")
    sweep_until(bench, orders[good.account_id], "filled")

    assert len(tries) == MAX_FAILURES
    aside = bench.now(orders[poison.account_id])
    assert (aside.state, aside.reason) == ("manual", "POISON")
    assert bench.now(orders[good.account_id]).state == "filled"
    assert [entry.level for entry in diary("order.set_aside")] == ["critical"]


def test_an_order_that_cannot_be_sent_is_set_aside_and_the_others_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [bench.follower() for _ in range(4)]
    orders = {order.account_id: order for order in bench.open()}
    bad = orders[links[1].account_id]
    mark = sending.mark

    def stumbling(heads: Any, *args: Any, **more: Any) -> Any:
        if any(order.pk == bad.pk for order in heads):
            raise ValueError("numbers that cannot be")
        return mark(heads, *args, **more)

    monkeypatch.setattr(sending, "mark", stumbling)
    for _ in range(MAX_FAILURES + 1):
        bench.send(orders.values())
    bench.finish()

    states = {account: str(bench.now(order).state) for account, order in orders.items()}
    assert states.pop(bad.account_id) == "denied"
    assert set(states.values()) == {"filled"}
    assert (bench.now(bad).reason, bench.accepted(bad)) == ("POISON", [0])
    assert len(diary("order.set_aside")) == 1


def test_a_database_that_fails_is_no_orders_fault(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.follower()
    (order,) = bench.open()

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("server has gone away")

    with monkeypatch.context() as broken:
        broken.setattr(sending, "mark", away)
        for _ in range(MAX_FAILURES + 1):
            with pytest.raises(OperationalError):
                bench.send([order])
    bench.finish()

    assert bench.now(order).state == "filled"
