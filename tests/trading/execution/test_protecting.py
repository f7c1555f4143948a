"""Staff place, move and take away stops on open positions, each exactly once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from tests.factories import make_user
from tests.trading.execution.bench import Bench, diary, forget_everything, put, stumble
from tests.trading.execution.resting import attempts, held_there
from tests.trading.execution.test_protections import (
    algos_there,
    assert_true,
    follow,
    opened,
    price,
    protections,
    read_all,
)
from trading.actions import ActionRefusedError
from trading.execution import acting, judging
from trading.execution.acting import act_due
from trading.execution.protecting import keep_protections
from trading.faults import InjectedFaultError
from trading.models import Action, Position, Protection
from trading.protecting import cancel_protection, move_protection, protect_position

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
D = Decimal
SOME = ("", "drop_after_accept")
MORE = (
    "drop_before",
    "late_accept:150",
    "hang:50",
    "truncate",
    "html_200",
    "http:502",
    "code:50004",
    "code:50011",
    "code:50026",
)
FAULTS = [*SOME, *(pytest.param(each, marks=pytest.mark.long) for each in MORE)]
PATH = "/api/v5/trade/"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "CLAIM", timedelta(seconds=1))
    monkeypatch.setattr(judging, "ASK_AGAIN", timedelta(milliseconds=300))
    monkeypatch.setattr(judging, "LATER", timedelta(milliseconds=100))


@pytest.fixture
def trader(bench: Bench) -> User:
    return make_user("trader", tenant=bench.desk.tenant)


@pytest.fixture
def held(bench: Bench) -> ExchangeAccount:
    """An account that holds 10 contracts, read from the exchange."""
    link = bench.follower()
    opened(bench)
    read_all(bench, link.account)
    return link.account


def position(account: ExchangeAccount) -> Position:
    with tenant_scope(account.tenant_id):
        found: Position = Position.objects.open().get(account=account)
        return found


def protect(account: ExchangeAccount, actor: User, **terms: Any) -> Protection:
    with tenant_scope(account.tenant_id):
        wanted = {"take_profit": None, "stop_loss": D(59_000)} | terms
        return protect_position(position=position(account), actor=actor, **wanted)


def last_action() -> Action:
    with all_tenants("read an action"):
        return Action.objects.latest("created_at")


def settled(bench: Bench) -> Action:
    for _ in range(200):
        action = last_action()
        if not action.is_open:
            return action
        bench.sweep_for(0.05)
    raise AssertionError((action.kind, action.state, action.result, attempts(action)))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stop_is_placed_once(
    bench: Bench, held: ExchangeAccount, trader: User, fault: str
) -> None:
    if fault:
        bench.fault(fault, None, path=f"{PATH}order-algo", method="POST")

    protect(held, trader, take_profit=D(61_000))
    action = settled(bench)

    (kept,) = protections()
    (algo,) = algos_there(held)
    assert (action.state, kept.state) == ("done", "live")
    assert (algo.client_algo_id, algo.quantity) == (kept.client_algo_id, D(10))
    assert (kept.cycle_id, kept.entered_by_id) == (bench.desk.cycles()[0].pk, trader.pk)


def test_a_stop_placed_by_hand_becomes_our_order_too(
    bench: Bench, held: ExchangeAccount, trader: User
) -> None:
    protect(held, trader)
    settled(bench)

    price(bench, 58_900)
    with all_tenants("long ago"):
        Protection.objects.update(checked_at=None)
    assert_true(bench, held)

    assert [p.state for p in protections()] == ["triggered"]
    assert held_there(held) == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stop_is_moved(bench: Bench, held: ExchangeAccount, trader: User, fault: str) -> None:
    kept = protect(held, trader)
    settled(bench)
    if fault:
        bench.fault(fault, None, path=f"{PATH}amend-algos", method="POST")

    with tenant_scope(held.tenant_id):
        move_protection(protection=kept, stop_loss=D("59500.5"), quantity=D(6), actor=trader)
    action = settled(bench)

    (algo,) = algos_there(held)
    (kept,) = protections()
    assert action.state == "done"
    assert algo.stop_loss is not None
    assert (algo.stop_loss.price, algo.quantity) == (D("59500.5"), D(6))
    assert (kept.stop_loss, kept.quantity) == (D("59500.5"), D(6))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stop_is_taken_away(
    bench: Bench, held: ExchangeAccount, trader: User, fault: str
) -> None:
    kept = protect(held, trader)
    settled(bench)
    if fault:
        bench.fault(fault, None, path=f"{PATH}cancel-algos", method="POST")

    with tenant_scope(held.tenant_id):
        first = cancel_protection(protection=kept, reason="Not needed", actor=trader)
        again = cancel_protection(protection=kept, reason="Not needed", actor=trader)
    action = settled(bench)

    assert (first.pk, action.state) == (again.pk, "done")
    assert [p.state for p in protections()] == ["canceled"]
    assert algos_there(held) == ()


def test_a_stop_reached_while_it_is_taken_away_is_what_happened(
    bench: Bench, held: ExchangeAccount, trader: User
) -> None:
    kept = protect(held, trader)
    settled(bench)
    price(bench, 58_900)

    with tenant_scope(held.tenant_id):
        cancel_protection(protection=kept, reason="Too late", actor=trader)
    settled(bench)
    assert_true(bench, held)

    assert [p.state for p in protections()] == ["triggered"]
    assert held_there(held) == {}


@pytest.mark.long
@pytest.mark.parametrize("point", ["A.claimed", "A.marked", "A.answered", "A.recorded"])
def test_a_death_while_placing_is_found_by_the_sweep(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    held: ExchangeAccount,
    trader: User,
    point: str,
) -> None:
    protect(held, trader)
    stumble(monkeypatch, f"{point}=raise")

    with pytest.raises(InjectedFaultError), all_tenants("one round"):
        act_due()
    stumble(monkeypatch, "")
    forget_everything()
    action = settled(bench)

    assert (action.state, len(algos_there(held))) == ("done", 1)


def test_what_the_exchange_refuses_has_failed_and_is_heard(
    bench: Bench, held: ExchangeAccount, trader: User
) -> None:
    bench.fault("scode:51277", None, path=f"{PATH}order-algo", method="POST")

    protect(held, trader)
    action = settled(bench)

    (kept,) = protections()
    assert (action.state, kept.state) == ("refused", "failed")
    assert action.result.startswith("51277")
    (entry,) = diary("protection.failed")
    assert (entry.level, entry.object_id) == ("critical", str(kept.pk))
    assert algos_there(held) == ()


def test_a_position_that_closed_meanwhile_gets_no_stop(
    bench: Bench, held: ExchangeAccount, trader: User
) -> None:
    protect(held, trader)
    follow(bench, "close")
    bench.sweep_for(0.2)

    assert [p.state for p in protections()] in (["canceled"], ["failed"])
    assert algos_there(held) == ()


@pytest.mark.parametrize(
    ("terms", "code", "field"),
    [
        ({"stop_loss": None}, "empty", "stop_loss"),
        ({"stop_loss": D(60_001)}, "side", "stop_loss"),
        ({"take_profit": D(59_000)}, "side", "take_profit"),
        ({"stop_loss": D("59000.05")}, "tick", "stop_loss"),
        ({"quantity": D(11)}, "size", "quantity"),
        ({"quantity": D("0.005")}, "lot", "quantity"),
    ],
)
def test_what_cannot_protect_is_refused_by_its_field(
    bench: Bench, held: ExchangeAccount, trader: User, terms: Any, code: str, field: str
) -> None:
    with pytest.raises(ActionRefusedError) as caught:
        protect(held, trader, **terms)

    assert (caught.value.code, caught.value.field) == (code, field)
    assert protections() == []


def test_the_same_name_is_the_same_stop(bench: Bench, held: ExchangeAccount, trader: User) -> None:
    first = protect(held, trader, identity="mine")
    again = protect(held, trader, identity="mine")

    assert first.pk == again.pk
    assert len(protections()) == 1


def test_an_account_of_no_market_keeps_no_other_protection_unread(
    bench: Bench, held: ExchangeAccount, trader: User
) -> None:
    protect(held, trader)
    assert settled(bench).state == "done"
    with all_tenants("it is looked at"):
        Protection.objects.update(checked_at=None)
    put(held, market="nowhere")

    with all_tenants("one round"):
        keep_protections()

    with all_tenants("nothing was learnt of it"):
        assert [p.state for p in Protection.objects.all()] == ["live"]
