"""Sessions end: idle, old, after another password, and with the person."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.enums import Role
from accounts.models import AuditEntry, User
from accounts.tenancy import all_tenants
from tests import factories as make
from tests.access.steps import NOON, inside, later, log_in
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def client(clock: time_machine.Coordinates) -> Client:
    make.make_user(Role.TRADER, username="ann")
    client = Client()
    log_in(client, "ann")
    assert inside(client)
    return client


def test_staff_are_out_after_fifteen_idle_minutes(
    client: Client, clock: time_machine.Coordinates
) -> None:
    later(clock, minutes=14, seconds=59)
    assert inside(client)
    later(clock, minutes=15)

    assert not inside(client)
    assert "_auth_user_id" not in client.session


def test_staff_are_out_after_eight_hours_however_busy(
    client: Client, clock: time_machine.Coordinates
) -> None:
    for _quarter in range(8 * 6):
        assert inside(client)
        later(clock, minutes=10)

    assert not inside(client)


def test_pages_that_fetch_themselves_keep_no_session_alive(
    client: Client, clock: time_machine.Coordinates
) -> None:
    for _minute in range(14):
        later(clock, minutes=1)
        assert client.get("/admin/jsi18n/", HTTP_X_LIVE="1").status_code == 200
    later(clock, minutes=1)

    assert client.get("/admin/jsi18n/", HTTP_X_LIVE="1").status_code == 302
    assert not inside(client)


def test_customers_have_an_hour_idle_and_twelve_in_all(clock: time_machine.Coordinates) -> None:
    client = Client()
    client.force_login(make.make_user(Role.CUSTOMER))
    client.get("/admin/me/step-up/")

    later(clock, minutes=59)
    assert client.get("/admin/me/step-up/").status_code == 200
    later(clock, minutes=60)
    assert client.get("/admin/me/step-up/").status_code == 302

    client.force_login(User.objects.get())
    for _half_hour in range(24):
        assert client.get("/admin/me/step-up/").status_code == 200
        later(clock, minutes=30)
    assert client.get("/admin/me/step-up/").status_code == 302


def test_activity_is_written_once_a_minute_at_most(
    client: Client, clock: time_machine.Coordinates
) -> None:
    def seen() -> int:
        return int(client.session["seen_at"])

    inside(client)
    first = seen()
    later(clock, seconds=59)
    inside(client)
    assert seen() == first
    later(clock, seconds=1)
    inside(client)
    assert seen() == first + 60


def test_another_password_ends_the_other_sessions(client: Client) -> None:
    other = Client()
    log_in(other, "ann")
    new = "a wholly different sentence"

    answer = client.post(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    assert answer.status_code == 302
    assert (inside(client), inside(other)) == (True, False)
    with all_tenants("the diary of every desk"):
        entry = AuditEntry.objects.get(action="user.password_changed")
    assert (entry.actor_label, entry.object_label) == ("ann", "ann")


@pytest.mark.parametrize(
    ("role", "page"),
    [(Role.TRADER, "/admin/password_change/"), (Role.CUSTOMER, "/portal/account/password/")],
)
def test_guesses_at_the_old_password_are_counted(role: Role, page: str) -> None:
    tenant = make.make_tenant()
    user = make.make_user(role, tenant=tenant)
    if role == Role.CUSTOMER:
        make.make_customer(tenant, portal_user=user)
    browser = Client()
    browser.force_login(user)
    new = "a wholly different sentence"
    form = {"old_password": "a guess", "new_password1": new, "new_password2": new}

    statuses = [browser.post(page, form).status_code for _ in range(5)]
    right = browser.post(page, form | {"old_password": PASSWORD})

    assert statuses == [200, 200, 200, 200, 429]
    assert right.status_code == 429
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)


def test_a_deactivated_person_is_out_at_once_and_for_good(client: Client) -> None:
    boss = Client()
    boss.force_login(make.make_user(None, is_superuser=True, is_staff=True))
    ann = User.objects.get(username="ann")
    form = {"username": "ann", "language": "", "is_active": ""}

    def save(**fields: str) -> None:
        answer = boss.post(f"/admin/accounts/user/{ann.pk}/change/", form | fields)
        assert answer.status_code == 302, answer.content.decode()

    save()
    assert not inside(client)
    save(is_active="on")
    assert not inside(client)


def test_the_session_key_changes_at_the_login() -> None:
    make.make_user(Role.TRADER, username="ann")
    client = Client()
    session = client.session
    session["before"] = 1
    session.save()
    planted = client.session.session_key

    log_in(client, "ann")

    assert client.session.session_key != planted
    assert not Session.objects.filter(session_key=planted).exists()
