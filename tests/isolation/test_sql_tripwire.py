"""Not what is shown but what is asked: every statement of desk A's requests names desk A."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from accounts.enums import Role
from accounts.tenancy import TenantModel, tenant_scope
from customers.models import Customer
from signals.models import Signal
from strategies.models import Subscription
from tests.isolation import attacks
from tests.isolation.test_admin import MODELS
from tests.isolation.tripwire import tripwire
from tests.isolation.worlds import Desks, rows_of, staff_client

pytestmark = pytest.mark.django_db
OWN = [m for m in MODELS if issubclass(m, TenantModel)]
PAGES = ("index", "switch", "manual_signal", "preview", "choose_desk")


def test_every_page_asks_for_its_own_desk(desks: Desks) -> None:
    client = staff_client(desks, "superuser")  # who may enter every page

    with tripwire(desks.a.tenant.pk) as wire:
        for name in PAGES:
            assert client.get(reverse(f"admin:{name}")).status_code == 200
        for model in MODELS:
            client.get(attacks.page(model, "changelist") + "?q=a")
            client.get(attacks.page(model, "add"))
        for model in OWN:
            pk = rows_of(model, desks.a.tenant).values_list("pk", flat=True).first()
            assert client.get(attacks.page(model, "change", pk)).status_code == 200
            client.get(attacks.page(model, "history", pk))

    assert wire.caught == []
    assert wire.seen > 500


def test_every_form_and_action_writes_to_its_own_desk(desks: Desks) -> None:
    client = staff_client(desks, Role.OWNER)
    customer = desks.a.customers[0]
    posts: list[tuple[str, dict[str, Any]]] = [
        (attacks.page(Customer, "add"), {"name": "New here"}),
        (attacks.page(Customer, "change", customer.pk), {"name": "Renamed"}),
        (reverse("admin:switch"), {"scope": "tenant", "mode": "halted", "reason": "stop"}),
        *(
            (
                attacks.page(model, "changelist"),
                {
                    "action": action,
                    "_selected_action": [rows_of(model, desks.a.tenant).first().pk],
                    "confirmed": "1",
                    "reason": "because",
                },
            )
            for model in OWN
            for action in attacks.admin.site._registry[model].actions or ()
        ),
    ]

    with tripwire(desks.a.tenant.pk) as wire:
        for address, data in posts:
            assert client.post(address, data).status_code == 302, address

    assert wire.caught == []
    assert wire.seen > 50
    with tenant_scope(desks.a.tenant):
        assert Customer.objects.filter(name="New here").exists()
        assert Customer.objects.filter(name="Renamed").exists()
        assert Subscription.objects.filter(status="stopped").exists()


QUIET = 'SELECT "signals_signal"."id" FROM "signals_signal" WHERE "signals_signal"."tenant_id" = %s'
NAMED = '"customers_customer"."tenant_id" = %s'
CAUGHT = [
    ("no condition", 'SELECT 1 FROM "signals_signal" LIMIT 1', ()),
    ("another desk", QUIET, (2,)),
    ("two desks", f'{QUIET} OR "signals_signal"."tenant_id" = %s', (1, 2)),
    ("a subquery", f'{QUIET} AND EXISTS(SELECT 1 FROM "trading_order" U0 LIMIT 1)', (1,)),
    ("an update", 'UPDATE "customers_customer" SET "notes" = %s WHERE "id" = %s', ("x", 1)),
    ("a delete", f'DELETE FROM "customers_customer" WHERE {NAMED}', (2,)),
    ("an insert", 'INSERT INTO "signals_signal" ("id", "tenant_id") VALUES (%s, %s)', ("x", 2)),
    ("an insert of none", 'INSERT INTO "signals_signal" ("id") VALUES (%s)', ("x",)),
    (
        "a join to the house",
        'SELECT 1 FROM "accounts_user" INNER JOIN "customers_customer" ON '
        '("accounts_user"."id" = "customers_customer"."portal_user_id")',
        (),
    ),
]


@pytest.mark.parametrize(("label", "sql", "params"), CAUGHT)
def test_the_wire_catches(label: str, sql: str, params: tuple[Any, ...]) -> None:
    with tripwire(1) as wire:
        assert list(wire.faults(sql, params)), label


def test_the_wire_lets_pass_what_names_the_desk() -> None:
    with tripwire(1) as wire:
        assert list(wire.faults(QUIET, (1,))) == []
        assert list(wire.faults('SELECT 1 FROM "accounts_user"', ())) == []


def test_the_wire_sees_what_the_managers_ask(desks: Desks) -> None:
    with tenant_scope(desks.b.tenant), tripwire(desks.a.tenant.pk) as wire:
        Signal.objects.count()

    assert len(wire.caught) == 1
