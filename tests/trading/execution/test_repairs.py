"""Differences on a running exchange: what is put right alone, what waits, what is never touched."""

from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.approvals import SamePersonError, approve, on_approved
from accounts.enums import Role
from accounts.models import User
from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from signals.models import LeaderPosition
from strategies.enums import SubscriptionStatus
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, PRICE
from tests.trading.execution.bench import Bench, diary
from trading.endpoints import client_of, keys_of
from trading.enums import DriftClass, OrderCause, RepairAction, RepairState
from trading.exchange.runner import exchange_loop
from trading.exchange.types import MarginMode, OrderType, PlaceRequest, Side
from trading.execution import send_orders
from trading.execution.deciding_repairs import (
    REOPEN,
    approve_repair,
    ask_to_approve,
    choices_of,
    reject_repair,
    reopen,
)
from trading.execution.repairing import carry_out_repairs, finish_repairs
from trading.models import Cycle, Fill, Order, Position, ReconcileRun, Repair, TradingState
from trading.sync import reconcile, truth
from trading.sync.reconcile import reconcile_account

_numbers = itertools.count(1)
pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth, "SETTLED", timedelta(0))


def read(link: Subscription, *, again_after: float = 0) -> ReconcileRun:
    """Read the account; `again_after`: the readings before are so many seconds older."""
    with all_tenants("readings of a while ago"):
        for run in ReconcileRun.objects.filter(account_id=link.account_id):
            run.started_at -= timedelta(seconds=again_after)
            run.save()
    run = reconcile_account(link.account_id, cause="test")
    assert run.ok, run.error
    return run


def twice(link: Subscription) -> ReconcileRun:
    read(link)
    return read(link, again_after=10)


def classes(run: ReconcileRun) -> list[str]:
    return [row["class"] for row in run.drifts]


def repair_of(link: Subscription) -> Repair:
    with tenant_scope(link.tenant_id):
        return Repair.objects.select_related("account", "cycle").get(account_id=link.account_id)


def repairs(link: Subscription) -> list[Repair]:
    with tenant_scope(link.tenant_id):
        rows = Repair.objects.filter(account_id=link.account_id).order_by("created_at")
        return list(rows.select_related("account", "cycle"))


def status(link: Subscription) -> str:
    with tenant_scope(link.tenant_id):
        return str(Subscription.objects.get(pk=link.pk).status)


def carried_out(bench: Bench) -> list[Order]:
    """Carry out what was approved, to its end."""
    with all_tenants("repairs of every desk"):
        ids = carry_out_repairs()
    send_orders(ids)
    bench.finish()
    with all_tenants("repairs of every desk"):
        finish_repairs()
        return list(Order.objects.filter(pk__in=ids).select_related("account"))


def followed(bench: Bench, quantity: str = "30", **terms: Any) -> Subscription:
    """A follower who was copied at a tenth, and filled."""
    link = bench.follower(**terms)
    bench.send(bench.open(quantity))
    bench.finish()
    assert classes(read(link)) == []
    return link


def held(link: Subscription) -> Decimal:
    read(link)
    with tenant_scope(link.tenant_id):
        rows = Position.objects.filter(account_id=link.account_id, inst_id=BTC)
        return sum((row.quantity for row in rows), Decimal(0))


def by_hand(link: Subscription, side: str, quantity: str) -> None:
    """The customer trades in OKX's own app."""
    with tenant_scope(link.tenant_id):
        account = ExchangeAccount.objects.get(pk=link.account_id)
        keys = keys_of(account, purpose="test")
    client = client_of(account)
    request = PlaceRequest(
        inst_id=BTC,
        side=Side(side),
        position_side=None,
        margin_mode=MarginMode.CROSS,
        order_type=OrderType.MARKET,
        quantity=Decimal(quantity),
        price=None,
        client_order_id=f"byHand{next(_numbers)}",
    )
    exp_at_ms = exchange_loop().run(client.fetch_time_ms()) + 5000
    outcome = exchange_loop().run(client.place_order(keys, request, exp_at_ms=exp_at_ms))
    assert outcome.kind == "ack", outcome


def leader_at(bench: Bench, quantity: str, entry: str | None = None) -> None:
    """Where the leader really is: a signal of it was lost."""
    with tenant_scope(bench.desk.tenant):
        LeaderPosition.objects.filter(source=bench.desk.source, inst_id=BTC).update(
            quantity=Decimal(quantity), average_entry=None if entry is None else Decimal(entry)
        )


def person(bench: Bench, role: Role = Role.RISK) -> User:
    return make.make_user(role, tenant=bench.desk.tenant)


# --- what is ours and left over, or too much: by itself, once it was seen twice --------------


def test_a_position_that_is_left_over_is_closed_once_a_second_reading_says_so(
    bench: Bench,
) -> None:
    link = followed(bench)
    leader_at(bench, "0")

    first = read(link)
    assert (classes(first), first.unconfirmed, repairs(link)) == (["orphan"], 1, [])
    second = read(link, again_after=10)
    assert second.unconfirmed == 0
    row = repair_of(link)
    assert (row.kind, row.state, row.automatic) == ("orphan", RepairState.APPROVED, True)
    [order] = carried_out(bench)

    assert (order.cause, order.state, order.reduce_only) == (OrderCause.REPAIR, "filled", True)
    assert (order.link_uid, order.quantity) == (order.account.uid, 3)
    row = repair_of(link)
    assert (row.state, row.open_key) == (RepairState.DONE, None)
    assert held(link) == 0
    assert bench.accepted(order) == [1]
    with tenant_scope(link.tenant_id):
        assert not Cycle.objects.filter(ended_at__isnull=True).exists()
    assert len(diary("repair.begun")) == 1
    assert classes(read(link)) == []


def test_nothing_is_judged_while_a_signal_of_its_leader_is_being_copied(bench: Bench) -> None:
    """Some followers have moved by then; their leader counts as moved when the last one has."""
    link = followed(bench)
    waiting = bench.desk.say("add", "10")
    leader_at(bench, "0")

    assert classes(twice(link)) == ["in_flight"]
    assert repairs(link) == []

    with tenant_scope(link.tenant_id):
        type(waiting).objects.filter(pk=waiting.pk).update(status="copied")
    assert classes(twice(link)) == ["orphan"]


@pytest.mark.parametrize("pos_mode", ["net", "long_short"])
@pytest.mark.parametrize("direction", ["long", "short"])
def test_too_much_is_reduced_to_the_target(bench: Bench, pos_mode: str, direction: str) -> None:
    link = bench.follower(pos_mode=pos_mode)
    bench.send(bench.open("30", direction=direction))
    bench.finish()
    leader_at(bench, "10")

    assert classes(twice(link)) == ["over"]
    [order] = carried_out(bench)

    assert (order.leg, order.quantity, order.state) == ("reduce", 2, "filled")
    assert abs(held(link)) == 1
    assert classes(read(link)) == []


def test_carrying_out_twice_at_once_trades_once(bench: Bench) -> None:
    link = followed(bench)
    leader_at(bench, "0")
    twice(link)

    with all_tenants("two executors"):
        both = [carry_out_repairs(), carry_out_repairs()]

    assert [len(ids) for ids in both] == [1, 0]
    with tenant_scope(link.tenant_id):
        assert Order.objects.filter(cause=OrderCause.REPAIR).count() == 1


def test_a_repair_whose_difference_is_gone_meanwhile_is_not_carried_out(bench: Bench) -> None:
    link = followed(bench)
    leader_at(bench, "0")
    twice(link)
    leader_at(bench, "30")

    assert carried_out(bench) == []
    assert repair_of(link).state == RepairState.EXPIRED
    assert held(link) == 3


def test_what_orders_on_their_way_may_change_is_not_judged(bench: Bench) -> None:
    link = followed(bench)
    bench.desk.hear("add", "10")  # waits to be sent
    leader_at(bench, "0")

    assert classes(twice(link)) == ["in_flight"]
    assert repairs(link) == []


def test_after_two_of_an_hour_a_person_is_asked(bench: Bench) -> None:
    link = followed(bench)
    for target in ("20", "10"):
        leader_at(bench, target)
        twice(link)
        assert len(carried_out(bench)) == 1
    leader_at(bench, "0")

    twice(link)

    row = repairs(link)[-1]
    assert (row.state, row.automatic) == (RepairState.PROPOSED, False)
    assert [entry.level for entry in diary("repair.too_many")] == ["critical"]
    approve_repair(repair=row, action=RepairAction.CLOSE, reason="seen", actor=person(bench))
    assert [order.quantity for order in carried_out(bench)] == [1]
    assert held(link) == 0


# --- too little: proposed, and by itself only while young and at no worse a price ------------


def test_too_little_is_proposed_and_bought_when_a_person_approves(bench: Bench) -> None:
    link = followed(bench)
    leader_at(bench, "50")

    twice(link)
    row = repair_of(link)
    assert (row.kind, row.state, row.quantity) == ("under", RepairState.PROPOSED, 2)
    assert carried_out(bench) == []
    approve_repair(repair=row, action=RepairAction.INCREASE, reason="missed", actor=person(bench))
    [order] = carried_out(bench)

    assert (order.leg, order.quantity, order.state) == ("add", 2, "filled")
    assert held(link) == 5
    assert classes(read(link)) == []
    # Following goes on from there.
    bench.send(bench.desk.hear("close"))
    bench.finish()
    assert held(link) == 0


def test_too_little_is_bought_alone_at_no_worse_than_the_leader_s_entry(bench: Bench) -> None:
    link = followed(bench)
    leader_at(bench, "50", entry=str(PRICE))

    twice(link)
    assert repair_of(link).state == RepairState.APPROVED
    [order] = carried_out(bench)

    assert (order.order_type, order.price) == ("ioc", Decimal(PRICE) * Decimal("1.005"))
    assert (order.state, held(link)) == ("filled", 5)


def test_a_worse_price_waits_for_a_person(bench: Bench) -> None:
    link = followed(bench)
    leader_at(bench, "50", entry=str(PRICE - 1000))

    twice(link)

    assert repair_of(link).state == RepairState.PROPOSED


def test_what_a_decision_left_out_is_no_difference(bench: Bench) -> None:
    link = followed(bench)
    with tenant_scope(link.tenant_id):
        Subscription.objects.filter(pk=link.pk).update(status=SubscriptionStatus.PAUSED)
    bench.send(bench.desk.hear("add", "20"))

    run = twice(link)

    assert [(row["class"], row["why"]) for row in run.drifts] == [("explained", "LINK_PAUSED")]
    assert repairs(link) == []


def test_a_rejected_proposal_changes_nothing(bench: Bench) -> None:
    link = followed(bench)
    leader_at(bench, "50")
    twice(link)
    row = repair_of(link)
    with pytest.raises(ValidationError):
        reject_repair(repair=row, reason=" ", actor=person(bench))

    reject_repair(repair=row, reason="as it is", actor=person(bench))

    assert carried_out(bench) == []
    assert repair_of(link).state == RepairState.REJECTED
    with pytest.raises(ValidationError):
        approve_repair(repair=row, action=RepairAction.INCREASE, reason="late", actor=person(bench))


# --- somebody else's hand --------------------------------------------------------------------


def test_a_close_by_hand_pauses_the_link_and_nothing_is_reopened(bench: Bench) -> None:
    link = followed(bench)

    by_hand(link, "sell", "3")
    read(link)

    row = repair_of(link)
    assert (row.kind, row.state) == (DriftClass.FOREIGN, RepairState.PROPOSED)
    assert (row.exchange, row.ours, row.target) == (0, 3, 3)
    assert status(link) == SubscriptionStatus.PAUSED
    assert [entry.level for entry in diary("repair.foreign")] == ["critical"]
    for _ in range(3):
        read(link, again_after=61)
    assert carried_out(bench) == []
    assert held(link) == 0
    # What the leader does next opens nothing, and its close sells nothing.
    before = len(bench.entries(kind="order"))
    for step in (("add", "10"), ("close", None), ("open", "40")):
        bench.send(bench.desk.hear(*step))
        bench.finish()
    assert len(bench.entries(kind="order")) == before
    assert held(link) == 0
    assert len(diary("repair.foreign")) == 1
    assert status(link) == SubscriptionStatus.PAUSED


def test_a_close_of_the_leader_leaves_alone_what_the_customer_opened_again(
    bench: Bench,
) -> None:
    link = followed(bench)
    by_hand(link, "sell", "3")
    read(link)
    by_hand(link, "buy", "7")
    read(link)

    bench.send(bench.desk.hear("close"))
    bench.finish()

    assert held(link) == 7


def test_closed_by_hand_in_two_steps_nothing_of_the_customer_s_is_sold_later(
    bench: Bench,
) -> None:
    link = followed(bench)
    for quantity in ("1", "2"):
        by_hand(link, "sell", quantity)
        read(link)
    by_hand(link, "buy", "7")
    read(link)
    assert len(repair_of(link).evidence["orders"]) == 2

    bench.send(bench.desk.hear("close"))
    bench.finish()

    assert held(link) == 7


def test_a_customer_who_sells_their_own_share_takes_nothing_of_ours(bench: Bench) -> None:
    link = followed(bench)
    by_hand(link, "buy", "5")
    read(link)
    by_hand(link, "sell", "2")
    read(link)
    with tenant_scope(link.tenant_id):
        assert not Order.objects.filter(cause=OrderCause.EXTERNAL).exists()

    bench.send(bench.desk.hear("close"))
    bench.finish()

    assert held(link) == 3


def test_half_closed_by_hand_the_rest_still_follows_the_leader_out(bench: Bench) -> None:
    link = followed(bench)
    by_hand(link, "sell", "2")
    read(link)
    assert status(link) == SubscriptionStatus.PAUSED

    bench.send(bench.desk.hear("close"))
    bench.finish()

    assert held(link) == 0


def test_following_goes_on_from_what_is_there(bench: Bench) -> None:
    link = followed(bench)
    by_hand(link, "sell", "2")
    read(link)
    row = repair_of(link)
    assert choices_of(row) == [RepairAction.FOLLOW, RepairAction.END, RepairAction.INCREASE]

    approve_repair(repair=row, action=RepairAction.FOLLOW, reason="asked", actor=person(bench))

    assert status(link) == SubscriptionStatus.ACTIVE
    assert classes(read(link)) == []
    bench.send(bench.desk.hear("add", "30"))  # the leader doubles
    bench.finish()
    assert held(link) == 2
    assert classes(read(link)) == []


def test_to_open_again_takes_two_persons(bench: Bench) -> None:
    on_approved(REOPEN, reopen)
    link = followed(bench)
    by_hand(link, "sell", "3")
    read(link)
    first, second = person(bench), person(bench)

    with tenant_scope(link.tenant_id):
        approval: Any = ask_to_approve(
            repair=repair_of(link), action=RepairAction.INCREASE, reason="asked", actor=first
        )
        with pytest.raises(SamePersonError):
            approve(approval=approval, by=first)
        assert carry_out_repairs() == []
        approve(approval=approval, by=second)
    [order] = carried_out(bench)

    assert (order.quantity, order.state, held(link)) == (3, "filled", 3)
    assert status(link) == SubscriptionStatus.ACTIVE
    assert classes(read(link)) == []


def test_ending_closes_what_is_ours_and_lets_the_link_go_on(bench: Bench) -> None:
    link = followed(bench)
    by_hand(link, "buy", "5")
    read(link)
    row = repair_of(link)
    assert (row.kind, row.exchange, row.ours) == ("foreign", 8, 3)

    approve_repair(repair=row, action=RepairAction.END, reason="asked", actor=person(bench))
    [order] = carried_out(bench)

    assert (order.quantity, held(link)) == (3, 5)
    assert status(link) == SubscriptionStatus.ACTIVE
    assert classes(read(link, again_after=61)) == []


def test_what_the_customer_added_is_theirs_and_told_once(bench: Bench) -> None:
    link = followed(bench)
    by_hand(link, "buy", "5")
    read(link)

    reject_repair(repair=repair_of(link), reason="it is theirs", actor=person(bench))

    assert classes(twice(link)) == []
    assert len(repairs(link)) == 1
    by_hand(link, "buy", "1")
    read(link)
    assert [row.kind for row in repairs(link)] == ["foreign", "foreign"]


def test_an_account_s_own_position_elsewhere_pauses_nobody(bench: Bench) -> None:
    link = bench.follower()
    by_hand(link, "buy", "5")

    read(link)

    row = repair_of(link)
    assert (row.kind, row.cycle, row.state) == ("foreign", None, RepairState.PROPOSED)
    assert status(link) == SubscriptionStatus.ACTIVE
    assert diary("repair.foreign") == []
    assert carried_out(bench) == []
    assert held(link) == 5


def test_fills_that_our_books_lost_are_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = followed(bench)
    bench.send(bench.desk.hear("close"))
    bench.finish()
    assert classes(read(link)) == []
    with tenant_scope(link.tenant_id):
        closed = Fill.objects.filter(account_id=link.account_id, side="sell")
        assert closed.delete()[0] == 1
    # The reading reaches back only a little, as far as anybody knows.
    monkeypatch.setattr(reconcile, "OVERLAP", timedelta(hours=-1))

    first, second = read(link), read(link, again_after=10)

    assert (classes(first), classes(second)) == (["ledger_drift"], [])
    assert repairs(link) == []


def test_what_nothing_explains_stops_openings_and_is_told_after_three_readings(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = followed(bench)
    monkeypatch.setattr(reconcile, "OVERLAP", timedelta(hours=-1))
    by_hand(link, "sell", "2")  # and its fill is never told

    for _ in range(2):
        assert classes(read(link, again_after=31)) == ["foreign"]
        assert repairs(link) == []
    read(link, again_after=31)

    row = repair_of(link)
    assert (row.kind, row.evidence["explained"], row.evidence["orders"]) == ("foreign", False, [])
    assert status(link) == SubscriptionStatus.PAUSED
    with tenant_scope(link.tenant_id):
        state = TradingState.objects.get(scope="account")
    assert (state.mode, state.account_id) == ("reduce_only", link.account_id)
    assert carried_out(bench) == []


def test_the_wrong_side_is_closed_and_what_is_then_missing_is_proposed(bench: Bench) -> None:
    link = followed(bench)
    with tenant_scope(link.tenant_id):  # what should be short is long
        Cycle.objects.filter(account_id=link.account_id).update(direction="short")
        LeaderPosition.objects.filter(source=bench.desk.source).update(direction="short")

    assert classes(twice(link)) == ["wrong_side"]
    [order] = carried_out(bench)

    assert (order.side, order.reduce_only, order.state, held(link)) == ("sell", True, "filled", 0)
    assert len(diary("repair.wrong_side")) == 1


def test_a_reading_that_failed_proves_nothing(bench: Bench) -> None:
    link = followed(bench)
    by_hand(link, "sell", "3")
    bench.fault("http:502", link, path="/api/v5/account/positions")

    run = reconcile_account(link.account_id, cause="test")

    assert (run.ok, run.drifts, repairs(link)) == (False, [], [])
    assert status(link) == SubscriptionStatus.ACTIVE
