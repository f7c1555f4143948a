"""Limit copies at the exchange: how they wait, what cancels them, and what fills too late."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.tenancy import all_tenants, tenant_scope
from customers.models import Customer
from signals.models import LeaderAccount, SignalSource
from strategies.models import Strategy, Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, d
from tests.trading.execution.bench import Bench, diary, put
from tests.trading.execution.resting import held_there
from trading import tasks
from trading.auditing import audit_desks
from trading.copying.ladder_watch import watch_waiting
from trading.enums import TradingMode
from trading.models import Order
from trading.switch import set_mode
from trading.sync.reconcile import reconcile_accounts

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


@pytest.fixture
def waiting(bench: Bench, settings: Any) -> Bench:
    """A desk that copies by four orders, from one to four percent away."""
    settings.SIMULATOR_CONTROL_URL = bench.control
    terms(bench, open_orders="limit", rungs=4, max_orders=8)
    return bench


def terms(bench: Bench, **columns: Any) -> None:
    with all_tenants("a strategy is changed"):
        Strategy.objects.filter(pk=bench.desk.strategy.pk).update(**columns)


def hear(bench: Bench, intent: str, quantity: str | None = None, **fields: Any) -> list[Order]:
    """A signal copied and sent as an executor does it; its orders as they are afterwards."""
    signal = bench.desk.say(intent, quantity, **fields)
    tasks.copy_signal(str(signal.pk))
    with all_tenants("its orders"):
        found = Order.objects.filter(signal=signal).select_related("account")
        return list(found.order_by("account_id", "leg_number", "slice_number"))


def price(bench: Bench, value: int) -> None:
    """The market moves, and what that filled is read."""
    bench.ask("POST", "/prices", **{BTC: str(value)})
    make.set_price(BTC, value)
    read(bench)


def read(bench: Bench) -> None:
    assert all(run.ok for run in reconcile_accounts(list(bench.opened), cause="test"))


def until(bench: Bench, is_so: Callable[[], bool], seconds: float = 15) -> None:
    """Sweeps of every kind go over everything until it is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, said(bench)
        tasks.sweep_orders()
        tasks.follow_up([str(order.pk) for order in everything(bench) if order.is_final])
        tasks.watch_waiting_orders()
        time.sleep(0.02)


def everything(bench: Bench) -> list[Order]:
    with all_tenants("every order"):
        return list(Order.objects.select_related("account").order_by("lane_at", "slice_number"))


def said(bench: Bench) -> list[tuple[str, str, str, str]]:
    return [
        (str(o.leg), str(o.state), f"{o.filled_quantity.normalize():f}", str(o.reason))
        for o in everything(bench)
    ]


def ended(bench: Bench) -> bool:
    return all(cycle.ended_at is not None for cycle in bench.desk.cycles())


def is_quiet(bench: Bench) -> bool:
    return all(order.is_final for order in everything(bench))


def is_flat(bench: Bench) -> bool:
    return all(
        quantity == 0
        for order in everything(bench)
        for quantity in held_there(order.account).values()
    )


def check_books(bench: Bench) -> None:
    read(bench)
    (report,) = audit_desks(tenant_id=bench.desk.tenant.pk, settle=timedelta(0))
    assert report.findings == []


@pytest.mark.parametrize(("direction", "sign"), [("long", -1), ("short", 1)])
def test_a_ladder_waits_on_the_better_side_of_the_leader_s_price(
    waiting: Bench, direction: str, sign: int
) -> None:
    waiting.follower()

    rungs = hear(waiting, "open", "40", direction=direction)

    assert [(o.order_type, o.state, o.quantity) for o in rungs] == [("limit", "live", 1)] * 4
    away = [(o.price - 60_000) / 600 * sign for o in rungs if o.price is not None]
    assert away == [1, 2, 3, 4]
    assert {(o.max_slippage, o.reference_price) for o in rungs} == {(None, d(60_000))}
    assert waiting.accepted(*rungs) == [1] * 4
    check_books(waiting)


def test_post_only_is_what_the_strategy_says(waiting: Bench) -> None:
    terms(waiting, post_only=True)
    waiting.follower()

    rungs = hear(waiting, "open", "40")

    assert {(o.order_type, o.state) for o in rungs} == {("post_only", "live")}


def test_what_fills_is_the_position_and_the_leader_s_close_ends_all_of_it(waiting: Bench) -> None:
    for mode in ("net", "long_short"):
        waiting.follower(pos_mode=mode)
    hear(waiting, "open", "40")
    price(waiting, 58_700)
    assert [o.state for o in everything(waiting)] == ["filled"] * 4 + ["live"] * 4

    closes = hear(waiting, "close")

    assert [(o.leg, o.order_type, o.quantity, o.state) for o in closes] == [
        ("close", "market", 2, "live")
    ] * 2
    (cycle, _) = waiting.desk.cycles()
    assert cycle.closing_at is not None
    until(waiting, lambda: ended(waiting))
    canceled = [o for o in everything(waiting) if o.state == "canceled"]
    assert [(o.reason, o.filled_quantity) for o in canceled] == [("LEADER_CLOSED", 0)] * 4
    assert is_flat(waiting)
    check_books(waiting)


def test_a_leader_who_adds_gets_new_rungs_for_what_was_added(waiting: Bench) -> None:
    waiting.follower()
    hear(waiting, "open", "40")
    price(waiting, 59_300)

    rungs = hear(waiting, "add", "20", reference_price=d(59_000))

    assert [(o.leg, o.quantity) for o in rungs] == [("add", d("0.5"))] * 4
    assert [o.price for o in rungs] == [58_410, 57_820, 57_230, 56_640]


def test_a_reduction_takes_the_farthest_back_before_it_sells_anything(waiting: Bench) -> None:
    waiting.follower()
    rungs = hear(waiting, "open", "40")
    price(waiting, 59_300)

    (reduction,) = hear(waiting, "reduce", "20")
    until(waiting, lambda: waiting.now(reduction).is_final)

    assert [waiting.now(o).state for o in rungs] == ["filled", "live", "canceled", "canceled"]
    assert {waiting.now(o).reason for o in rungs[2:]} == {"LEADER_REDUCED"}
    reduction = waiting.now(reduction)
    assert (reduction.state, reduction.reason) == ("denied", "ALREADY_AT_TARGET")
    assert waiting.accepted(reduction) == [0]


def test_a_reduction_below_what_is_filled_sells_the_difference(waiting: Bench) -> None:
    waiting.follower()
    rungs = hear(waiting, "open", "40")
    price(waiting, 58_000)

    (reduction,) = hear(waiting, "reduce", "30")
    until(waiting, lambda: waiting.now(reduction).is_final and waiting.now(rungs[3]).is_final)

    assert [waiting.now(o).state for o in rungs] == ["filled"] * 3 + ["canceled"]
    reduction = waiting.now(reduction)
    assert (reduction.state, reduction.quantity, reduction.side) == ("filled", 2, "sell")
    check_books(waiting)


def test_a_late_fill_is_one_more_slice_of_the_close(waiting: Bench) -> None:
    waiting.follower()
    rungs = hear(waiting, "open", "40")
    price(waiting, 59_300)
    signal = waiting.desk.say("close")
    tasks.copy_signal(str(signal.pk))  # nobody cancels: that is what `act` is for
    waiting.ask("POST", "/prices", **{BTC: "58700"})  # the second rung fills meanwhile

    until(waiting, lambda: ended(waiting))

    assert waiting.now(rungs[1]).state == "filled"
    with all_tenants("the closes"):
        closes = list(Order.objects.filter(signal=signal).order_by("slice_number"))
    assert [(o.slice_number, o.state, o.quantity) for o in closes] == [
        (0, "filled", 1),
        (1, "filled", 1),
    ]
    assert closes[1].lane_key == closes[0].lane_key
    assert [entry.object_id for entry in diary("order.late_fill_closed")] == [str(closes[1].pk)]
    assert is_flat(waiting)
    tasks.watch_waiting_orders()
    assert len(everything(waiting)) == 6
    check_books(waiting)


def test_a_close_with_nothing_filled_yet_waits_for_the_cancels_and_takes_what_they_missed(
    waiting: Bench,
) -> None:
    waiting.follower()
    hear(waiting, "open", "40")
    waiting.ask("POST", "/prices", **{BTC: "59300"})  # nobody has heard of it

    (close,) = hear(waiting, "close")
    assert close.state == "ready"
    until(waiting, lambda: ended(waiting))

    close = waiting.now(close)
    assert (close.state, close.quantity) == ("filled", 1)
    assert is_flat(waiting)


def test_a_reversal_opens_only_when_nothing_of_the_old_side_can_fill_any_more(
    waiting: Bench,
) -> None:
    waiting.follower()
    old = hear(waiting, "open", "40")
    price(waiting, 59_300)

    close, *new = hear(waiting, "flip", "40", direction="short", reference_price=d(59_300))
    assert {o.state for o in new} == {"ready"}
    until(waiting, lambda: all(waiting.now(o).state == "live" for o in new))

    assert waiting.now(close).state == "filled"
    assert [waiting.now(o).state for o in old] == ["filled"] + ["canceled"] * 3
    gone = max(o.finished_at for o in map(waiting.now, old) if o.finished_at)
    assert all(o.sent_at is not None and o.sent_at >= gone for o in map(waiting.now, new))


def test_no_more_wait_than_the_strategy_says(waiting: Bench) -> None:
    terms(waiting, max_orders=5)
    link = waiting.follower()
    hear(waiting, "open", "40")

    (one,) = hear(waiting, "add", "40")
    assert (one.quantity, one.price) == (4, 59_400)
    assert hear(waiting, "add", "40") == []
    assert waiting.desk.last(link).reason == "LIMIT_MAX_ORDERS"
    assert waiting.desk.last(link).numbers["waiting_orders"] == "5"
    price(waiting, 59_300)
    again = hear(waiting, "add", "40", reference_price=d(59_300))
    assert [o.state for o in again] == ["live"] * 2


def test_the_accounts_of_one_customer_are_counted_together(waiting: Bench) -> None:
    terms(waiting, max_orders=6)
    first, second, other = (waiting.follower() for _ in range(3))
    with tenant_scope(waiting.desk.tenant):
        put(second.account, customer=first.account.customer)

    orders = hear(waiting, "open", "40")

    counted = [[o.subscription_id for o in orders].count(k.pk) for k in (first, second, other)]
    assert counted == [4, 2, 4]


def unheard(bench: Bench, seconds: int) -> None:
    """The leader's account behind the source has not been heard for so long."""
    with tenant_scope(bench.desk.tenant):
        LeaderAccount.objects.update_or_create(
            source=bench.desk.source,
            defaults={
                "link": "stale",
                "link_since": timezone.now() - timedelta(seconds=seconds),
                "tenant": bench.desk.tenant,
            },
        )


def test_a_leader_who_is_not_heard_gets_no_more_orders_and_then_loses_what_waits(
    waiting: Bench,
) -> None:
    link = waiting.follower()
    hear(waiting, "open", "40")
    unheard(waiting, 50)
    assert len(hear(waiting, "add", "4")) == 4

    unheard(waiting, 70)
    assert hear(waiting, "add", "40") == []
    assert waiting.desk.last(link).reason == "LEADER_LOST"
    assert watch_waiting() == 0

    unheard(waiting, 310)
    until(waiting, lambda: is_quiet(waiting))
    assert {o.reason for o in everything(waiting)} == {"LEADER_LOST"}


def test_a_close_that_the_exchange_refused_is_not_repeated_for_a_late_fill(
    waiting: Bench,
) -> None:
    link = waiting.follower()
    hear(waiting, "open", "40")
    price(waiting, 59_300)
    waiting.fault("scode:51121", link)
    signal = waiting.desk.say("close")
    tasks.copy_signal(str(signal.pk))
    waiting.ask("POST", "/prices", **{BTC: "58700"})

    until(waiting, lambda: is_quiet(waiting))

    with all_tenants("the closes"):
        (close,) = Order.objects.filter(signal=signal)
    assert close.state == "rejected"


def old(bench: Bench, link: Subscription) -> None:
    with tenant_scope(bench.desk.tenant):
        Order.objects.update(created_at=timezone.now() - timedelta(hours=25))


def columns(model: Any, of: Callable[[Bench, Subscription], Any], **changed: Any) -> Any:
    def change(bench: Bench, link: Subscription) -> None:
        with all_tenants("changed behind everybody's back"):
            assert model.objects.filter(pk=of(bench, link)).update(**changed) == 1

    return change


def halted(bench: Bench, link: Subscription) -> None:
    with tenant_scope(bench.desk.tenant):
        set_mode(mode=TradingMode.REDUCE_ONLY, reason="test", actor=None, tenant=bench.desk.tenant)


ENDS: list[tuple[str, Any]] = [
    ("LIMIT_TTL", old),
    ("LINK_PAUSED", columns(Subscription, lambda _, link: link.pk, status="stopped")),
    ("CLOSE_ONLY", columns(Subscription, lambda _, link: link.pk, status="close_only")),
    ("STRATEGY_PAUSED", columns(Strategy, lambda b, _: b.desk.strategy.pk, status="paused")),
    ("CUSTOMER_DISABLED", columns(Customer, lambda _, li: li.account.customer_id, status="paused")),
    ("ACCOUNT_DISABLED", lambda _, link: put(link.account, status="paused")),
    ("SOURCE_DISABLED", columns(SignalSource, lambda b, _: b.desk.source.pk, status="disabled")),
    ("REDUCE_ONLY", halted),
]


@pytest.mark.parametrize(("reason", "arrange"), ENDS, ids=[end[0] for end in ENDS])
def test_who_may_not_wait_any_longer_is_canceled(waiting: Bench, reason: str, arrange: Any) -> None:
    link = waiting.follower()
    hear(waiting, "open", "40")
    price(waiting, 59_300)
    assert watch_waiting() == 0
    arrange(waiting, link)

    until(waiting, lambda: is_quiet(waiting))

    assert said(waiting) == [("open", "filled", "1", "")] + [("open", "canceled", "0", reason)] * 3
    held = held_there(everything(waiting)[0].account)
    assert [quantity for quantity in held.values() if quantity] == [Decimal(1)]


def test_a_leader_who_comes_back_before_all_is_canceled_is_followed_anew(waiting: Bench) -> None:
    link = waiting.follower()
    first = hear(waiting, "open", "40")
    hear(waiting, "close")

    rungs = hear(waiting, "open", "20")

    assert waiting.desk.last(link).outcome == "copied"
    assert sum(o.quantity for o in rungs) == 2
    until(waiting, lambda: all(waiting.now(o).is_final for o in first))
    assert {waiting.now(o).state for o in first} == {"canceled"}
    (cycle,) = [c for c in waiting.desk.cycles() if c.ended_at is None]
    assert cycle.closing_at is None
    assert watch_waiting() == 0
