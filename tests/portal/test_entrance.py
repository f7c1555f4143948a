"""In and out of the portal: the login, the one-time link, the password, the looks."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import passwords
from accounts.enums import Role
from accounts.models import AuditEntry, Membership, User
from accounts.passwords import welcome_tokens, welcomed
from accounts.tenancy import all_tenants, tenant_scope
from config.portal.looks import cookie_name
from customers.portal import grant_portal_access
from tests import factories as make
from tests.factories import PASSWORD
from tests.portal.desk import Portal

pytestmark = pytest.mark.django_db
NEW = "a new long passphrase 42"


def sign_in(username: str, password: str = PASSWORD, **query: str) -> tuple[Client, Any]:
    client = Client()
    response = client.post(
        reverse("portal:login"), {"username": username, "password": password, **query}
    )
    return client, response


def welcome(user: User, token: str) -> str:
    return reverse("portal:welcome", args=(user.uid, token))


def diary(action: str) -> list[AuditEntry]:
    with all_tenants("the diary of a test"):
        return list(AuditEntry.objects.filter(action=action))


def test_a_customer_signs_in_and_out(portal: Portal) -> None:
    client, response = sign_in(portal.me.username)

    assert response.status_code == 302
    assert response["Location"] == reverse("portal:overview")
    assert client.get(reverse("portal:overview")).status_code == 200
    assert client.get(reverse("portal:login"))["Location"] == reverse("portal:overview")
    assert client.post(reverse("portal:logout"))["Location"] == reverse("portal:login")
    assert client.get(reverse("portal:overview")).status_code == 302


def test_after_the_login_one_is_where_one_wanted_to_be_and_nowhere_else(portal: Portal) -> None:
    wanted = reverse("portal:why")

    assert sign_in(portal.me.username, next=wanted)[1]["Location"] == wanted
    away = sign_in(portal.me.username, next="https://evil.example/")[1]
    assert away["Location"] == reverse("portal:overview")


@pytest.mark.parametrize("role", [r for r in Role if r != Role.CUSTOMER])
def test_staff_and_integrators_are_told_what_a_wrong_password_is_told(
    portal: Portal, role: Role
) -> None:
    user = make.make_user(role, tenant=portal.world.tenant)
    _, refused = sign_in(user.username)
    _, wrong = sign_in(user.username, "wrong")

    said = [r.context_data["form"].non_field_errors() for r in (refused, wrong)]
    assert said[0] == said[1]
    assert refused.status_code == 200
    assert "_auth_user_id" not in refused.client.session


def test_a_staff_member_elsewhere_enters_the_desk_where_they_are_a_customer(
    portal: Portal,
) -> None:
    user = make.make_user(Role.TRADER)
    Membership.objects.create(user=user, tenant=portal.world.tenant, role=Role.CUSTOMER)
    with tenant_scope(portal.world.tenant):
        customer = make.make_customer(portal.world.tenant)
        type(customer).objects.filter(pk=customer.pk).update(portal_user=user)
    client, response = sign_in(user.username)

    assert response.status_code == 302
    assert client.get(reverse("portal:account")).status_code == 200


def test_the_link_sets_one_password_once(portal: Portal) -> None:
    customer = make.make_customer(portal.world.tenant)
    with tenant_scope(portal.world.tenant):
        user = grant_portal_access(customer=customer, username="dora", actor=None)
    address, client = welcome(user, welcome_tokens.make_token(user)), Client()

    assert client.get(address).status_code == 200
    weak = client.post(address, {"new_password1": "12345", "new_password2": "12345"})
    assert weak.status_code == 200
    assert not User.objects.get(pk=user.pk).has_usable_password()
    done = client.post(address, {"new_password1": NEW, "new_password2": NEW})
    assert done["Location"] == reverse("portal:login")
    assert len(diary("user.welcomed")) == 1
    again = client.post(address, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert again.status_code == 404
    assert User.objects.get(pk=user.pk).check_password(NEW)
    assert sign_in("dora", NEW)[1].status_code == 302


@pytest.mark.parametrize("state", ["second desk", "staff", "superuser", "inactive", "made up"])
def test_a_link_that_may_not_work_does_not(portal: Portal, state: str) -> None:
    customer = make.make_customer(portal.world.tenant)
    with tenant_scope(portal.world.tenant):
        user = grant_portal_access(customer=customer, username="dora", actor=None)
    token = welcome_tokens.make_token(user)
    match state:
        case "second desk":
            Membership.objects.create(user=user, tenant=make.make_tenant(), role=Role.CUSTOMER)
        case "staff":
            Membership.objects.filter(user=user).update(role=Role.OWNER)
        case "superuser":
            User.objects.filter(pk=user.pk).update(is_superuser=True)
        case "inactive":
            User.objects.filter(pk=user.pk).update(is_active=False)
        case _:
            token = token[:-1] + ("a" if token[-1] != "a" else "b")
    address = welcome(user, token)

    response = Client().post(address, {"new_password1": NEW, "new_password2": NEW})
    assert response.status_code == 404
    assert not User.objects.get(pk=user.pk).has_usable_password()


def test_of_two_who_hold_a_link_only_the_first_sets_a_password(portal: Portal) -> None:
    customer = make.make_customer(portal.world.tenant)
    with tenant_scope(portal.world.tenant):
        user = grant_portal_access(customer=customer, username="dora", actor=None)
    token = welcome_tokens.make_token(user)
    assert welcomed(user.uid, token) == user  # both have the page before them

    first = passwords.welcome(uid=user.uid, token=token, password=NEW)
    second = passwords.welcome(uid=user.uid, token=token, password=PASSWORD)

    assert (first, second) == (user, None)
    assert User.objects.get(pk=user.pk).check_password(NEW)
    assert len(diary("user.welcomed")) == 1


def test_a_token_is_in_no_log(portal: Portal) -> None:
    from config.logging import redact

    address = welcome(portal.me, "c9x-0123456789abcdef")

    assert "0123456789abcdef" not in redact(f"GET {address} 200 in 3 ms")


def test_a_password_is_changed_and_other_sessions_end(portal: Portal) -> None:
    here, elsewhere = portal.client(), portal.client()
    url = reverse("portal:password")
    words = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}

    wrong = here.post(url, words | {"old_password": "not it"})
    assert wrong.status_code == 200
    assert User.objects.get(pk=portal.me.pk).check_password(PASSWORD)
    assert diary("user.password_changed") == []
    assert here.post(url, words)["Location"] == reverse("portal:account")
    assert User.objects.get(pk=portal.me.pk).check_password(NEW)
    assert [entry.actor_id for entry in diary("user.password_changed")] == [portal.me.pk]
    assert here.get(reverse("portal:overview")).status_code == 200
    assert elsewhere.get(reverse("portal:overview")).status_code == 302


def test_looks_are_kept_in_the_browser(portal: Portal) -> None:
    client = portal.client()
    client.post(reverse("portal:looks"), {"theme": "dark", "market": "red-up"})
    page = client.get(reverse("portal:overview")).content.decode()

    assert 'data-bs-theme="dark" data-market="red-up"' in page
    client.post(reverse("portal:looks"), {"theme": "purple", "market": "up"})
    assert client.cookies[cookie_name("theme")].value == "dark"
    cookie = client.cookies[cookie_name("market")]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("red-up", True, "Lax")


@pytest.mark.parametrize(("language", "market"), [("en", "green-up"), ("zh-hans", "red-up")])
def test_red_rises_in_chinese_unless_chosen_otherwise(
    portal: Portal, language: str, market: str
) -> None:
    User.objects.filter(pk=portal.me.pk).update(language=language)
    page = portal.client().get(reverse("portal:overview")).content.decode()

    assert f'lang="{language}" data-bs-theme="auto" data-market="{market}"' in page


def test_anybody_reads_the_licences(db: None) -> None:
    page = Client().get(reverse("portal:licences")).content.decode()

    for name in ("bootstrap", "bootstrap-icons", "chart.js", "inter-ui"):
        assert name in page
    assert page.count("Permission is hereby granted") >= 3
    assert "SIL OPEN FONT LICENSE" in page
