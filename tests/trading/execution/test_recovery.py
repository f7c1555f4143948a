"""The process dies at any line; whoever comes next finishes every order, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.tenancy import all_tenants
from signals.models import SignalSource
from tests import factories as make
from tests.trading.copying.desk import Desk, make_desk
from tests.trading.execution.bench import LOOKUP, Bench, diary, forget_everything, stumble
from trading import tasks
from trading.copying import run as copying
from trading.execution import resolve, sweep
from trading.execution import run as sending
from trading.faults import InjectedFaultError
from trading.leases import db_now
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]

POINTS = ["S4.claimed", "S5.before_commit", "S5.marked", "S7.before_record", "S7.recorded"]


@pytest.mark.parametrize("point", POINTS)
def test_a_death_while_sending(bench: Bench, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    bench.ask("POST", "/limits", dup_clordid="never")
    for _ in range(3):
        bench.follower()
    orders = bench.open()
    stumble(monkeypatch, f"{point}=raise")

    with pytest.raises(InjectedFaultError):
        bench.send(orders)
    left = {str(bench.now(order).state) for order in orders}
    stumble(monkeypatch, "")
    forget_everything()
    bench.finish()

    unsent = {"S4.claimed": {"ready"}, "S5.before_commit": {"ready"}}
    assert left <= unsent.get(point, {"sending", "live"})
    assert {str(bench.now(order).state) for order in orders} == {"filled"}
    assert bench.accepted(*orders) == [1, 1, 1]
    assert [len(bench.requests(order)) for order in orders] == [1, 1, 1]


@pytest.mark.parametrize("point", ["S6.before_send", "S6.after_send"])
def test_a_stumble_around_the_request_itself_is_an_unknown_outcome(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    bench.follower()
    (order,) = bench.open()
    stumble(monkeypatch, f"{point}=raise")

    bench.send([order])
    unknown = (bench.now(order).state, bench.attempt_words(order))
    stumble(monkeypatch, "")
    bench.finish()

    assert unknown == ("unknown", ["unknown"])
    assert (bench.now(order).state, bench.accepted(order)) == ("filled", [1])


@pytest.mark.parametrize("point", ["R.asked", "R.before_adopt"])
def test_a_death_while_asking(bench: Bench, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    link = bench.follower()
    bench.fault("drop_after_accept", link)
    (order,) = bench.open()
    bench.send([order])
    stumble(monkeypatch, f"{point}=raise")

    with pytest.raises(InjectedFaultError):
        bench.sweep_for(1)
    stumble(monkeypatch, "")
    bench.finish()

    assert (bench.now(order).state, bench.accepted(order)) == ("filled", [1])


def test_a_sent_order_without_a_lease_is_asked_about_too(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    bench.send([order])
    with all_tenants("as a reading that changed nothing left it"):
        Order.objects.filter(pk=order.pk).update(state="sending", lease_until=None)

    bench.finish()

    assert bench.now(order).state == "filled"


def test_an_order_that_cannot_be_settled_keeps_nobody_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, good = bench.follower(), bench.follower()
    for link in (poison, good):
        bench.fault("drop_after_accept", link)
    orders = {order.account_id: order for order in bench.open()}
    bench.send(orders.values())
    apply = resolve.apply_orders

    def stumbling(account: Any, *args: Any, **more: Any) -> Any:
        if account.pk == poison.account_id:
            raise ValueError("a report that cannot be read")
        return apply(account, *args, **more)

    monkeypatch.setattr(resolve, "apply_orders", stumbling)
    bench.sweep_for(0.5)

    assert bench.now(orders[poison.account_id]).state == "unknown"
    assert bench.now(orders[good.account_id]).state == "filled"


def test_a_source_that_cannot_be_copied_keeps_no_other_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: Desk = make_desk()
    bench.follower()
    bench.follower(other)
    bench.desk.say("open", "10")
    other.say("open", "10")
    copy = copying.copy_signal

    def stumbling(signal: Any, **more: Any) -> Any:
        if signal.source_id == bench.desk.source.pk:
            raise ValueError("poison")
        return copy(signal, **more)

    monkeypatch.setattr(copying, "copy_signal", stumbling)
    for _ in range(3):
        tasks.sweep_orders()

    assert bench.desk.orders() == []
    assert [order.leg for order in other.orders()] == ["open"]
    assert other.orders()[0].attempt == 1


def test_the_sweep_alone_takes_a_signal_all_the_way(bench: Bench) -> None:
    """Every nudge was lost."""
    bench.follower()
    bench.desk.say("open", "10")
    with all_tenants("whoever had it died"):
        SignalSource.objects.update(claim_until=db_now() - timedelta(seconds=1))

    tasks.sweep_orders()
    bench.finish()
    bench.desk.say("close")
    tasks.sweep_orders()
    bench.finish()
    tasks.sweep_orders()

    assert [(o.leg, o.state) for o in bench.desk.orders()] == [
        ("open", "filled"),
        ("close", "filled"),
    ]
    (cycle,) = bench.desk.cycles()
    assert (cycle.ended_at is not None, cycle.active_key) == (True, None)


def test_what_nobody_can_tell_goes_to_a_person(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = bench.follower()
    bench.fault("drop_after_accept", link)
    bench.fault("code:50026", link, times=1000, **LOOKUP)
    (order,) = bench.open()
    bench.send([order])
    monkeypatch.setattr(resolve, "ALERT_AFTER", timedelta(0))
    bench.sweep_until(lambda: bool(diary("order.unknown")))
    warned = diary("order.unknown")
    monkeypatch.setattr(resolve, "MANUAL_AFTER", timedelta(0))
    with all_tenants("due"):
        Order.objects.update(not_before=None)
    sweep()

    assert warned[0].level == "warning"
    assert bench.now(order).state == "manual"
    (entry,) = diary("order.needs_a_person")
    assert (entry.level, entry.object_id) == ("critical", str(order.id))
    (behind,) = bench.desk.hear("close")
    assert bench.send([behind]) == 0  # its lane stays blocked


def test_a_resting_order_is_canceled_on_request_and_only_once(bench: Bench) -> None:
    link = bench.follower()
    (order,) = bench.open()
    with all_tenants("make it rest"):
        Order.objects.update(order_type="limit", price=make.Decimal(59_000))
    bench.send([order])
    bench.desk.hear("cancel")
    bench.fault("http:502", link, path="/api/v5/trade/cancel-batch-orders")

    bench.sweep_for(0.4)
    with all_tenants("what the private channel would tell"):
        Order.objects.update(state="unknown", not_before=None)
    bench.finish()

    done = bench.now(order)
    assert (done.state, done.reason, done.filled_quantity) == ("canceled", "CANCELED_BY_SIGNAL", 0)
    canceled = bench.entries(kind="cancel")
    assert [entry["ord_id"] for entry in canceled] == [done.exchange_order_id]


def test_nothing_is_sent_twice_when_two_processes_send_the_same(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    read = sending.ready_heads

    def race(*args: Any) -> Any:
        found = read(*args)
        sending.ready_heads = read
        sending.send_orders([order.id])
        return found

    sending.ready_heads = race
    try:
        bench.send([order])
    finally:
        sending.ready_heads = read
    bench.finish()

    assert bench.accepted(order) == [1]
    assert len(bench.attempts(order)) == 1
