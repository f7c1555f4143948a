"""The address without a path, and the pages for what went wrong."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.enums import Role
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "door"),
    [
        (Role.OWNER, "/admin/"),
        (Role.AUDITOR, "/admin/"),
        (Role.CUSTOMER, "/portal/"),
        (Role.INTEGRATOR, "/api/docs/"),
        (None, "/portal/"),
    ],
)
def test_everybody_is_sent_to_their_own_door(role: Role | None, door: str) -> None:
    client = Client()
    if role is not None:
        client.force_login(make.make_user(role))

    answer = client.get("/")

    assert (answer.status_code, answer["Location"]) == (302, door)


def test_superusers_are_sent_to_the_admin() -> None:
    client = Client()
    client.force_login(make.make_user(None, is_superuser=True))

    assert client.get("/")["Location"] == "/admin/"


def test_what_is_not_there_has_a_page_of_ours() -> None:
    page = Client().get("/nothing/here/", HTTP_ACCEPT_LANGUAGE="zh-CN")

    assert page.status_code == 404
    assert b'<html lang="zh-hans"' in page.content
    assert b'href="/"' in page.content
    assert b"<script" not in page.content
    assert b"style=" not in page.content


def test_what_is_forbidden_has_one() -> None:
    client = Client()
    client.force_login(make.make_user(Role.TRADER))

    page = client.get("/admin/accounts/tenant/")

    assert page.status_code == 403
    assert b"You may not do this" in page.content


def test_a_form_that_is_not_ours_has_one() -> None:
    page = Client(enforce_csrf_checks=True).post("/i18n/language/", {"language": "en"})

    assert page.status_code == 403
    assert b"This form is too old, or not ours" in page.content


def test_what_failed_says_its_number_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> bool:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("accounts.roles.may_enter_admin", broken)
    client = Client(raise_request_exception=False)

    page = client.get("/")

    assert page.status_code == 500
    assert page["X-Request-ID"] in page.content.decode()
    assert b"a secret of the inside" not in page.content
