"""What belongs to a person or to the house tells nothing of another desk."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client

from accounts import two_factor
from accounts.enums import Role
from accounts.models import Authenticator, RecoveryCode, User
from config.health import domain, views
from tests.factories import PASSWORD
from tests.isolation.worlds import Desks, staff_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def theirs(desks: Desks) -> User:
    """Somebody of desk B with a second factor."""
    user = desks.b.people[Role.TRADER]
    two_factor.begin_enrolment(user=user)
    Authenticator.objects.update(confirmed=True)
    two_factor.renew_codes(user=user)
    return user


def test_nobodys_authenticator_has_a_page() -> None:
    registered = set(admin.site._registry)

    assert not registered & {Authenticator, RecoveryCode}
    assert not [model for model in registered if model._meta.app_label == "axes"]


@pytest.mark.usefixtures("plain_pages")
@pytest.mark.parametrize("action", ["remove_second_factor", "unlock"])
@pytest.mark.parametrize("who", ["one", "all"])
def test_an_owner_helps_nobody_of_another_desk(
    desks: Desks, theirs: User, action: str, who: str
) -> None:
    client = staff_client(desks, Role.OWNER)
    before = (theirs.session_epoch, Authenticator.objects.count(), RecoveryCode.objects.count())
    form = {
        "action": action,
        ACTION_CHECKBOX_NAME: str(theirs.pk),
        "select_across": "1" if who == "all" else "0",
        "confirmed": "1",
        "reason": "x",
    }

    page = client.post("/admin/accounts/user/", form, follow=True)

    theirs.refresh_from_db()
    assert desks.leaks(page.content.decode()) is None
    after = (theirs.session_epoch, Authenticator.objects.count(), RecoveryCode.objects.count())
    assert after == before


@pytest.mark.usefixtures("plain_pages")
def test_the_page_of_ones_own_factor_takes_no_ids(desks: Desks, theirs: User) -> None:
    client = staff_client(desks, Role.TRADER)
    app = Authenticator.objects.get(user=theirs)

    for form in ({"do": "renew"}, {"do": "confirm", "code": "000000"}):
        foreign = {"user": theirs.pk, "id": app.pk, "uid": str(app.uid)}
        page = client.post(f"/admin/me/two-factor/?user={theirs.pk}", form | foreign)
        assert app.secret.reveal() not in page.content.decode()

    assert Authenticator.objects.get() == app
    assert theirs.recovery_codes.count() == 10


def test_a_password_of_one_person_opens_the_code_page_of_that_person(
    desks: Desks, theirs: User
) -> None:
    client = Client()
    client.post("/admin/login/", {"username": theirs.username, "password": PASSWORD})

    page = client.get("/admin/me/code/").content.decode()

    assert theirs.username in page
    assert desks.b.tenant.name not in page
    assert client.get("/admin/").status_code == 302


def test_machines_are_told_of_no_desk(desks: Desks) -> None:
    views.findings.forget()
    domain.domain.forget()

    for path in ("/health", "/readyz", "/livez", "/metrics"):
        text: Any = Client().get(path).content.decode()
        assert desks.leaks(text) is None
        assert desks.a.tenant.name not in text
        assert desks.a.tenant.slug not in text
