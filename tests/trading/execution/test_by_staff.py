"""Staff close positions and cancel orders on a running exchange: what is ours, once, for good."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.enums import Role
from accounts.models import User
from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC
from tests.trading.execution.bench import Bench, diary
from tests.trading.execution.test_repairs import by_hand, held, read, settled_at_once, twice
from trading.enums import OrderCause
from trading.execution import send_orders
from trading.execution.by_staff import closable, close_position
from trading.models import Cycle, Order, Repair

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]
__all__ = ["settled_at_once"]


@pytest.fixture
def staff(bench: Bench) -> User:
    return make.make_user(Role.TRADER, tenant=bench.desk.tenant)


def account_of(link: Subscription) -> ExchangeAccount:
    with tenant_scope(link.tenant_id):
        rows = ExchangeAccount.objects.select_related("tenant", "customer")
        return rows.get(pk=link.account_id)


def close(bench: Bench, link: Subscription, staff: User, once: str = "", side: str = "net") -> int:
    with tenant_scope(link.tenant_id):
        ids = close_position(
            account=account_of(link), inst_id=BTC, position_side=side,
            once=once or uuid.uuid4().hex, reason="the customer called", actor=staff,
        )  # fmt: skip
    send_orders(ids)
    bench.finish()
    return len(ids)


def followed(bench: Bench, **terms: Any) -> Subscription:
    link = bench.follower(**terms)
    bench.send(bench.open("30"))
    bench.finish()
    read(link)
    return link


@pytest.mark.parametrize("pos_mode", ["net", "long_short"])
def test_a_close_by_staff_ends_its_following(bench: Bench, staff: User, pos_mode: str) -> None:
    link = followed(bench, pos_mode=pos_mode)

    side = "net" if pos_mode == "net" else "long"
    assert close(bench, link, staff, side=side) == 1

    assert held(link) == 0
    with tenant_scope(link.tenant_id):
        order = Order.objects.get(cause=OrderCause.STAFF)
        assert (order.state, order.signal.created_by, order.signal.source.kind) == (
            "filled", staff, "manual",
        )  # fmt: skip
        assert not Cycle.objects.filter(ended_at__isnull=True).exists()
    # It is no difference, and what the leader does next with it is not followed.
    twice(link)
    with tenant_scope(link.tenant_id):
        assert not Repair.objects.exists()
    for step in (("add", "10"), ("close", None)):
        bench.send(bench.desk.hear(*step))
        bench.finish()
    assert held(link) == 0
    bench.send(bench.open("20"))
    bench.finish()
    assert held(link) == 2
    assert len(diary("position.close_entered")) == 1


def test_the_same_wish_twice_closes_once(bench: Bench, staff: User) -> None:
    link = followed(bench)

    counts = [close(bench, link, staff, once="a" * 32) for _ in range(2)]

    assert counts == [1, 0]
    assert held(link) == 0


def test_what_the_customer_holds_beside_it_stays(bench: Bench, staff: User) -> None:
    link = followed(bench)
    by_hand(link, "buy", "4")
    read(link)
    with tenant_scope(link.tenant_id):
        [what] = closable([account_of(link)])
    assert (what.quantity, what.theirs) == (3, 4)

    close(bench, link, staff)

    assert held(link) == 4


def test_a_close_by_staff_passes_the_checks_of_all_others(bench: Bench, staff: User) -> None:
    from trading.enums import TradingMode
    from trading.switch import set_mode

    link = followed(bench)
    with tenant_scope(link.tenant_id):
        set_mode(mode=TradingMode.HALTED, reason="test", actor=None, tenant=bench.desk.tenant)
        ids = close_position(
            account=account_of(link), inst_id=BTC, position_side="net", once="b" * 32,
            reason="the customer called", actor=staff,
        )  # fmt: skip
    assert send_orders(ids) == 0

    with tenant_scope(link.tenant_id):
        assert [order.state for order in Order.objects.filter(cause=OrderCause.STAFF)] == ["ready"]
    assert held(link) == 3


def entered(user: User, *, fresh: bool = True) -> Client:
    client = Client()
    client.force_login(user)
    if fresh:
        client.post(reverse("accounts:step_up"), {"password": make.PASSWORD, "next": "/admin/"})
    return client


def test_the_pages_list_what_will_happen_and_then_do_it(bench: Bench, staff: User) -> None:
    first, second = bench.follower(), bench.follower()
    bench.send(bench.open("30"))
    bench.finish()
    for link in (first, second):
        read(link)
    client = entered(staff)
    strategy = f"?strategy={first.strategy_id}"
    page = reverse("admin:close_positions") + strategy

    shown = client.get(page)
    assert shown.content.decode().count(BTC) == 2
    beside = client.get(reverse("admin:beside")).content.decode()
    assert beside.count("As it should be") == 2
    without = client.post(page, {"once": str(uuid.uuid4()), "reason": ""})
    assert without.status_code == 200
    answer = client.post(page, {"once": str(uuid.uuid4()), "reason": "the strategy ends"})

    assert answer.status_code == 302
    with tenant_scope(first.tenant_id):
        ids = list(Order.objects.filter(cause=OrderCause.STAFF).values_list("pk", flat=True))
    assert len(ids) == 2
    send_orders(ids)
    bench.finish()
    assert [held(first), held(second)] == [0, 0]


def test_who_may_not_trade_closes_nothing(bench: Bench) -> None:
    link = followed(bench)
    page = f"{reverse('admin:close_positions')}?account={link.account_id}"
    given = {"once": str(uuid.uuid4()), "reason": "no"}
    for role in (Role.SUPPORT, Role.AUDITOR, Role.RISK):
        client = entered(make.make_user(role, tenant=bench.desk.tenant))
        assert client.post(page, given).status_code == 403
    stale = entered(make.make_user(Role.OWNER, tenant=bench.desk.tenant), fresh=False)
    assert stale.post(page, given).status_code == 302

    assert held(link) == Decimal(3)
    with tenant_scope(link.tenant_id):
        assert not Order.objects.filter(cause=OrderCause.STAFF).exists()


def test_another_desk_s_account_is_not_there(bench: Bench) -> None:
    link = followed(bench)
    client = entered(make.make_user(Role.OWNER))

    for name in ("close_positions", "cancel_orders"):
        page = f"{reverse(f'admin:{name}')}?account={link.account_id}"
        assert client.get(page).status_code == 404


def test_all_waiting_orders_of_an_account_are_canceled(bench: Bench, staff: User) -> None:
    link = bench.follower()
    bench.open("30")  # waits to be sent
    client = entered(staff)
    page = f"{reverse('admin:cancel_orders')}?account={link.account_id}"

    assert BTC in client.get(page).content.decode()
    client.post(page, {"once": str(uuid.uuid4()), "reason": "the customer called"})

    with tenant_scope(link.tenant_id):
        assert [order.state for order in Order.objects.all()] == ["canceled"]
    assert held(link) == 0
