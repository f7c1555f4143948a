"""One account that hangs, has lost its key or blocks its lane holds up nobody else."""

from __future__ import annotations

import sys
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.tenancy import all_tenants
from customers.enums import KeyStatus
from tests.trading.execution.bench import LOOKUP, Bench, diary, put
from trading.execution import looking, resolve, sweep
from trading.execution import run as sending
from trading.execution.lanes import lane_heads
from trading.execution.sweep import due_orders
from trading.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.simulator]

LEVERAGE = {"path": "/api/v5/account/set-leverage", "method": "POST"}


def test_a_leverage_that_is_not_answered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LEVERAGE_S", 0.3)
    monkeypatch.setattr(sending, "LATER", timedelta(milliseconds=50))
    slow, quick = bench.follower(), bench.follower()
    bench.fault("hang:1500", account=bench.opened[slow.account_id], **LEVERAGE)
    orders = {order.account_id: order for order in bench.open()}

    sent = bench.send(orders.values())

    assert sent == 1
    assert bench.now(orders[slow.account_id]).state == "ready"
    assert bench.accepted(orders[quick.account_id]) == [1]
    bench.finish()
    assert bench.accepted(*orders.values()) == [1, 1]


@pytest.mark.parametrize("fault", ["drop_before", "code:50011"])
def test_a_leverage_that_was_not_heard_of_is_set_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The account's own leverage is higher: it is neither used nor taken for refused."""
    monkeypatch.setattr(sending, "LATER", timedelta(milliseconds=50))
    link = bench.follower()
    bench.fault(fault, account=bench.opened[link.account_id], **LEVERAGE)
    (order,) = bench.open()

    sent = bench.send([order])
    bench.finish()

    assert (sent, bench.now(order).state) == (0, "filled")
    (accepted,) = bench.entries(kind="order", cl_ord_id=order.client_order_id)
    assert Decimal(accepted["lever"]) == order.leverage


def test_a_question_that_is_not_answered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PATIENCE_S", 1)
    slow, quick = bench.follower(), bench.follower()
    for link in (slow, quick):
        bench.fault("drop_after_accept", link)
    orders = {order.account_id: order for order in bench.open()}
    bench.send(orders.values())
    bench.fault("hang:3000", account=bench.opened[slow.account_id], **LOOKUP)
    with all_tenants("due"):
        Order.objects.update(not_before=None)

    sweep()

    assert bench.now(orders[quick.account_id]).state == "filled"
    waiting = bench.now(orders[slow.account_id])
    assert (waiting.state, waiting.lease_until) == ("unknown", None)
    bench.finish()
    assert bench.accepted(*orders.values()) == [1, 1]


def test_an_unknown_order_whose_key_is_gone_goes_to_a_person(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = bench.follower()
    bench.fault("drop_after_accept", link)
    (order,) = bench.open()
    bench.send([order])
    put(link.account, api_key=None, key_version=7)
    bench.sweep_for(0.2)
    before = bench.now(order).state
    monkeypatch.setattr(resolve, "MANUAL_AFTER", timedelta(0))
    with all_tenants("due"):
        Order.objects.update(not_before=None, lease_until=None)

    sweep()

    assert (before, bench.now(order).state) == ("unknown", "manual")
    assert len(diary("order.needs_a_person")) == 1


def test_what_an_unproven_key_does_not_find_may_still_be_there(bench: Bench) -> None:
    """The key was replaced while the order was on its way: it may be another user's."""
    link = bench.follower()
    bench.fault("drop_before", link)
    (order,) = bench.open()
    bench.send([order])
    put(link.account, key_status=KeyStatus.PENDING)

    bench.sweep_for(1.2)
    waiting = bench.now(order)
    put(link.account, key_status=KeyStatus.VERIFIED)
    bench.finish()

    assert (waiting.state, waiting.not_found_count) == ("unknown", 0)
    assert bench.accepted(order) == [1]


def test_a_placed_order_that_the_exchange_forgot_goes_to_a_person(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = bench.follower()
    bench.fault("drop_before", link)
    (order,) = bench.open()
    bench.send([order])
    with all_tenants("it was placed, and canceled long ago"):
        Order.objects.update(state="live", exchange_order_id="1", not_before=None)
    sweep()
    patient = bench.now(order).state
    monkeypatch.setattr(resolve, "MANUAL_AFTER", timedelta(0))
    bench.sweep_for(0.3)

    assert (patient, bench.now(order).state) == ("live", "manual")
    assert len(diary("order.needs_a_person")) == 1


def test_what_has_left_has_the_turn_of_its_lane(bench: Bench) -> None:
    """Whatever comes to stand before it, nothing overtakes what may be at the exchange."""
    bench.follower()
    (first,) = bench.open()
    (second,) = bench.desk.hear("add", "10")
    with all_tenants("the second left before the first was written"):
        Order.objects.filter(pk=second.pk).update(state="unknown")
        heads = lane_heads([first.lane_key])
        ready = due_orders()

    assert heads == {first.lane_key: second.id}
    assert ready == []
    assert bench.send([first]) == 0


def test_orders_that_wait_do_not_fill_the_sweep(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[due_orders.__module__], "BATCH", 1)
    bench.follower()
    (blocking,) = bench.open()
    bench.desk.hear("add", "10")
    with all_tenants("a person has to look at it"):
        Order.objects.filter(pk=blocking.pk).update(state="manual")
    other = bench.follower()
    orders = bench.desk.hear("open", "10")
    (free,) = [order for order in orders if order.account_id == other.account_id]

    with all_tenants("the sweep"):
        assert due_orders() == [free.id]
