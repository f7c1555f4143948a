"""A cancel or a change is done when the order shows it, whatever was answered."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from accounts.tenancy import all_tenants, tenant_scope
from tests.factories import make_user
from tests.trading.execution.bench import Bench, diary, forget_everything, put, stumble
from tests.trading.execution.resting import (
    BTC,
    action_of,
    attempts,
    fills_here,
    held_there,
    resting,
    same,
    there,
    trade,
)
from trading.actions import ActionRefusedError, amend_order, cancel_order
from trading.enums import Scope, TradingMode
from trading.exchange.types import Side
from trading.execution import acting, judging, sweep
from trading.execution.acting import act_due
from trading.faults import InjectedFaultError
from trading.models import Action, Order
from trading.switch import set_mode
from trading.sync.reconcile import reconcile_account

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
D = Decimal

CANCELS = {"path": "/api/v5/trade/cancel-batch-orders"}
AMENDS = {"path": "/api/v5/trade/amend-order"}
SOME = ("drop_before", "drop_after_accept")
MORE = (
    "late_accept:150",
    "rst_after_accept",
    "hang:50",
    "truncate",
    "html_200",
    "data_empty",
    "http:502",
    "code:50004",
    "code:50011",
    "code:50026",
)


def faults(*codes: str) -> list[Any]:
    """A few always; all of them when there is time."""
    rest = (*MORE, *(f"scode:{code}" for code in codes))
    return [*SOME, *(pytest.param(each, marks=pytest.mark.long) for each in rest)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "CLAIM", timedelta(seconds=1))
    monkeypatch.setattr(judging, "ASK_AGAIN", timedelta(milliseconds=300))


@pytest.fixture
def trader(bench: Bench) -> User:
    return make_user("trader", tenant=bench.desk.tenant)


def cancel(order: Order, actor: User | None = None) -> Action:
    with tenant_scope(order.tenant_id):
        return cancel_order(order=order, reason="No longer wanted", actor=actor)


def amend(order: Order, actor: User | None = None, **terms: Any) -> Action:
    with tenant_scope(order.tenant_id):
        return amend_order(order=order, actor=actor, **terms)


def settle(bench: Bench, action: Action) -> Action:
    """Sweep until the action has ended."""
    for _ in range(200):
        with all_tenants("read an action again"):
            now = Action.objects.get(pk=action.pk)
        if not now.is_open:
            return now
        bench.sweep_for(0.05)
    raise AssertionError((now.state, now.result, attempts(now)))


def test_a_cancel_asked_by_staff_ends_the_order(bench: Bench, trader: User) -> None:
    order = resting(bench, bench.follower())

    action = settle(bench, cancel(order, trader))

    done = bench.now(order)
    assert (action.state, done.state, done.reason) == ("done", "canceled", "CANCELED_BY_STAFF")
    assert attempts(action) == ["ack"]
    same(order, bench)
    (entry,) = diary("order.cancel_requested")
    assert (entry.actor_id, entry.object_id, entry.reason) == (
        trader.pk,
        str(order.pk),
        "No longer wanted",
    )


@pytest.mark.parametrize("fault", faults("51400", "51401", "51402", "51410"))
def test_a_cancel_whose_outcome_is_unknown_is_resolved_by_the_order(
    bench: Bench, trader: User, fault: str
) -> None:
    link = bench.follower()
    order = resting(bench, link)
    bench.fault(fault, link, **CANCELS)

    action = settle(bench, cancel(order, trader))

    assert (action.state, bench.now(order).state) == ("done", "canceled")
    same(order, bench)
    assert len(bench.entries(kind="cancel")) == 1


@pytest.mark.parametrize("fault", faults("51503", "51510"))
def test_a_change_shows_or_never_comes(bench: Bench, trader: User, fault: str) -> None:
    link = bench.follower()
    order = resting(bench, link)
    bench.fault(fault, link, **AMENDS)

    action = settle(bench, amend(order, trader, quantity=D(7), price=D(59_500)))

    same(order, bench)
    wanted = (D(7), D(59_500)) if action.state == "done" else (D(10), D(59_000))
    assert (bench.now(order).quantity, bench.now(order).price) == wanted
    assert (action.state == "refused") == fault.startswith("scode")
    assert len(bench.entries(kind="amend")) == (action.state == "done")


def test_what_was_not_sent_is_canceled_here_without_a_call(bench: Bench, trader: User) -> None:
    bench.follower()
    (order,) = bench.open()

    action = cancel(order, trader)

    assert (action.state, bench.now(order).state) == ("done", "canceled")
    assert bench.send([order]) == 0
    assert bench.entries(kind="request") == []


def test_a_wish_stops_an_order_that_is_about_to_leave(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    with all_tenants("wish it away"):
        Order.objects.update(cancel_requested=True)

    bench.send([order])

    assert bench.now(order).state == "canceled"
    assert bench.accepted(order) == [0]


def test_a_cancel_waits_until_it_is_known_whether_there_is_an_order(
    bench: Bench, trader: User
) -> None:
    link = bench.follower()
    bench.fault("drop_after_accept", link)
    order = resting(bench, link)
    assert order.state == "unknown"

    action = settle(bench, cancel(order, trader))

    assert (action.state, bench.now(order).state) == ("done", "canceled")
    same(order, bench)


def test_a_cancel_of_an_order_that_never_came_ends_it_here(bench: Bench, trader: User) -> None:
    link = bench.follower()
    bench.fault("drop_before", link)
    order = resting(bench, link)
    assert order.state == "unknown"

    action = settle(bench, cancel(order, trader))

    assert (action.state, bench.now(order).state, bench.accepted(order)) == (
        "done",
        "canceled",
        [0],
    )


@pytest.mark.parametrize(
    "fault", ["", *(pytest.param(f, marks=pytest.mark.long) for f in ("drop_before", "http:502"))]
)
def test_what_filled_before_the_cancel_came_is_filled(
    bench: Bench, trader: User, fault: str
) -> None:
    link = bench.follower()
    order = resting(bench, link)
    bench.ask("POST", "/prices", **{BTC: "58000"})
    if fault:
        bench.fault(fault, link, **CANCELS)

    action = settle(bench, cancel(order, trader))
    reconcile_account(order.account_id, cause="test")

    assert (action.state, action.result) == ("refused", "The order had filled")
    same(order, bench)
    assert (bench.now(order).state, fills_here(order)) == ("filled", D(10))
    assert held_there(order.account) == {"net": D(10)}


def test_a_cancel_after_a_part_had_filled_keeps_the_part(bench: Bench, trader: User) -> None:
    link, other = bench.follower(), bench.follower()
    order = resting(bench, link, price=60_000)
    trade(bench, other.account, Side.SELL, "4", 60_000)

    action = settle(bench, cancel(order, trader))
    reconcile_account(order.account_id, cause="test")

    done = bench.now(order)
    assert (action.state, done.state, done.filled_quantity) == ("done", "canceled", D(4))
    same(order, bench)
    assert (fills_here(order), held_there(order.account)) == (D(4), {"net": D(4)})


def test_a_change_that_crosses_a_fill_ends_in_the_truth(bench: Bench, trader: User) -> None:
    link, other = bench.follower(), bench.follower()
    order = resting(bench, link, price=60_000)
    action = amend(order, trader, quantity=D(5))
    trade(bench, other.account, Side.SELL, "6", 60_000)

    settle(bench, action)
    reconcile_account(order.account_id, cause="test")

    same(order, bench)
    assert fills_here(order) == D(6) == held_there(order.account)["net"]
    assert bench.now(order).filled_quantity == D(6)


def test_a_change_below_what_has_filled_is_refused_before_it_is_sent(
    bench: Bench, trader: User
) -> None:
    link, other = bench.follower(), bench.follower()
    order = resting(bench, link, price=60_000)
    bench.sweep_until(lambda: bench.now(order).state == "live")
    action = amend(bench.now(order), trader, quantity=D(5))
    trade(bench, other.account, Side.SELL, "6", 60_000)
    reconcile_account(order.account_id, cause="test")

    action = settle(bench, action)

    assert (action.state, action.result) == ("refused", "That much has filled already")
    assert bench.entries(kind="amend") == []
    same(order, bench)


@pytest.mark.parametrize("kind", ["cancel", "amend"])
@pytest.mark.parametrize(
    "point",
    [
        "A.marked",
        *(
            pytest.param(f"A.{p}", marks=pytest.mark.long)
            for p in ("claimed", "answered", "recorded")
        ),
    ],
)
def test_a_death_at_any_line_is_found_by_the_sweep(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, trader: User, point: str, kind: str
) -> None:
    order = resting(bench, bench.follower())
    action = cancel(order, trader) if kind == "cancel" else amend(order, trader, quantity=D(6))
    stumble(monkeypatch, f"{point}=raise")

    with pytest.raises(InjectedFaultError), all_tenants("one round"):
        act_due()
    stumble(monkeypatch, "")
    forget_everything()
    action = settle(bench, action)

    assert action.state == "done"
    same(order, bench)
    assert len(bench.entries(kind=kind)) == 1


def test_cancels_of_one_account_go_twenty_to_a_call(bench: Bench, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"account_sends": None}
    link = bench.follower(usdt=100_000)
    orders = [resting(bench, link, "1") for _ in range(25)]
    with all_tenants("wish them away"):
        Order.objects.update(cancel_requested=True)

    bench.finish()

    assert {bench.now(order).reason for order in orders} == {"CANCELED_BY_SIGNAL"}
    calls = bench.entries(kind="request", method="POST", path=CANCELS["path"])
    assert len(calls) == 2
    assert len(bench.entries(kind="cancel")) == 25


def test_one_silent_account_holds_up_no_other_cancel(bench: Bench, trader: User) -> None:
    slow, good = bench.follower(), bench.follower()
    orders = {o.account_id: o for o in (resting(bench, link) for link in (slow, good))}
    bench.fault("hang:3000", slow, **CANCELS)
    for order in orders.values():
        cancel(order, trader)

    sweep()

    assert bench.now(orders[good.account_id]).state == "canceled"


def test_asking_again_is_the_same_cancel(bench: Bench, trader: User) -> None:
    order = resting(bench, bench.follower())

    first = cancel(order, trader)
    again = cancel(order, trader)
    settle(bench, first)
    late = cancel(bench.now(order), trader)

    assert first.pk == again.pk == late.pk
    assert len(diary("order.cancel_requested")) == 1


def test_what_cannot_be_asked_stores_nothing(bench: Bench, trader: User) -> None:
    link = bench.follower()
    order = resting(bench, link)
    (market,) = bench.open()
    bench.send([market])
    bench.sweep_until(lambda: bench.now(market).is_final)

    refused = []
    for ask, terms in (
        (amend, {"quantity": D(11)}),
        (amend, {"quantity": D("0.005")}),
        (amend, {"quantity": D(10)}),
        (amend, {"price": D("59000.05")}),
    ):
        with pytest.raises(ActionRefusedError) as caught:
            ask(order, trader, **terms)
        refused.append((caught.value.code, caught.value.field))
    with pytest.raises(ActionRefusedError) as caught:
        cancel(bench.now(market), trader)

    assert refused == [
        ("larger", "quantity"),
        ("lot", "quantity"),
        ("same", "quantity"),
        ("price", "price"),
    ]
    assert caught.value.code == "final"
    with all_tenants("nothing was asked"):
        assert not Action.objects.exists()
    same(order, bench)
    assert there(bench.now(order)).quantity == D(10)


def test_one_change_at_a_time(bench: Bench, trader: User) -> None:
    order = resting(bench, bench.follower())
    amend(order, trader, quantity=D(6))

    with pytest.raises(ActionRefusedError) as caught:
        amend(order, trader, quantity=D(5))

    assert caught.value.code == "busy"
    assert action_of(order).quantity == D(6)


@pytest.mark.parametrize("scope", [Scope.STRATEGY, Scope.TENANT])
def test_a_halt_stops_the_change_of_an_opening(bench: Bench, trader: User, scope: Scope) -> None:
    order = resting(bench, bench.follower())
    target = bench.desk.strategy if scope == Scope.STRATEGY else None
    tenant = bench.desk.tenant
    set_mode(
        mode=TradingMode.HALTED, reason="odd", actor=None, tenant=tenant, scope=scope, target=target
    )

    done = settle(bench, amend(order, trader, price=D("59_500")))

    assert (done.state, done.attempt) == ("refused", 0)
    assert there(order).price == 59_000


def test_a_change_on_an_account_of_no_market_holds_up_no_other(bench: Bench, trader: User) -> None:
    links = [bench.follower(), bench.follower()]
    poisoned, order = [resting(bench, link) for link in links]
    amend(poisoned, trader, price=D("59_500"))
    put(poisoned.account, market="nowhere")

    done = settle(bench, cancel(order, trader))

    assert (done.state, bench.now(order).state) == ("done", "canceled")


def test_an_opening_is_not_moved_further_from_the_mark_than_one_may_be_placed(
    bench: Bench, trader: User
) -> None:
    order = resting(bench, bench.follower())

    with pytest.raises(ActionRefusedError, match="Too far from the mark price of 60000") as refusal:
        amend(order, trader, price=D(595_000))

    assert refusal.value.field == "price"
    with all_tenants("nothing was stored"):
        assert not Action.objects.exists()
    assert settle(bench, amend(order, trader, price=D(61_200), quantity=D(9))).state == "done"


def test_a_key_that_is_refused_is_told_of_once_and_asked_with_ever_less_often(
    bench: Bench,
) -> None:
    link = bench.follower()
    order = resting(bench, link)
    bench.fault("code:50111", link, times=100, **CANCELS)
    action = cancel(order)

    bench.sweep_for(0.3)

    account = bench.now(order).account
    assert (account.status, "50111" in account.paused_reason) == ("paused", True)
    (told,) = diary("key.refused_by_exchange")
    assert (told.level, told.after["action"]) == ("critical", str(action.pk))
    waits = []
    for _ in range(3):
        with all_tenants("its time has come"):
            Action.objects.filter(pk=action.pk).update(not_before=None)
        bench.sweep_for(0.05)
        with all_tenants("when it is asked again"):
            now = Action.objects.get(pk=action.pk)
        waits.append(round((now.not_before - now.sent_at).total_seconds() / 5))
    assert waits == [2, 4, 8]
    assert len(diary("key.refused_by_exchange")) == 1
    bench.ask("DELETE", "/faults")
    with all_tenants("its time has come"):
        Action.objects.filter(pk=action.pk).update(not_before=None)
    assert settle(bench, action).state == "done"
