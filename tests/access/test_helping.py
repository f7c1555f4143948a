"""An owner helps a colleague in: with a fresh password, a reason and a diary entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client

from accounts.enums import AuditLevel, Role
from accounts.models import AuditEntry, Authenticator, Membership, RecoveryCode, Tenant, User
from accounts.scope import tenant_scope
from tests import factories as make
from tests.access.steps import NOON, enroll, inside, log_in, step_up

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def tenant() -> Tenant:
    return make.make_tenant()


@pytest.fixture
def owner(tenant: Tenant) -> Client:
    make.make_user(Role.OWNER, tenant=tenant, username="olga")
    client = Client()
    client.force_login(User.objects.get(username="olga"))
    return client


@pytest.fixture
def ann(tenant: Tenant) -> User:
    ann = make.make_user(Role.TRADER, tenant=tenant, username="ann")
    enroll(ann)
    return ann


def act(client: Client, action: str, user: User, **form: str) -> Any:
    row = {"action": action, ACTION_CHECKBOX_NAME: str(user.pk)}
    return client.post("/admin/accounts/user/", row | form, follow=True)


def remove(client: Client, user: User) -> str:
    answer = act(client, "remove_second_factor", user, confirmed="1", reason="lost phone")
    return str(answer.content.decode())


def test_a_lost_phone_is_forgotten_with_a_reason(owner: Client, ann: User, tenant: Tenant) -> None:
    step_up(owner)

    asked = act(owner, "remove_second_factor", ann).content.decode()
    assert "until they enrol anew, their password opens the desk" in asked
    assert Authenticator.objects.count() == 1
    assert "Done for 1 person." in remove(owner, ann)

    assert (Authenticator.objects.count(), RecoveryCode.objects.count()) == (0, 0)
    with tenant_scope(tenant):
        entry = AuditEntry.objects.get(action="two_factor.removed")
    assert (entry.level, entry.reason, str(entry.actor)) == (
        AuditLevel.WARNING, "lost phone", "olga",
    )  # fmt: skip
    client = Client()
    assert log_in(client, "ann")["Location"] == "/admin/switch/"


def test_removing_ends_their_sessions(owner: Client, ann: User) -> None:
    theirs = Client()
    theirs.force_login(User.objects.get(pk=ann.pk))
    assert theirs.get("/admin/me/step-up/").status_code == 200
    step_up(owner)

    remove(owner, ann)

    assert theirs.get("/admin/me/step-up/").status_code == 302


def test_without_a_fresh_password_nothing_is_removed(owner: Client, ann: User) -> None:
    answer = act(owner, "remove_second_factor", ann, confirmed="1", reason="x")

    assert answer.redirect_chain[0][0].startswith("/admin/me/step-up/")
    assert Authenticator.objects.count() == 1


def test_only_those_who_manage_staff_may(tenant: Tenant, ann: User) -> None:
    risk = Client()
    risk.force_login(make.make_user(Role.RISK, tenant=tenant))
    step_up(risk)

    remove(risk, ann)

    assert Authenticator.objects.count() == 1


def test_another_desks_people_do_not_exist(owner: Client) -> None:
    other = make.make_user(Role.TRADER, username="bob")
    enroll(other)
    step_up(owner)

    page = remove(owner, other)

    assert Authenticator.objects.count() == 1
    assert "bob" not in page


def test_who_works_in_two_desks_is_the_operators_matter(owner: Client, ann: User) -> None:
    Membership.objects.create(user=ann, tenant=make.make_tenant(), role=Role.OWNER)
    step_up(owner)

    page = remove(owner, ann)

    assert "Only the operator of this installation may do that" in page
    assert Authenticator.objects.count() == 1


def test_nobody_removes_their_own_here(owner: Client, tenant: Tenant) -> None:
    step_up(owner)

    page = remove(owner, User.objects.get(username="olga"))

    assert "replaced on your own page" in page


def test_an_owner_unlocks_a_name(owner: Client, tenant: Tenant) -> None:
    bob = make.make_user(Role.TRADER, tenant=tenant, username="bob")
    client = Client()
    for _attempt in range(5):
        log_in(client, "bob", "wrong")
    assert log_in(client, "bob").status_code == 429
    step_up(owner)

    assert (
        "Done for 1 person."
        in act(owner, "unlock", bob, confirmed="1", reason="asked by phone").content.decode()
    )

    assert log_in(client, "bob").status_code == 302
    assert inside(client)
    with tenant_scope(tenant):
        assert AuditEntry.objects.get(action="user.unlocked").reason == "asked by phone"
