"""The pages of orders whose outcome nobody knows: who sees them, who may decide what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.enums import Role
from accounts.models import Approval, User
from accounts.tenancy import all_tenants, tenant_scope
from tests import factories as make
from tests.kept import kept
from tests.world import World, make_world
from trading.models import Order, Settlement, TradingState

pytestmark = [pytest.mark.database_long, pytest.mark.django_db]


def _make() -> World:
    world = make_world("North desk", 1)
    with tenant_scope(world.tenant):
        Settlement.objects.update(open_key=None, state="refused")
    return world


@pytest.fixture(scope="module")
def _worlds(django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[[], World]]:
    with kept(django_db_blocker, _make) as worlds:
        yield worlds


@pytest.fixture
def world(_worlds: Callable[[], World], db: None) -> World:
    return _worlds()


@pytest.fixture
def order(world: World) -> Order:
    with tenant_scope(world.tenant):
        found: Order = Order.objects.filter(state="manual")[0]
    return found


def enter(user: User, *, fresh: bool = True) -> Client:
    client = Client()
    client.force_login(user)
    if fresh:
        client.post(reverse("accounts:step_up"), {"password": make.PASSWORD, "next": "/admin/"})
    return client


def member(world: World, role: Role) -> User:
    return make.make_user(role, tenant=world.tenant)


def settle(client: Client, order: Order, do: str, **fields: Any) -> str:
    page = reverse("admin:trading_order_settle", args=(order.pk,))
    form = {"do": do, "reason": "I looked at OKX", **fields}
    answer = client.post(page, form, follow=True)
    return f"{answer.status_code} {answer.content.decode()}"


def wishes(order: Order) -> list[str]:
    with tenant_scope(order.tenant_id):
        return list(Settlement.objects.filter(order=order, state="waiting").values_list("kind"))


def test_the_list_names_them_and_leads_to_the_evidence(world: World, order: Order) -> None:
    client = enter(world.owner)

    listed = client.get(reverse("admin:unsettled")).content.decode()
    page = reverse("admin:trading_order_settle", args=(order.pk,))
    shown = client.get(page).content.decode()

    assert page in listed
    for words in ("What the position says", "Attempts", "the connection was closed", "Adopt it"):
        assert words in shown
    assert order.client_order_id in shown


def test_a_wish_needs_the_password_of_a_moment_ago(world: World, order: Order) -> None:
    answer = settle(enter(world.owner, fresh=False), order, "adopt", exchange_order_id="4713")

    assert "password" in answer
    assert wishes(order) == []


@pytest.mark.parametrize("do", ["adopt", "not_placed", "close", "approve", "anything"])
def test_who_may_only_read_decides_nothing(world: World, order: Order, do: str) -> None:
    client = enter(member(world, Role.AUDITOR))

    assert settle(client, order, do, exchange_order_id="4713").startswith("403")
    with tenant_scope(world.tenant):
        assert not Approval.objects.filter(object_id=str(order.pk)).exists()
    assert wishes(order) == []


def test_adopting_is_asked_for_here_and_done_by_an_executor(world: World, order: Order) -> None:
    client = enter(member(world, Role.TRADER))

    settle(client, order, "adopt", exchange_order_id="4713")
    again = settle(client, order, "adopt", exchange_order_id="4714")

    assert wishes(order) == [("adopt",)]
    assert "Somebody is settling this order already." in again


def test_a_wish_without_a_reason_or_an_id_says_what_is_missing(world: World, order: Order) -> None:
    client = enter(member(world, Role.TRADER))

    assert "Say why" in settle(client, order, "adopt", exchange_order_id="4713", reason=" ")
    assert "Letters and digits" in settle(client, order, "adopt", exchange_order_id="4; 7")
    assert wishes(order) == []


def test_two_persons_say_that_it_was_not_placed(world: World, order: Order) -> None:
    asking, agreeing = enter(member(world, Role.TRADER)), enter(member(world, Role.RISK))

    settle(asking, order, "not_placed")
    alone = settle(asking, order, "approve")
    settle(agreeing, order, "approve")

    with all_tenants("read it again"):
        after = Order.objects.get(pk=order.pk)
    assert alone.startswith("403")
    assert after.state in {"ready", "expired"}


def test_closing_flattens_the_account_and_nothing_else(world: World, order: Order) -> None:
    settle(enter(member(world, Role.RISK)), order, "close")

    with tenant_scope(world.tenant):
        flat = TradingState.objects.filter(mode="flatten").values_list("scope", "account_id")
        assert list(flat) == [("account", order.account_id)]
    assert wishes(order) == [("close",)]
