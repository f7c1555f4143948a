"""What people may decide about an order of unknown outcome, and what becomes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.approvals import ApprovalError, approve, refuse
from accounts.enums import Role
from accounts.fields import uuid7
from accounts.models import Approval, User
from accounts.tenancy import all_tenants, tenant_scope
from tests import factories as make
from tests.trading.execution.bench import Bench, diary
from trading.enums import Scope, TradingMode
from trading.execution.carrying_out import carry_out_settlements
from trading.execution.settling import ask_not_placed, ask_to_adopt, ask_to_close
from trading.models import (
    ExternalOrder,
    Fill,
    FlattenAccount,
    FlattenRun,
    Order,
    Settlement,
    TradingState,
)
from trading.switch import set_mode

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]


@pytest.fixture
def trader(bench: Bench) -> User:
    return make.make_user(Role.TRADER, tenant=bench.desk.tenant)


@pytest.fixture
def risk(bench: Bench) -> User:
    return make.make_user(Role.RISK, tenant=bench.desk.tenant)


def stuck(
    bench: Bench, fault: str, *, ago: timedelta = timedelta(minutes=11), **columns: Any
) -> Order:
    """Sent once, and nobody could find out what became of it."""
    link = bench.follower()
    bench.fault(fault, link)
    (order,) = bench.open()
    bench.send([order])
    with all_tenants("as if it had been asked about for long"):
        Order.objects.filter(pk=order.pk).update(
            state="manual", sent_at=timezone.now() - ago, **columns
        )
    return bench.now(order)


def wish(order: Order) -> Settlement:
    with all_tenants("what became of a wish"):
        found: Settlement = Settlement.objects.get(order=order)
    return found


def ask(function: Any, order: Order, actor: User, **more: Any) -> Any:
    with tenant_scope(order.tenant_id):
        return function(order=order, reason="I looked at OKX", actor=actor, **more)


def accepted_id(bench: Bench, order: Order) -> str:
    (entry,) = bench.entries(kind="order", cl_ord_id=order.client_order_id)
    return str(entry["ord_id"])


def test_an_order_of_the_exchange_is_taken_for_ours(bench: Bench, trader: User) -> None:
    order = stuck(bench, "drop_after_accept")
    theirs = accepted_id(bench, order)
    with tenant_scope(order.tenant_id):
        ExternalOrder.objects.create(
            account=order.account, exchange_order_id=theirs, inst_id=order.inst_id, side="buy",
            quantity=1, state="filled", seen_at=timezone.now(),
        )  # fmt: skip
        # Of several fills its report tells the last one only.
        Fill.objects.create(
            account=order.account, exchange_order_id=theirs, inst_id=order.inst_id, side="buy",
            position_side="net", trade_id="an-earlier-one", quantity=1, price=60_000,
            filled_at=timezone.now(), received_at=timezone.now(),
        )  # fmt: skip

    ask(ask_to_adopt, order, trader, exchange_order_id=f" {theirs} ")
    bench.sweep_for(0.2)

    done = bench.now(order)
    assert (done.state, done.exchange_order_id, done.filled_quantity) == ("filled", theirs, 1)
    assert (wish(order).state, wish(order).open_key) == ("done", None)
    assert [entry.actor_id for entry in diary("order.adopted")] == [trader.pk]
    with all_tenants("nobody's any more"):
        assert not ExternalOrder.objects.filter(exchange_order_id=theirs).exists()
        assert Fill.objects.get(trade_id="an-earlier-one").order_id == order.pk


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({"side": "sell"}, "another one"),
        ({"inst_id": "ETH-USDT-SWAP"}, "no such order"),
        ({"quantity": 7}, "7"),
    ],
)
def test_what_is_another_order_is_not_adopted(
    bench: Bench, trader: User, differs: dict[str, Any], words: str
) -> None:
    order = stuck(bench, "drop_after_accept")
    theirs = accepted_id(bench, order)
    with all_tenants("it was to be something else"):
        Order.objects.filter(pk=order.pk).update(**differs)

    ask(ask_to_adopt, order, trader, exchange_order_id=theirs)
    bench.sweep_for(0.2)

    assert (bench.now(order).state, bench.now(order).exchange_order_id) == ("manual", "")
    assert wish(order).state == "refused"
    assert words in wish(order).result


def test_an_order_of_another_of_ours_is_not_adopted(bench: Bench, trader: User) -> None:
    order = stuck(bench, "drop_before")
    with all_tenants("another order of the account"):
        other = Order.objects.get(pk=order.pk)
        other.pk, other.link_uid, other.client_order_id = make_twin()
        other.exchange_order_id, other.state = "4711", "filled"
        other.save(force_insert=True)

    with pytest.raises(ValidationError, match="another order of ours"):
        ask(ask_to_adopt, order, trader, exchange_order_id="4711")

    assert bench.now(order).exchange_order_id == ""


def make_twin() -> tuple[Any, Any, str]:
    return uuid7(), uuid7(), "tst" + "0" * 26


def test_an_exchange_that_does_not_answer_is_asked_again(bench: Bench, trader: User) -> None:
    order = stuck(bench, "drop_after_accept")
    theirs = accepted_id(bench, order)
    bench.fault("code:50026", path="/api/v5/trade/order", method="GET", times=1)

    ask(ask_to_adopt, order, trader, exchange_order_id=theirs)
    bench.sweep_for(0.2)
    waits = wish(order).state
    with all_tenants("due"):
        Settlement.objects.update(not_before=None)
    bench.sweep_for(0.2)

    assert (waits, wish(order).state, bench.now(order).state) == ("waiting", "done", "filled")


def test_two_persons_confirm_that_a_fresh_order_was_not_placed_and_it_is_sent(
    bench: Bench, trader: User, risk: User
) -> None:
    order = stuck(bench, "drop_before", ago=timedelta(seconds=5))

    approval: Approval = ask(ask_not_placed, order, trader)
    before = bench.now(order).state
    with tenant_scope(order.tenant_id):
        approve(approval=approval, by=risk)
    bench.finish()

    assert (before, bench.now(order).state, bench.accepted(order)) == ("manual", "filled", [1])
    assert bench.steps(order)[-4:] == ["ready", "sending", "live", "filled"]
    assert len(diary("order.confirmed_not_placed")) == 1


def test_what_is_stale_is_never_sent_again(bench: Bench, trader: User, risk: User) -> None:
    order = stuck(bench, "drop_before", expires_at=timezone.now() - timedelta(minutes=1))

    with tenant_scope(order.tenant_id):
        approve(approval=ask(ask_not_placed, order, trader), by=risk)
    bench.sweep_for(0.2)

    assert (bench.now(order).state, bench.accepted(order)) == ("expired", [0])


def test_one_person_is_not_enough(bench: Bench, risk: User) -> None:
    order = stuck(bench, "drop_before")

    approval = ask(ask_not_placed, order, risk)
    with tenant_scope(order.tenant_id), pytest.raises(ApprovalError):
        approve(approval=approval, by=risk)
    with pytest.raises(ValidationError, match="second person"):
        ask(ask_not_placed, order, risk)

    assert bench.now(order).state == "manual"


def test_a_refusal_changes_nothing(bench: Bench, trader: User, risk: User) -> None:
    order = stuck(bench, "drop_before")

    with tenant_scope(order.tenant_id):
        refuse(approval=ask(ask_not_placed, order, trader), by=risk)

    assert bench.now(order).state == "manual"


def test_the_engine_may_be_faster_than_two_persons(bench: Bench, trader: User, risk: User) -> None:
    order = stuck(bench, "drop_after_accept")
    approval = ask(ask_not_placed, order, trader)
    with all_tenants("the engine found it"):
        Order.objects.filter(pk=order.pk).update(state="filled", version=order.version + 1)

    with tenant_scope(order.tenant_id), pytest.raises(ApprovalError, match="meanwhile"):
        approve(approval=approval, by=risk)
    with pytest.raises(ValidationError, match="meanwhile"):
        ask(ask_to_adopt, order, trader, exchange_order_id="1")

    with all_tenants("still undecided"):
        assert Approval.objects.get(pk=approval.pk).status == "pending"
    assert bench.now(order).state == "filled"


@pytest.mark.long
def test_what_it_may_have_opened_is_closed_by_flattening_its_account(
    bench: Bench, trader: User
) -> None:
    order = stuck(bench, "drop_after_accept")

    ask(ask_to_close, order, trader)
    with tenant_scope(order.tenant_id):
        modes = list(TradingState.objects.values_list("scope", "mode"))
    bench.finish(20)

    assert modes == [("account", TradingMode.FLATTEN)]
    done = bench.now(order)
    assert (done.state, wish(order).state) in {("canceled", "done"), ("filled", "refused")}
    sides = [entry["side"] for entry in bench.entries(kind="fill")]
    assert sides == ["buy", "sell"]


def test_an_order_the_engine_is_at_is_nobodys_yet(bench: Bench, trader: User) -> None:
    order = stuck(bench, "drop_before", ago=timedelta(seconds=5))
    with all_tenants("asked about this moment"):
        Order.objects.filter(pk=order.pk).update(state="unknown")

    with pytest.raises(ValidationError):
        ask(ask_to_adopt, order, trader, exchange_order_id="1")
    with pytest.raises(ValidationError, match="Say why"), tenant_scope(order.tenant_id):
        ask_not_placed(order=order, reason=" ", actor=trader)


def test_a_flatten_of_something_else_ends_no_order(bench: Bench, trader: User) -> None:
    order = stuck(bench, "drop_after_accept")
    ask(ask_to_close, order, trader)
    with tenant_scope(order.tenant_id):
        state = set_mode(
            mode=TradingMode.FLATTEN, reason="odd", actor=trader, tenant=bench.desk.tenant,
            scope=Scope.INSTRUMENT, target="ETH-USDT-SWAP",
        )  # fmt: skip
        flat_row(order, state, timezone.now())
        carry_out_settlements()

    assert (bench.now(order).state, wish(order).state) == ("manual", "waiting")


def test_an_account_that_was_flat_already_is_read_anew_and_ends_the_order(
    bench: Bench, trader: User
) -> None:
    order = stuck(bench, "drop_after_accept")
    with tenant_scope(order.tenant_id):
        state = set_mode(
            mode=TradingMode.FLATTEN, reason="odd", actor=trader, tenant=bench.desk.tenant,
            scope=Scope.ACCOUNT, target=order.account,
        )  # fmt: skip
        row = flat_row(order, state, timezone.now())
        ask(ask_to_close, order, trader)
        carry_out_settlements()
        assert (bench.now(order).state, wish(order).state) == ("manual", "waiting")

        Settlement.objects.update(not_before=None)
        FlattenAccount.objects.filter(pk=row.pk).update(read_at=timezone.now())
        carry_out_settlements()

    assert (bench.now(order).state, wish(order).state) == ("canceled", "done")


def flat_row(order: Order, state: TradingState, at: datetime) -> FlattenAccount:
    """What a flatten of `state` writes down of the order's account once it is flat."""
    return FlattenAccount.objects.create(
        run=FlattenRun.objects.get(state=state), account=order.account, step="flat",
        flat_reads=2, flat_at=at, read_at=at, started_at=at, step_at=at,
    )  # fmt: skip


def test_what_was_said_of_one_attempt_is_not_agreed_to_for_the_next(
    bench: Bench, trader: User, risk: User
) -> None:
    order = stuck(bench, "drop_before")
    approval = ask(ask_not_placed, order, trader)
    with all_tenants("it was sent once more meanwhile"):
        Order.objects.filter(pk=order.pk).update(attempt=2)

    with tenant_scope(order.tenant_id), pytest.raises(ApprovalError, match="meanwhile"):
        approve(approval=approval, by=risk)

    assert bench.now(order).state == "manual"
