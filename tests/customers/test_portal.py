"""Who gets into a customer's portal, and who can let them in."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.enums import Role
from accounts.models import AuditEntry, Membership, Tenant, User
from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import CustomerStatus
from customers.models import Customer
from customers.portal import (
    grant_portal_access,
    may_be_welcomed,
    revoke_portal_access,
    welcome_token,
)
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Tenant:
    return make.make_tenant()


def grant(customer: Customer, username: str) -> User:
    with tenant_scope(customer.tenant_id):
        return grant_portal_access(customer=customer, username=username, actor=None)


def user_of(customer: Customer) -> User | None:
    with tenant_scope(customer.tenant_id):
        return Customer.objects.get(pk=customer.pk).portal_user


def diary() -> list[str]:
    with all_tenants("the diary of a test"):
        return [e.action for e in AuditEntry.objects.order_by("id") if "portal" in e.action]


def refused(customer: Customer, username: str) -> dict[str, list[str]]:
    users = User.objects.count()
    before = list(Membership.objects.order_by("pk").values_list("user", "role", "is_active"))
    with pytest.raises(ValidationError) as error:
        grant(customer, username)
    assert user_of(customer) is None or user_of(customer).username != username
    assert User.objects.count() == users
    assert (
        list(Membership.objects.values_list("user", "role", "is_active").order_by("pk")) == before
    )
    return error.value.message_dict


def test_a_new_user_is_made_without_a_password(desk: Tenant) -> None:
    customer = make.make_customer(desk, email="dora@example.org")

    user = grant(customer, " dora ")

    assert (user.username, user.email) == ("dora", "dora@example.org")
    assert not user.has_usable_password()
    membership = Membership.objects.get(user=user)
    assert (membership.tenant_id, membership.role, membership.is_active) == (
        desk.pk, "customer", True,
    )  # fmt: skip
    assert user_of(customer) == user
    assert diary() == ["customer.portal_granted"]


def test_one_customer_has_one_user(desk: Tenant) -> None:
    customer = make.make_customer(desk)
    first = grant(customer, "dora")

    assert "username" in refused(customer, "emil")
    assert user_of(customer) == first


def test_a_person_may_be_two_customers_and_of_two_desks(desk: Tenant) -> None:
    one, two, elsewhere = make.make_customer(desk), make.make_customer(desk), make.make_customer()
    users = {grant(each, name).pk for each, name in ((one, "dora"), (two, "Dora"))}
    users.add(grant(elsewhere, "dora").pk)

    assert len(users) == 1
    assert Membership.objects.filter(user__in=users).count() == 2


@pytest.mark.parametrize("role", [r for r in Role if r != Role.CUSTOMER])
@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_nobody_else_becomes_a_customer_by_it(desk: Tenant, role: Role, where: str) -> None:
    user = make.make_user(role, tenant=desk if where == "here" else None)

    said = refused(make.make_customer(desk), user.username)

    assert said == {"username": ["This name cannot be given to a customer. Choose another one."]}


@pytest.mark.parametrize(
    ("name", "field"), [("", "username"), ("a b", "username"), ("x" * 151, "username")]
)
def test_a_name_that_is_none_is_refused(desk: Tenant, name: str, field: str) -> None:
    assert field in refused(make.make_customer(desk), name)


def test_the_portal_of_an_archived_customer_stays_closed(desk: Tenant) -> None:
    customer = make.make_customer(desk, status=CustomerStatus.ARCHIVED)
    with pytest.raises(ValidationError, match="archived"):
        grant(customer, "dora")

    assert not User.objects.filter(username="dora").exists()


def test_a_link_is_for_a_user_of_this_desk_alone(desk: Tenant) -> None:
    customer, other = make.make_customer(desk), make.make_customer()
    user = grant(customer, "dora")
    with tenant_scope(desk):
        customer.refresh_from_db()
        assert welcome_token(customer=customer, actor=None)
    assert may_be_welcomed(user, desk.pk)

    grant(other, "dora")
    assert not may_be_welcomed(user, desk.pk)
    with tenant_scope(desk), pytest.raises(ValidationError, match="another desk"):
        welcome_token(customer=customer, actor=None)
    assert diary().count("customer.portal_link_made") == 1


def test_closing_the_portal_ends_the_membership_with_the_last_customer(desk: Tenant) -> None:
    one, two = make.make_customer(desk), make.make_customer(desk)
    user = grant(one, "dora")
    grant(two, "dora")

    for each, active in ((one, True), (one, True), (two, False)):
        with tenant_scope(desk):
            revoke_portal_access(customer=each, actor=None)
        assert user_of(each) is None
        assert Membership.objects.get(user=user).is_active is active
    assert diary().count("customer.portal_revoked") == 2


def test_closing_it_leaves_a_staff_membership_alone(desk: Tenant) -> None:
    customer = make.make_customer(desk)
    user = grant(customer, "dora")
    Membership.objects.filter(user=user).update(role=Role.TRADER)

    with tenant_scope(desk):
        revoke_portal_access(customer=customer, actor=None)
    assert Membership.objects.get(user=user).is_active


def page(customer: Customer) -> str:
    return reverse("admin:customers_customer_portal", args=(customer.pk,))


def staff(desk: Tenant, role: Role) -> Client:
    client = Client()
    client.force_login(make.make_user(role, tenant=desk))
    return client


def test_staff_grant_it_and_hand_over_a_link_that_is_shown_once(desk: Tenant) -> None:
    customer, client = make.make_customer(desk), staff(desk, Role.SUPPORT)

    shown = client.post(page(customer), {"do": "grant", "username": "dora"})

    user = user_of(customer)
    assert user is not None
    link = shown.context_data["link"]
    assert link.startswith(f"http://testserver/portal/welcome/{user.uid}/")
    assert link in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert "/portal/welcome/" not in client.get(page(customer)).content.decode()
    assert Client().get(link).status_code == 200
    closed = client.post(page(customer), {"do": "revoke"})
    assert (closed.status_code, user_of(customer)) == (302, None)
    assert Client().get(link).status_code == 404


def test_a_refusal_stands_beside_the_name(desk: Tenant) -> None:
    owner = make.make_user(Role.OWNER, tenant=desk)
    answer = staff(desk, Role.SUPPORT).post(
        page(make.make_customer(desk)), {"do": "grant", "username": owner.username}
    )

    text = answer.content.decode()
    assert "This name cannot be given to a customer." in text
    assert "Nothing was changed." in text


@pytest.mark.parametrize("role", [Role.TRADER, Role.RISK, Role.AUDITOR])
def test_who_may_not_manage_customers_may_only_look(desk: Tenant, role: Role) -> None:
    customer, client = make.make_customer(desk), staff(desk, role)

    assert "Grant portal access" not in client.get(page(customer)).content.decode()
    for do in ("grant", "link", "revoke"):
        answer: Any = client.post(page(customer), {"do": do, "username": "dora"})
        assert answer.status_code == 403
    assert user_of(customer) is None
    assert diary() == []
