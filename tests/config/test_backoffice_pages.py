"""Every page of the back office, on a desk with a day behind it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.admin import GlobalAdmin
from accounts.admin_base import TenantModelAdmin
from accounts.enums import Role
from accounts.tenancy import all_tenants, tenant_scope
from tests import factories as make
from tests.kept import kept
from tests.world import World, make_world
from tests.world_day import follow
from trading.models import Order

pytestmark = [pytest.mark.database_long, pytest.mark.django_db]

FOR_SUPERUSERS = {"accounts.Installation", "accounts.Tenant"}
WITHOUT_ROWS = {
    "signals.SignalNonce", "trading.JobLease", "accounts.Approval",
    # Shown by test_safety_pages.py.
    "trading.Breaker", "trading.ClockReading", "trading.Maintenance", "trading.MarketWatch",
}  # fmt: skip
CANARY = "xCANARYx"


@pytest.fixture(scope="module")
def _worlds(django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[[], World]]:
    with kept(django_db_blocker, lambda: make_world("North desk", 1, customers=15)) as worlds:
        yield worlds


@pytest.fixture
def world(_worlds: Callable[[], World], db: None) -> World:
    return _worlds()


@pytest.fixture
def owner(world: World) -> Client:
    client = Client()
    client.force_login(world.owner)
    return client


def registered() -> Iterator[tuple[str, ModelAdmin]]:
    for model, model_admin in admin.site._registry.items():
        yield model._meta.label, model_admin


def address(label: str, page: str) -> str:
    return f"admin:{label.replace('.', '_').lower()}_{page}"


def test_every_list_and_record_is_shown(world: World, owner: Client) -> None:
    empty = set()
    for label, model_admin in registered():
        expected = 403 if label in FOR_SUPERUSERS else 200
        assert owner.get(reverse(address(label, "changelist"))).status_code == expected, label
        with tenant_scope(world.tenant):
            row = model_admin.model._default_manager.first()
        if row is None:
            empty.add(label)
            continue
        answer = owner.get(reverse(address(label, "change"), args=(row.pk,)))
        assert answer.status_code == expected, label

    assert {n for n in empty if not n.startswith("django_celery_beat.")} <= WITHOUT_ROWS


@pytest.mark.parametrize("page", ["index", "switch", "manual_signal", "choose_desk"])
def test_every_own_page_is_shown(page: str, owner: Client) -> None:
    assert owner.get(reverse(f"admin:{page}")).status_code == 200


def test_every_page_stands_on_the_desks_own_classes() -> None:
    strangers = [n for n, a in registered() if not isinstance(a, (TenantModelAdmin, GlobalAdmin))]
    expected = {"accounts.Membership", "accounts.User"}

    assert set(strangers) - expected == set()


def test_lists_cost_the_same_however_long(world: World, owner: Client) -> None:
    labels = [name for name, a in registered() if isinstance(a, TenantModelAdmin)]
    for label in labels:  # what is read once per process is read here
        owner.get(reverse(address(label, "changelist")))
    few = {label: _cost(owner, label) for label in labels}
    _double(world)
    many = {label: _cost(owner, label) for label in labels}

    assert many == few


def _cost(client: Client, label: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse(address(label, "changelist")))
    return len(queries)


def _double(world: World) -> None:
    """More rows for the same desk, of the kinds that grow."""
    chance = random.Random(5)
    with tenant_scope(world.tenant):
        for number in range(3):
            account = make.make_account(make.make_customer(world.tenant, name=f"Late {number}"))
            link = make.subscribe(world.strategies[0], account)
            follow(world, chance, world.signals[-2], link, 40 + number)


def test_dashboard_costs_a_fixed_number_of_queries(world: World, owner: Client) -> None:
    owner.get(reverse("admin:index"))
    with CaptureQueriesContext(connection) as queries:
        owner.get(reverse("admin:index"))

    assert len(queries) <= 50


def test_pages_with_the_sidebar_do_not_work_out_a_list_of_all_tables(
    world: World, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    work_out = admin.site._build_app_dict

    def noted(request: HttpRequest, label: str | None = None) -> Any:
        asked.append(label)
        return work_out(request, label)

    monkeypatch.setattr(admin.site, "_build_app_dict", noted)

    for page in ("index", "switch", "trading_order_changelist"):
        assert owner.get(reverse(f"admin:{page}")).status_code == 200

    assert asked == []
    shown = owner.get(reverse("admin:app_list", args=("trading",))).content.decode()
    assert asked == ["trading"]
    assert reverse("admin:trading_order_changelist") in shown


def test_dashboard_says_what_needs_a_person(owner: Client) -> None:
    text = owner.get(reverse("admin:index")).content.decode()

    assert "with an unknown outcome" in text
    assert "1 key refused" in text
    assert "set aside" in text


def test_a_quiet_desk_needs_nobody() -> None:
    client = Client()
    client.force_login(make.make_user(Role.OWNER))

    assert "Nothing needs you." in client.get(reverse("admin:index")).content.decode()


def test_a_refusal_is_shown_with_the_exchanges_words(world: World, owner: Client) -> None:
    refused = next(order for order in world.orders if order.exchange_code)
    url = reverse("admin:trading_order_change", args=(refused.pk,))

    text = owner.get(url).content.decode()

    assert "51008" in text
    assert "Insufficient USDT margin in account" in text


def test_an_order_leads_back_to_its_signal(world: World, owner: Client) -> None:
    order = world.orders[0]

    text = owner.get(reverse("admin:trading_order_change", args=(order.pk,))).content.decode()

    assert reverse("admin:trading_decision_change", args=(order.decision_id,)) in text
    assert reverse("admin:signals_signal_change", args=(order.signal_id,)) in text
    assert reverse("admin:signals_signalsource_change", args=(order.signal.source_id,)) in text
    assert reverse("admin:customers_customer_change", args=(order.account.customer_id,)) in text


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.INTEGRATOR])
def test_others_never_enter(role: Role) -> None:
    client = Client()
    client.force_login(make.make_user(role, is_staff=True))

    assert client.get(reverse("admin:index")).status_code == 302


def test_the_door_takes_members_and_nobody_else() -> None:
    staff, stranger = make.make_user(Role.TRADER), make.make_user(Role.CUSTOMER, is_staff=True)

    for user, expected in ((staff, 302), (stranger, 200)):
        answer = Client().post(
            reverse("admin:login"), {"username": user.username, "password": make.PASSWORD}
        )
        assert answer.status_code == expected


def test_another_desk_is_seen_nowhere(world: World, owner: Client) -> None:
    foreign = make_world("South desk", 2, CANARY, customers=9)
    pages = [reverse(f"admin:{name}") for name in ("index", "switch", "manual_signal")]
    pages += [
        reverse(address(n, "changelist"))
        for n, a in registered()
        if isinstance(a, TenantModelAdmin)
    ]

    for page in pages:
        text = owner.get(page).content.decode()
        assert CANARY not in text, page
        assert foreign.tenant.name not in text, page


def test_another_desks_rows_do_not_exist(world: World, owner: Client) -> None:
    foreign = make_world("South desk", 2, CANARY, customers=9)

    for label, model_admin in registered():
        if not isinstance(model_admin, TenantModelAdmin) or not hasattr(
            model_admin.model, "tenant"
        ):
            continue
        with tenant_scope(foreign.tenant):
            row = model_admin.model._default_manager.filter(tenant=foreign.tenant).first()
        if row is not None:
            answer = owner.get(reverse(address(label, "change"), args=(row.pk,)))
            assert answer.status_code in {302, 404}, label
            assert CANARY not in answer.content.decode()


def test_another_desks_key_check_does_not_exist(world: World, owner: Client) -> None:
    foreign = make_world("South desk", 2, CANARY, customers=9)
    url = reverse("admin:customers_exchangeaccount_key", args=(foreign.accounts[0].pk,))

    assert owner.get(url).status_code == 404


def test_records_cannot_be_written(world: World, owner: Client) -> None:
    order = world.orders[0]
    url = reverse("admin:trading_order_change", args=(order.pk,))

    assert owner.post(url, {"state": "filled"}).status_code == 403
    assert owner.post(reverse("admin:trading_order_delete", args=(order.pk,))).status_code == 403
    with all_tenants("the test reads what is stored"):
        assert Order.objects.get(pk=order.pk).state == order.state
