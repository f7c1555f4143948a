"""What somebody else does while a difference is on record, and repairs that wait on each other."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.enums import Role
from accounts.tenancy import all_tenants, tenant_scope
from strategies.enums import SubscriptionStatus
from strategies.lifecycle import resume_subscription
from strategies.models import Subscription
from tests import factories as make
from tests.trading.execution.bench import Bench, diary
from tests.trading.execution.test_by_staff import account_of, close
from tests.trading.execution.test_repairs import (
    by_hand,
    carried_out,
    classes,
    followed,
    held,
    leader_at,
    person,
    read,
    repairs,
    settled_at_once,
    status,
    twice,
)
from trading.enums import DriftClass, OrderState, RepairAction, RepairState
from trading.execution import repairing, send_orders
from trading.execution.by_staff import close_position
from trading.execution.deciding_repairs import approve_repair, reject_repair
from trading.execution.repairing import carry_out_repairs, finish_repairs
from trading.models import Cycle, Order, Repair

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
__all__ = ["settled_at_once"]


def test_a_close_by_hand_is_noticed_also_while_something_else_is_proposed(bench: Bench) -> None:
    link = followed(bench)
    leader_at(bench, "50")
    twice(link)
    assert [(row.kind, row.state) for row in repairs(link)] == [("under", RepairState.PROPOSED)]

    by_hand(link, "sell", "3")
    read(link)

    old, new = repairs(link)
    assert (old.state, old.open_key) == (RepairState.EXPIRED, None)
    assert (new.kind, new.state) == (DriftClass.FOREIGN, RepairState.PROPOSED)
    assert status(link) == SubscriptionStatus.PAUSED
    assert [entry.level for entry in diary("repair.foreign")] == ["critical"]
    # It is written into its cycle at once: a close of the leader sells nothing else.
    assert held(link) == 0
    before = len(bench.entries(kind="order"))
    bench.send(bench.desk.hear("close"))
    bench.finish()
    assert len(bench.entries(kind="order")) == before


def test_a_close_that_was_begun_alone_sells_nothing_of_what_the_customer_trades_meanwhile(
    bench: Bench,
) -> None:
    link = followed(bench)
    leader_at(bench, "0")
    twice(link)
    assert [row.state for row in repairs(link)] == [RepairState.APPROVED]
    by_hand(link, "sell", "3")
    by_hand(link, "buy", "2")
    assert held(link) == 2

    assert carried_out(bench) == []

    assert held(link) == 2
    assert repairs(link)[0].state == RepairState.EXPIRED


@pytest.mark.parametrize("cycle_ended", [False, True])
def test_a_close_by_staff_beside_a_repair_sells_what_is_ours_once(
    bench: Bench, *, cycle_ended: bool
) -> None:
    link = followed(bench)
    by_hand(link, "buy", "5")
    read(link)
    [row] = repairs(link)
    reject_repair(repair=row, reason="it is theirs", actor=person(bench))
    leader_at(bench, "0")
    if cycle_ended:
        with tenant_scope(link.tenant_id):
            Cycle.objects.update(ended_at=row.created_at, active_key=None)
    assert classes(twice(link)) == ["orphan"]
    row = repairs(link)[-1]
    assert row.state == RepairState.PROPOSED  # beside the customer's own, nothing is sold alone
    approve_repair(repair=row, action=RepairAction.CLOSE, reason="seen", actor=person(bench))
    with all_tenants("the executor writes the order, and dies"):
        ids = carry_out_repairs()
    assert len(ids) == 1

    close(bench, link, make.make_user(Role.TRADER, tenant=bench.desk.tenant))
    send_orders(ids)
    bench.finish()

    assert held(link) == 5


def test_two_wishes_to_close_what_no_cycle_holds_sell_it_once(bench: Bench) -> None:
    link = followed(bench)
    by_hand(link, "buy", "5")
    read(link)
    reject_repair(repair=repairs(link)[0], reason="it is theirs", actor=person(bench))
    staff = make.make_user(Role.TRADER, tenant=bench.desk.tenant)
    with tenant_scope(link.tenant_id):
        Cycle.objects.update(ended_at=repairs(link)[0].created_at, active_key=None)
        written = [
            close_position(
                account=account_of(link), inst_id="BTC-USDT-SWAP", position_side="net",
                once=uuid.uuid4().hex, reason="pressed in two windows", actor=staff,
            )
            for _ in range(2)
        ]  # fmt: skip
    for ids in written:
        send_orders(ids)
        bench.finish()
    assert held(link) == 5


def test_a_repair_whose_order_needs_a_person_keeps_no_other_from_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairing, "BATCH", 1)
    first, second = followed(bench), bench.follower()
    leader_at(bench, "0")
    twice(first)
    with all_tenants("its order cannot be found, and another repair is over"):
        [stuck] = carry_out_repairs()
        Order.objects.filter(pk=stuck).update(state=OrderState.MANUAL)
        over = Repair.objects.get()
        order = Order.objects.get(state=OrderState.FILLED)
        over.pk, over.open_key, over.account = uuid.uuid4(), "another", account_of(second)
        over.signal, over.decided_at = order.signal, over.decided_at + timedelta(seconds=1)
        over.save(force_insert=True)
        Order.objects.filter(pk=order.pk).update(link_uid=over.account.uid)

    with all_tenants("repairs of every desk"):
        assert finish_repairs() == 1

    assert [row.state for row in repairs(first)] == [RepairState.SENT]
    assert [row.state for row in repairs(second)] == [RepairState.DONE]


@pytest.mark.parametrize(("sold", "left"), [("3", 0), ("2", 1)])
def test_what_was_closed_by_hand_is_not_bought_back_by_one_person_who_leaves_it_and_resumes(
    bench: Bench, sold: str, left: int
) -> None:
    link = followed(bench)
    by_hand(link, "sell", sold)
    read(link)
    reject_repair(repair=repairs(link)[0], reason="it is theirs", actor=person(bench))
    assert status(link) == SubscriptionStatus.PAUSED
    with tenant_scope(link.tenant_id):
        resume_subscription(
            subscription=Subscription.objects.get(pk=link.pk), actor=person(bench), reason="asked"
        )
    assert held(link) == left

    bench.send(bench.desk.hear("add", "10"))
    bench.finish()

    assert left <= held(link) <= Decimal(left) * 40 / 30  # the leader's own share of it
