"""Between copying and sending the world may change: the last look before an order leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import Installation
from accounts.tenancy import all_tenants
from customers.models import Customer
from signals.models import Signal
from strategies.models import Strategy, Subscription
from tests.trading.copying.desk import BTC, d, make_desk
from tests.trading.execution.bench import Bench, forget_everything, put
from trading.copying import copy_source
from trading.copying.writing import Written
from trading.enums import Scope, TradingMode
from trading.execution import mark as marking
from trading.execution import run as sending
from trading.execution import sweep
from trading.execution.run import Flight
from trading.models import MarketPrice, Order
from trading.switch import SwitchUnreadableError, set_limit, set_mode

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


def target_of(bench: Bench, link: Subscription, scope: Scope) -> Any:
    return {
        Scope.STRATEGY: bench.desk.strategy,
        Scope.CUSTOMER: link.account.customer,
        Scope.ACCOUNT: link.account,
        Scope.INSTRUMENT: BTC,
    }.get(scope)


def switch(bench: Bench, link: Subscription, scope: Scope, mode: TradingMode) -> None:
    tenant = None if scope == Scope.SYSTEM else bench.desk.tenant
    with all_tenants("find the target"):
        target = target_of(bench, link, scope)
    set_mode(mode=mode, reason="test", actor=None, tenant=tenant, scope=scope, target=target)


def sent(bench: Bench) -> int:
    """Every request that could change something at the exchange."""
    return len(bench.entries(kind="request", method="POST"))


@pytest.mark.parametrize("scope", list(Scope))
def test_a_halt_between_copying_and_sending_lets_nothing_leave(bench: Bench, scope: Scope) -> None:
    link = bench.follower()
    (order,) = bench.open()
    switch(bench, link, scope, TradingMode.HALTED)

    assert bench.send([order]) == 0
    bench.sweep_for(0.2)

    held = bench.now(order)
    assert (held.state, held.attempt, bench.attempts(order)) == ("ready", 0, [])
    assert sent(bench) == 0  # not even its leverage
    switch(bench, link, scope, TradingMode.ACTIVE)
    with all_tenants("it is due again"):
        Order.objects.update(not_before=None)
    bench.finish()
    assert bench.now(order).state == "filled"


def test_a_halt_of_the_installation_holds_every_desk(bench: Bench) -> None:
    other = make_desk()
    bench.follower()
    bench.follower(other)
    orders = [*bench.open(), *other.hear("open", "10")]
    set_mode(mode=TradingMode.HALTED, reason="t", actor=None, tenant=None, scope=Scope.SYSTEM)

    assert bench.send(orders) == 0
    assert sent(bench) == 0


def test_a_desk_s_halt_does_not_hold_the_others(bench: Bench) -> None:
    other = make_desk()
    bench.follower()
    bench.follower(other)
    orders = [*bench.open(), *other.hear("open", "10")]
    set_mode(mode=TradingMode.HALTED, reason="t", actor=None, tenant=bench.desk.tenant)

    assert bench.send(orders) == 1
    assert [str(bench.now(o).state) for o in orders] == ["ready", "live"]


def test_openings_expire_in_a_halt_and_closes_are_kept_for_its_end(bench: Bench) -> None:
    link = bench.follower()
    bench.send(bench.open())
    bench.finish()
    (adding,) = bench.desk.hear("add", "10")
    (closing,) = bench.desk.hear("close")
    assert bench.now(adding).state == "denied"  # superseded: it had not left
    switch(bench, link, Scope.TENANT, TradingMode.HALTED)
    with all_tenants("time passes"):
        old = timezone.now() - timedelta(hours=5)
        Order.objects.filter(pk=closing.pk).update(created_at=old)

    bench.send([closing])
    bench.sweep_for(0.3)
    kept = bench.now(closing).state
    switch(bench, link, Scope.TENANT, TradingMode.ACTIVE)
    with all_tenants("it is due again"):
        Order.objects.update(not_before=None)
    bench.finish()

    assert kept == "ready"
    assert bench.now(closing).state == "filled"


def test_an_opening_whose_time_is_over_is_not_sent(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    with all_tenants("time passes"):
        Order.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))

    assert bench.send([order]) == 0

    assert (bench.now(order).state, bench.now(order).reason) == ("expired", "EXPIRED")
    assert sent(bench) == 0


CHANGES = [
    ("account paused", "account", {"status": "paused"}, "ACCOUNT_DISABLED"),
    ("key refused", "account", {"key_status": "refused"}, "KEY_NOT_VERIFIED"),
    ("subscription paused", "link", {"status": "paused"}, "LINK_PAUSED"),
    ("close-only", "link", {"status": "close_only"}, "CLOSE_ONLY"),
    ("strategy paused", "strategy", {"status": "paused"}, "STRATEGY_PAUSED"),
    ("customer inactive", "customer", {"status": "inactive"}, "CUSTOMER_DISABLED"),
    ("price old", "price", {"mark_at": timezone.now() - timedelta(hours=1)}, "PRICE_UNKNOWN"),
    ("order limit", "limit", {"kind": "order_notional", "value": 599}, "ORDER_NOTIONAL"),
    ("quantity limit", "limit", {"kind": "order_quantity", "value": "0.9"}, "ORDER_QUANTITY"),
    ("daily limit", "limit", {"kind": "daily_notional", "value": 599}, "DAILY_LIMIT"),
    ("position limit", "limit", {"kind": "position_notional", "value": 599}, "POSITION_NOTIONAL"),
]


@pytest.mark.parametrize(
    ("what", "columns", "reason"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_an_opening_that_is_no_longer_allowed_is_denied(
    bench: Bench, what: str, columns: dict[str, Any], reason: str
) -> None:
    link = bench.follower()
    (order,) = bench.open()
    models = {"link": (Subscription, link.pk), "strategy": (Strategy, bench.desk.strategy.pk)}
    with all_tenants("change it meanwhile"):
        if what == "account":
            put(link.account, **columns)
        elif what == "customer":
            Customer.objects.filter(pk=link.account.customer_id).update(**columns)
        elif what == "price":
            MarketPrice.objects.update(**columns)
            bench.fault("code:50001", path="/api/v5/public/mark-price")  # nor does it tell
        elif what in models:
            model, key = models[what]
            model._base_manager.filter(pk=key).update(**columns)
    if what == "limit":
        terms = {**columns, "value": d(columns["value"])}
        set_limit(**terms, actor=None, tenant=bench.desk.tenant)

    assert bench.send([order]) == 0

    assert bench.now(order).state == "denied"
    assert bench.now(order).reason.startswith(reason)
    assert (sent(bench), bench.attempts(order)) == (0, [])


def test_leverage_is_set_before_an_opening_and_only_when_it_differs(bench: Bench) -> None:
    bench.follower()
    bench.send(bench.open())
    bench.finish()
    bench.send(bench.desk.hear("add", "10"))
    bench.finish()
    once = bench.entries(kind="setting", name="lever")
    bench.send(bench.desk.hear("add", "10", leverage=d(1)))
    bench.finish()
    with all_tenants("allow more"):
        Strategy.objects.update(max_leverage=d(3))
    bench.send(bench.desk.hear("add", "10"))
    bench.finish()

    assert [entry["value"] for entry in once] == ["1"]
    values = [entry["value"] for entry in bench.entries(kind="setting", name="lever")]
    assert values == ["1", "3"]
    levers = [entry["lever"] for entry in bench.entries(kind="order")]
    assert levers == ["1", "1", "1", "3"]


def test_an_order_whose_leverage_nobody_asked_for_does_not_leave(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A halt that ends between the two looks: the account still has its old leverage."""
    link = bench.follower()
    (order,) = bench.open()
    switch(bench, link, Scope.TENANT, TradingMode.HALTED)

    def lift(point: str) -> None:
        if point == "S4.claimed":
            switch(bench, link, Scope.TENANT, TradingMode.ACTIVE)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(sending, "faultpoint", lift)
        assert bench.send([order]) == 0
    assert (bench.now(order).state, bench.requests(order)) == ("ready", [])
    bench.finish()

    assert [entry["value"] for entry in bench.entries(kind="setting", name="lever")] == ["1"]
    assert [entry["lever"] for entry in bench.entries(kind="order")] == ["1"]


def test_a_close_sets_no_leverage(bench: Bench) -> None:
    bench.follower()
    bench.send(bench.open())
    bench.finish()
    forget_everything()
    before = len(bench.entries(kind="setting"))

    bench.send(bench.desk.hear("close"))

    assert len(bench.entries(kind="setting")) == before


@pytest.mark.parametrize("code", ["59101", "59102", "59103", "59107", "59108"])
def test_a_locked_leverage_above_ours_denies_the_opening(bench: Bench, code: str) -> None:
    link = bench.follower()
    with all_tenants("held at more"):
        Strategy.objects.update(max_leverage=d(5))
    bench.send(bench.open())
    bench.finish()
    with all_tenants("now less"):
        Strategy.objects.update(max_leverage=d(2))
    fault = {"kind": "scode", "code": code}
    bench.fault(fault, link, path="/api/v5/account/set-leverage")

    (adding,) = bench.desk.hear("add", "10")
    bench.send([adding])

    assert (bench.now(adding).state, bench.now(adding).reason) == ("denied", "LEVERAGE_LOCKED")
    assert bench.requests(adding) == []


@pytest.mark.parametrize("code", ["59101", "59107"])
def test_a_locked_leverage_below_ours_is_gone_on_with(bench: Bench, code: str) -> None:
    link = bench.follower()
    bench.send(bench.open())
    bench.finish()
    with all_tenants("now more"):
        Strategy.objects.update(max_leverage=d(5))
    fault = {"kind": "scode", "code": code}
    bench.fault(fault, link, path="/api/v5/account/set-leverage")

    (adding,) = bench.desk.hear("add", "10")
    bench.send([adding])

    assert bench.now(adding).state == "live"
    assert bench.entries(kind="order")[-1]["lever"] == "1"


@pytest.mark.parametrize("offset_ms", [2500, -2500])
def test_with_the_clocks_too_far_apart_nothing_is_sent(bench: Bench, offset_ms: int) -> None:
    bench.ask("POST", "/limits", clock_offset_ms=offset_ms)
    bench.follower()
    (order,) = bench.open()

    assert bench.send([order]) == 0

    assert (bench.now(order).state, sent(bench)) == ("ready", 0)
    bench.ask("POST", "/limits", clock_offset_ms=0)
    forget_everything()
    bench.finish()
    assert bench.now(order).state == "filled"


@pytest.mark.parametrize("offset_ms", [1500, -1500])
def test_deadlines_are_written_in_the_exchange_s_time(bench: Bench, offset_ms: int) -> None:
    bench.ask("POST", "/limits", clock_offset_ms=offset_ms)
    bench.follower()
    (order,) = bench.open()
    began = time.time() * 1000

    bench.send([order])
    bench.finish()

    (attempt,) = bench.attempts(order)
    assert attempt.exp_at_ms - began - offset_ms == pytest.approx(500, abs=1000)
    assert bench.now(order).state == "filled"


def test_when_the_exchange_finds_our_clock_wrong_it_is_measured_again(bench: Bench) -> None:
    link = bench.follower()
    bench.send(bench.open())
    bench.finish()
    asked = {"kind": "request", "path": "/api/v5/public/time"}
    before = len(bench.entries(**asked))
    bench.fault("code:50102", link)

    (order,) = bench.desk.hear("add", "10")
    bench.send([order])
    bench.finish()

    assert len(bench.entries(**asked)) > before
    assert (bench.now(order).state, bench.attempt_words(order)) == (
        "filled",
        ["not_placed", "ack"],
    )


def test_without_the_row_of_the_switch_nothing_is_marked(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    Installation.objects.all().delete()

    with pytest.raises(SwitchUnreadableError):
        bench.send([order])

    assert (bench.now(order).state, bench.requests(order)) == ("ready", [])


def test_no_mark_commits_after_a_halt_has_committed(open_bench: Bench) -> None:
    """Threads mark one order after the other while somebody presses the button."""
    for _ in range(30):
        open_bench.follower()
    order_ids = [order.id for order in open_bench.open()]
    pressed, late = threading.Event(), []

    def mark_all(part: list[Any]) -> int:
        count = 0
        with all_tenants("a sender"), closing(connections):
            for order_id in part:
                halted = pressed.is_set()
                got = len(marking.mark(Order.objects.filter(pk=order_id), {}))
                late.extend([order_id] * got * halted)
                count += got
        return count

    def press() -> None:
        with closing(connections):
            time.sleep(0.03)
            terms = {"mode": TradingMode.HALTED, "reason": "now", "scope": Scope.SYSTEM}
            set_mode(**terms, actor=None, tenant=None)
            pressed.set()

    with ThreadPoolExecutor(4) as threads:
        counts = [threads.submit(mark_all, order_ids[part::3]) for part in range(3)]
        threads.submit(press).result()
        marked = sum(count.result() for count in counts)

    assert late == []
    with all_tenants("count"):
        states = Order.objects.values_list("state", flat=True)
        assert (list(states).count("sending"), len(states)) == (marked, 30)


@contextmanager
def closing(opened: Any) -> Iterator[None]:
    try:
        yield
    finally:
        opened.close_all()


def test_a_halt_waits_for_the_mark_that_holds_the_switches(
    open_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The button returns after the last order that may still leave is on record."""
    bench = open_bench
    bench.follower()
    (order,) = bench.open()
    inside, story = threading.Event(), []

    def linger(name: str) -> None:
        if name == "S5.before_commit":
            inside.set()
            time.sleep(0.4)
            story.append("marked")

    monkeypatch.setattr(marking, "faultpoint", linger)

    def halt() -> None:
        with closing(connections):
            inside.wait(5)
            set_mode(mode=TradingMode.HALTED, reason="t", actor=None, tenant=bench.desk.tenant)
            story.append("halted")

    with ThreadPoolExecutor(1) as threads:
        pressed = threads.submit(halt)
        with all_tenants("a sender"):
            marked = marking.mark([order], {})
        pressed.result()

    assert len(marked) == 1
    assert story == ["marked", "halted"]


def test_a_reduction_waits_for_its_account_to_be_resumed(bench: Bench) -> None:
    link = bench.follower()
    bench.send(bench.open())
    bench.finish()
    (closing,) = bench.desk.hear("close")
    put(link.account, status="paused")

    assert bench.send([closing]) == 0
    waiting = bench.now(closing)
    put(link.account, status="active")
    with all_tenants("it is due again"):
        Order.objects.update(not_before=None)
    sweep()

    assert (waiting.state, waiting.reason) == ("ready", "ACCOUNT_DISABLED")
    assert bench.now(closing).state == "live"


def test_what_was_handed_over_leaves_by_what_is_true_when_it_is_marked(bench: Bench) -> None:
    """Copied here, sent from here: whoever was paused in between is not traded for."""
    paused, free = bench.follower(), bench.follower()
    bench.desk.say("open", "10")
    with all_tenants("copy and hand over"):
        source = Signal.objects.latest("received_at").source_id
    written: list[Written] = []
    orders = next(copy_source(source, each=written.append))
    put(paused.account, status="paused")

    flight = Flight()
    for one in written:
        flight.add([order.id for order in one.orders], one.orders)
    sent = flight.land()

    (handed,) = {len(one.orders) for one in written}
    states = {o.account_id: (bench.now(o).state, bench.now(o).reason) for o in orders}
    assert (handed, sent) == (2, 1)
    assert states[paused.account_id] == ("denied", "ACCOUNT_DISABLED")
    assert states[free.account_id][0] in ("live", "filled")


def test_what_was_handed_over_and_taken_back_meanwhile_does_not_leave(bench: Bench) -> None:
    bench.follower()
    bench.desk.say("open", "10")
    with all_tenants("copy and hand over"):
        source = Signal.objects.latest("received_at").source_id
    written: list[Written] = []
    (order,) = next(copy_source(source, each=written.append))
    with all_tenants("a wish that bumps no version"):
        Order.objects.filter(pk=order.pk).update(cancel_requested=True)

    flight = Flight()
    flight.add([order.id], written[0].orders)
    sent = flight.land()

    assert (sent, bench.now(order).state, bench.requests(order)) == (0, "canceled", [])
