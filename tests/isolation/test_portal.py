"""Every address of the portal as everybody: another desk's rows and a neighbour's do not exist."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.passwords import welcome_tokens
from accounts.tenancy import tenant_scope
from config.portal.urls import urlpatterns
from customers.models import Customer, ExchangeAccount
from customers.portal import grant_portal_access
from tests.isolation.attacks import ABSENT, NOISE
from tests.isolation.tripwire import tripwire
from tests.isolation.worlds import (
    Desks,
    digest,
    product_models,
    rows_of,
    signed_in,
    staff_client,
    texts_of,
    unscoped,
)
from trading.models import Decision, Fill, Order, Position

pytestmark = pytest.mark.django_db
STRANGERS = ("owner", "trader", "risk", "support", "auditor", "superuser", "nowhere")
NEIGHBOUR = "NEIGHBOUR_7f3a"
UNSAFE = ("post", "put", "patch", "delete")


@dataclass(frozen=True)
class Portal:
    """Two customers of desk A and one of desk B, each with a user of their own."""

    desks: Desks
    me: User
    neighbour: User
    foreigner: User

    def client(self, user: User | None = None) -> Client:
        return signed_in(user or self.me)

    def rows(self, model: Any, whose: str) -> Any:
        desk = self.desks.b if whose == "b" else self.desks.a
        owner = desk.customers[1 if whose == "neighbour" else 0]
        return rows_of(model, desk.tenant).filter(account__customer_id=owner.pk).order_by("pk")

    def strangers(self, model: Any) -> dict[str, Any]:
        """The key of a row of desk B, of the neighbour's, and of one that never was."""
        keys = {who: self.rows(model, who).first().pk for who in ("b", "neighbour")}
        return keys | {"absent": uuid.uuid4()}


@pytest.fixture
def portal(desks: Desks) -> Portal:
    users = []
    for world, place in ((desks.a, 0), (desks.a, 1), (desks.b, 0)):
        with tenant_scope(world.tenant), transaction.atomic():
            customer = Customer.objects.get(pk=world.customers[place].pk)
            user = grant_portal_access(customer=customer, username=f"p-{place}-{world.tenant.pk}",
                                       actor=None)  # fmt: skip
        users.append(user)
    _stain_neighbours(desks)
    return Portal(desks, *users)


def _stain_neighbours(desks: Desks) -> None:
    """Put a canary into every text of desk A that belongs to another customer than the first."""
    mine = [a.pk for a in desks.a.accounts if a.customer_id == desks.a.customers[0].pk]
    for model in product_models():
        fields = {field.name for field in model._meta.concrete_fields}
        if model is Customer:
            rows = rows_of(model, desks.a.tenant).exclude(pk=desks.a.customers[0].pk)
        elif model is ExchangeAccount:
            rows = rows_of(model, desks.a.tenant).exclude(pk__in=mine)
        elif {"account", "tenant"} <= fields:
            rows = rows_of(model, desks.a.tenant).exclude(account__in=mine)
            rows = rows.exclude(account=None)
        else:
            continue
        for number, pk in enumerate(rows.values_list("pk", flat=True)):
            unscoped(model).filter(pk=pk).update(**_stains(model, number))


def _stains(model: Any, number: int) -> dict[str, str]:
    found = {}
    for name in texts_of(model):
        field = model._meta.get_field(name)
        if field.get_internal_type() != "JSONField" and field.unique is False:
            found[name] = f"{NEIGHBOUR} {number}"[: field.max_length]
    return {k: v for k, v in found.items() if NEIGHBOUR in v}


def pages(portal: Portal) -> Iterator[str]:
    """Every address that customers read, the user's own rows included."""
    for route in urlpatterns:
        match route.name:
            case "order":
                for row in portal.rows(Order, "me")[:3]:
                    yield reverse("portal:order", args=(row.pk,))
            case "decision":
                for row in portal.rows(Decision, "me")[:6]:
                    yield reverse("portal:decision", args=(row.pk,))
            case "looks" | "desk" | "logout" | "login" | "welcome":
                continue
            case name:
                yield reverse(f"portal:{name}")


def told(response: Any, *typed: Any) -> tuple[int, str]:
    body = NOISE.sub("", response.content.decode())
    for text in typed:
        body = body.replace(str(text), "…")
    return response.status_code, body


def test_a_customer_reads_their_own_rows_and_nobody_elses(portal: Portal) -> None:
    client, seen = portal.client(), 0

    with tripwire(portal.desks.a.tenant.pk) as wire:
        for address in pages(portal):
            response = client.get(address)
            body = response.content.decode()
            assert response.status_code == 200, address
            assert not portal.desks.leaks(body), address
            assert NEIGHBOUR not in body, address
            seen += 1
    assert seen > 12
    assert wire.caught == []
    assert (
        portal.desks.a.customers[0].name in client.get(reverse("portal:account")).content.decode()
    )


def test_the_canary_is_found_where_it_may_be_read(portal: Portal) -> None:
    page = portal.client(portal.neighbour).get(reverse("portal:account")).content.decode()

    assert NEIGHBOUR in page


@pytest.mark.parametrize("who", STRANGERS)
def test_nobody_but_customers_comes_in(portal: Portal, who: str) -> None:
    client = staff_client(portal.desks, who)

    for address in pages(portal):
        response = client.get(address)
        body = response.content.decode()
        public = address == reverse("portal:licences")
        assert response.status_code == (200 if public else 403), address
        assert "USDT" not in body
        assert portal.desks.a.customers[0].name not in body


@pytest.mark.parametrize("role", ["customer", "integrator"])
def test_a_member_without_a_customer_sees_nothing(portal: Portal, role: str) -> None:
    client = portal.client(next(u for r, u in portal.desks.outsiders.items() if r == role))

    for address in pages(portal):
        response = client.get(address)
        if address != reverse("portal:licences"):
            assert response.status_code == 403, address


def test_nobody_signed_in_is_sent_to_the_login(portal: Portal) -> None:
    for address in pages(portal):
        response = Client().get(address)
        if address != reverse("portal:licences"):
            assert response.status_code == 302
            assert response["Location"].startswith(reverse("portal:login"))


@pytest.mark.parametrize(("name", "model"), [("order", Order), ("decision", Decision)])
def test_a_strangers_row_answers_as_one_that_never_was(
    portal: Portal, name: str, model: Any
) -> None:
    client = portal.client()
    answers = {}
    for whose, key in portal.strangers(model).items():
        answers[whose] = told(client.get(reverse(f"portal:{name}", args=(key,))), key)

    assert answers["b"] == answers["neighbour"] == answers["absent"]
    assert answers["absent"][0] == 404


@pytest.mark.parametrize("name", ["overview", "positions", "orders", "why"])
def test_a_strangers_account_in_the_address_is_absent(portal: Portal, name: str) -> None:
    client, desks = portal.client(), portal.desks
    uids = (desks.b.accounts[0].uid, desks.a.accounts[1].uid, uuid.uuid4(), "nonsense", ABSENT)
    answers = [
        told(client.get(reverse(f"portal:{name}"), {"account": str(uid)}), uid) for uid in uids
    ]

    assert {status for status, _ in answers} == {404}
    assert len({body for _, body in answers}) == 1
    mine = client.get(reverse(f"portal:{name}"), {"account": desks.a.accounts[0].uid.hex})
    assert mine.status_code == 200


@pytest.mark.parametrize("name", ["orders", "why"])
def test_filters_find_no_strangers_row(portal: Portal, name: str) -> None:
    client = portal.client()
    rows = {"orders": Order, "why": Decision}[name]
    total = portal.rows(rows, "me").count()

    for query in ({}, {"status": ""}, {"since": "2020-01-01"}, {"instrument": "BTC"}):
        response = client.get(reverse(f"portal:{name}"), query)
        listed = response.context_data["listed"]
        assert listed.page.paginator.count <= total
        assert {row.account_id for row in listed.rows} <= {
            a.pk for a in portal.desks.a.accounts if a.customer_id == portal.desks.a.customers[0].pk
        }
    for word in (portal.desks.long, NEIGHBOUR):
        response = client.get(reverse(f"portal:{name}"), {"instrument": word})
        assert response.context_data["listed"].page.paginator.count == 0


def test_fills_of_others_are_on_no_page(portal: Portal) -> None:
    order = portal.rows(Order, "me").filter(state="filled").first()
    foreign = portal.rows(Fill, "neighbour").first()
    unscoped(Fill).filter(pk=foreign.pk).update(order_id=order.pk, price="31337.25")

    body = portal.client().get(reverse("portal:order", args=(order.pk,))).content.decode()

    assert "31,337.25" not in body


def test_nobody_enters_a_desk_that_is_not_theirs(portal: Portal) -> None:
    client = portal.client()
    desks = (portal.desks.b.tenant.uid, uuid.uuid4())
    answers = [told(client.post(reverse("portal:desk"), {"desk": uid}), uid) for uid in desks]

    assert answers[0] == answers[1]
    assert answers[0][0] == 404


def test_a_customer_of_two_desks_works_in_one_at_a_time(portal: Portal) -> None:
    desks = portal.desks
    with tenant_scope(desks.b.tenant), transaction.atomic():
        customer = Customer.objects.get(pk=desks.b.customers[1].pk)
        grant_portal_access(customer=customer, username=portal.me.username, actor=None)
    client = portal.client()

    inside = client.get(reverse("portal:orders"))
    theirs = portal.rows(Order, "b").first()
    assert {o.tenant_id for o in inside.context_data["listed"].rows} == {desks.a.tenant.pk}
    client.post(reverse("portal:desk"), {"desk": desks.b.tenant.uid})
    there = client.get(reverse("portal:orders"))
    assert {o.tenant_id for o in there.context_data["listed"].rows} == {desks.b.tenant.pk}
    # The second customer's, not those of the first one of that desk.
    assert client.get(reverse("portal:order", args=(theirs.pk,))).status_code == 404


def test_a_link_of_another_person_is_as_good_as_none(portal: Portal) -> None:
    token = welcome_tokens.make_token(portal.me)
    answers = [
        told(Client().get(reverse("portal:welcome", args=(uid, token))), uid)
        for uid in (portal.foreigner.uid, uuid.uuid4())
    ]

    assert answers[0] == answers[1]
    assert answers[0][0] == 404


def test_customers_never_reach_the_back_office(portal: Portal) -> None:
    client = portal.client()

    for address in ("/admin/", "/admin/trading/order/", "/admin/customers/customer/"):
        assert client.get(address).status_code == 302
        assert "/admin/login/" in client.get(address)["Location"]


@pytest.mark.parametrize("method", UNSAFE)
def test_writing_to_a_page_changes_no_row(portal: Portal, method: str) -> None:
    client = portal.client()
    before = digest(portal.desks.a.tenant)

    for address in pages(portal):
        if address != reverse("portal:password"):
            assert getattr(client, method)(address).status_code == 405, address
    assert digest(portal.desks.a.tenant) == before


def test_positions_of_all_are_not_added_together(portal: Portal) -> None:
    page = portal.client().get(reverse("portal:positions"))

    shown = {row.position.pk for row in page.context_data["positions"]}
    mine = portal.rows(Position, "me").exclude(quantity=0).values_list("pk", flat=True)
    assert shown == set(mine)
