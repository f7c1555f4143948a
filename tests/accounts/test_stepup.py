"""Step-up: a password within the last five minutes, and back to where one came from."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts import stepup
from accounts.enums import Role
from accounts.models import AuditEntry, User
from accounts.scope import tenant_scope
from tests.accounts.people import PASSWORD, make_member, make_user, signed_in
from tests.accounts.worlds import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.product_urls")]


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def user(world: World) -> User:
    return make_member(world.a.tenant, Role.OWNER)


def prove(client: Client, password: str = PASSWORD, back: str = "/dangerous/") -> Any:
    return client.post("/admin/me/step-up/", {"password": password, "next": back})


def test_a_dangerous_view_asks_first(user: User) -> None:
    client = signed_in(user)

    answer = client.get("/dangerous/?x=1")

    assert answer.status_code == 302
    assert answer["Location"] == "/admin/me/step-up/?next=%2Fdangerous%2F%3Fx%3D1"


def test_the_right_password_opens_it(user: User, world: World) -> None:
    client = signed_in(user)

    answer = prove(client)

    assert (answer.status_code, answer["Location"]) == (302, "/dangerous/")
    assert client.get("/dangerous/").content == b"done"
    with tenant_scope(world.a.tenant):
        assert AuditEntry.objects.get().action == "user.stepped_up"


def test_a_wrong_password_does_not(user: User, world: World) -> None:
    client = signed_in(user)

    answer = prove(client, "wrong")

    assert answer.status_code == 200
    assert client.get("/dangerous/").status_code == 302
    assert b"wrong" not in answer.content.replace(b"wrong-", b"")
    with tenant_scope(world.a.tenant):
        entry = AuditEntry.objects.get()
    assert (entry.action, entry.level) == ("user.step_up_failed", "warning")


def test_it_lasts_five_minutes(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(user)
    prove(client)
    now = timezone.now()

    for seconds, status in ((290, 200), (302, 302), (-10, 302)):
        later = now + timezone.timedelta(seconds=seconds)
        monkeypatch.setattr(stepup.timezone, "now", lambda later=later: later)
        assert client.get("/dangerous/").status_code == status
    monkeypatch.undo()


def test_another_user_of_the_session_is_not_fresh(user: User) -> None:
    request = RequestFactory().get("/")
    request.session, request.user = {}, user
    stepup.mark_fresh(request)
    assert stepup.is_fresh(request)

    request.user = make_user("other")

    assert not stepup.is_fresh(request)
    with pytest.raises(stepup.StepUpRequired):
        stepup.require_fresh(request)


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:///evil.example",
        "",
    ],
)
def test_it_never_leads_elsewhere(user: User, back: str) -> None:
    answer = prove(signed_in(user), back=back)

    assert answer["Location"] == "/admin/"


def test_a_form_comes_back_to_its_page(user: User) -> None:
    client = signed_in(user)

    own = client.post("/dangerous/", headers={"Referer": "http://testserver/page/?q=1"})
    foreign = client.post("/dangerous/", headers={"Referer": "http://evil.example/page/"})

    assert own["Location"] == "/admin/me/step-up/?next=%2Fpage%2F%3Fq%3D1"
    assert foreign["Location"] == "/admin/me/step-up/?next=%2Fdangerous%2F"


def test_anonymous_people_sign_in_first() -> None:
    assert "login" in Client().get("/admin/me/step-up/")["Location"]


def test_the_page_asks_for_the_password(user: User) -> None:
    page = signed_in(user).get("/admin/me/step-up/?next=/dangerous/").content.decode()

    assert 'type="password"' in page
    assert 'value="/dangerous/"' in page
