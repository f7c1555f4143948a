"""The second factor of staff: nobody is inside before it, and nothing of it can be used twice."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.enums import Role
from accounts.models import AuditEntry, Authenticator, RecoveryCode, Tenant, User
from accounts.scope import tenant_scope
from tests import factories as make
from tests.access.authenticator import code
from tests.access.steps import (
    NOON,
    enroll,
    give_code,
    inside,
    later,
    log_in,
    shown_codes,
    shown_secret,
    step_up,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def tenant() -> Tenant:
    return make.make_tenant()


@pytest.fixture
def ann(tenant: Tenant) -> User:
    return make.make_user(Role.TRADER, tenant=tenant, username="ann")


def actions(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant):
        return list(AuditEntry.objects.order_by("at", "id").values_list("action", flat=True))


def test_the_phone_of_these_tests_knows_the_vectors_of_the_standard() -> None:
    key = base64.b32encode(b"12345678901234567890").decode()

    assert [code(key, at) for at in (59, 1111111109, 2000000000)] == ["287082", "081804", "279037"]


def test_a_password_is_enough_for_who_has_no_second_factor(ann: User, tenant: Tenant) -> None:
    client = Client()

    answer = log_in(client, "ann")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/switch/")
    assert inside(client)
    assert actions(tenant) == ["user.signed_in"]


def test_a_password_alone_opens_nothing_for_who_has_one(
    ann: User, clock: time_machine.Coordinates
) -> None:
    secret, _codes = enroll(ann)
    later(clock, seconds=30)
    client = Client()

    answer = log_in(client, "ann")

    assert answer["Location"] == "/admin/me/code/"
    assert "_auth_user_id" not in client.session
    assert not inside(client)
    assert client.get("/admin/me/two-factor/").status_code == 302
    assert give_code(client, code(secret))["Location"] == "/admin/switch/"
    assert inside(client)


def test_a_code_works_once(ann: User, clock: time_machine.Coordinates) -> None:
    secret, _codes = enroll(ann)
    later(clock, seconds=30)
    now = code(secret)
    first, second = Client(), Client()
    log_in(first, "ann")
    log_in(second, "ann")

    assert give_code(first, now).status_code == 302
    answer = give_code(second, now)

    assert (answer.status_code, inside(second)) == (200, False)
    assert b"not valid, or was used already" in answer.content


def test_the_code_of_the_enrolment_does_not_open_the_door(
    ann: User, clock: time_machine.Coordinates
) -> None:
    secret, _codes = enroll(ann)
    client = Client()
    log_in(client, "ann")

    assert give_code(client, code(secret)).status_code == 200
    assert not inside(client)


def test_clocks_may_differ_by_half_a_minute_and_no_more(
    ann: User, clock: time_machine.Coordinates
) -> None:
    secret, _codes = enroll(ann)
    later(clock, minutes=10)
    client = Client()
    log_in(client, "ann")

    assert give_code(client, code(secret, NOON.timestamp() + 600 - 60)).status_code == 200
    later(clock, seconds=2)
    assert give_code(client, code(secret, NOON.timestamp() + 600 - 30)).status_code == 302


def test_a_recovery_code_works_once_and_is_written_down(
    ann: User, tenant: Tenant, clock: time_machine.Coordinates
) -> None:
    _secret, codes = enroll(ann)
    first, second = Client(), Client()
    log_in(first, "ann")
    log_in(second, "ann")

    assert len(codes) == 10
    assert give_code(first, codes[0].lower().replace("-", " ")).status_code == 302
    assert give_code(second, codes[0]).status_code == 200
    assert (inside(first), inside(second)) == (True, False)
    assert actions(tenant)[-2:] == ["two_factor.recovery_code_used", "user.signed_in"]
    assert RecoveryCode.objects.filter(used_at__isnull=True).count() == 9


def test_nothing_of_it_is_stored_to_be_read(
    ann: User, tenant: Tenant, clock: time_machine.Coordinates
) -> None:
    secret, codes = enroll(ann)

    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM accounts_authenticator")
        stored = bytes(cursor.fetchone()[0]).decode()
        cursor.execute("SELECT digest FROM accounts_recoverycode")
        stored += " ".join(row[0] for row in cursor.fetchall())
    with tenant_scope(tenant):
        stored += str(list(AuditEntry.objects.values_list("before", "after", "reason")))
    assert secret not in stored
    assert not any(part in stored for one in codes for part in (one, one.replace("-", "")))


def test_wrong_codes_make_the_next_one_wait(ann: User, clock: time_machine.Coordinates) -> None:
    secret, _codes = enroll(ann)
    later(clock, seconds=30)
    client = Client()
    log_in(client, "ann")

    give_code(client, "000000")
    answer = give_code(client, code(secret))

    assert b"Too fast" in answer.content
    later(clock, seconds=1.5)
    assert give_code(client, code(secret)).status_code == 302


def test_a_password_waits_ten_minutes_for_its_code(
    ann: User, clock: time_machine.Coordinates
) -> None:
    secret, _codes = enroll(ann)
    client = Client()
    log_in(client, "ann")

    later(clock, seconds=601)

    assert give_code(client, code(secret))["Location"] == "/admin/login/"
    assert not inside(client)


def test_a_changed_password_ends_the_wait_for_the_code(
    ann: User, clock: time_machine.Coordinates
) -> None:
    secret, _codes = enroll(ann)
    later(clock, seconds=30)
    client = Client()
    log_in(client, "ann")
    ann.refresh_from_db()
    ann.set_password("another one that is long")
    ann.save()

    assert give_code(client, code(secret))["Location"] == "/admin/login/"


def test_where_it_is_required_the_first_sign_in_enrolls(
    ann: User, tenant: Tenant, settings: Any, clock: time_machine.Coordinates
) -> None:
    settings.STAFF_TWO_FACTOR = "required"
    client = Client()

    assert log_in(client, "ann")["Location"] == "/admin/me/two-factor/"
    assert "_auth_user_id" not in client.session
    assert not inside(client)
    client.post("/admin/me/two-factor/", {"do": "begin"})
    secret = shown_secret(client)
    wrong = client.post("/admin/me/two-factor/", {"do": "confirm", "code": "000000"})
    assert (b"not the code the app shows" in wrong.content, inside(client)) == (True, False)
    answer = client.post("/admin/me/two-factor/", {"do": "confirm", "code": code(secret)})

    assert len(shown_codes(answer)) == 10
    assert 'href="/admin/switch/"' in answer.content.decode()
    assert inside(client)
    assert actions(tenant) == ["two_factor.enrolled", "user.signed_in"]


def test_nobody_takes_up_a_key_that_another_browser_began(
    ann: User, settings: Any, clock: time_machine.Coordinates
) -> None:
    settings.STAFF_TWO_FACTOR = "required"
    thief, client = Client(), Client()
    log_in(thief, "ann")
    thief.post("/admin/me/two-factor/", {"do": "begin"})
    known = shown_secret(thief)
    log_in(client, "ann")

    page = client.get("/admin/me/two-factor/").content.decode()
    answer = client.post("/admin/me/two-factor/", {"do": "confirm", "code": code(known)})

    assert 'id="secret"' not in page
    assert (b"Nothing was begun here" in answer.content, inside(client)) == (True, False)
    client.post("/admin/me/two-factor/", {"do": "begin"})
    own = shown_secret(client)
    thief.post("/admin/me/two-factor/", {"do": "confirm", "code": code(own)})
    assert (inside(thief), Authenticator.objects.filter(confirmed=True).count()) == (False, 0)
    client.post("/admin/me/two-factor/", {"do": "confirm", "code": code(own)})
    assert inside(client)
    assert own != known


def test_a_session_without_it_reaches_no_page_where_it_is_required(
    ann: User, settings: Any
) -> None:
    client = Client()
    log_in(client, "ann")
    assert inside(client)

    settings.STAFF_TWO_FACTOR = "required"

    answer = client.get("/admin/switch/")
    assert answer["Location"] == "/admin/login/?next=/admin/switch/"


def test_no_page_of_the_admin_is_open_to_it(ann: User, settings: Any) -> None:
    client = Client()
    client.force_login(ann)
    settings.STAFF_TWO_FACTOR = "required"
    pages = ["/admin/", "/admin/desk/", "/admin/switch/", "/admin/search/", "/admin/autocomplete/"]
    pages += [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]

    answers = {page: client.get(page) for page in pages}

    assert len(pages) > 20
    for page, answer in answers.items():
        assert answer.status_code == 302, page
        assert answer["Location"].startswith("/admin/login/"), page


def test_a_session_of_another_door_reaches_no_page_without_it(
    ann: User, clock: time_machine.Coordinates
) -> None:
    enroll(ann)
    client = Client()
    client.force_login(ann)

    assert not inside(client)


def test_customers_are_never_asked_to_enroll(tenant: Tenant, settings: Any) -> None:
    settings.STAFF_TWO_FACTOR = "required"
    make.make_user(Role.CUSTOMER, tenant=tenant, username="carl")
    client = Client()

    answer = log_in(client, "carl")

    assert answer.status_code == 200
    assert client.get("/admin/me/two-factor/")["Location"] == "/admin/login/"


def test_enrolling_ends_the_persons_other_sessions_and_keeps_this_one(
    ann: User, clock: time_machine.Coordinates
) -> None:
    other = Client()
    log_in(other, "ann")
    client = Client()
    log_in(client, "ann")
    client.post("/admin/me/two-factor/", {"do": "begin"})

    client.post("/admin/me/two-factor/", {"do": "confirm", "code": code(shown_secret(client))})

    assert (inside(client), inside(other)) == (True, False)


def test_replacing_asks_for_password_and_code_and_keeps_the_old_until_confirmed(
    ann: User, clock: time_machine.Coordinates
) -> None:
    secret, _codes = enroll(ann)
    later(clock, seconds=30)
    client = Client()
    log_in(client, "ann")
    give_code(client, code(secret))
    later(clock, minutes=6)

    page = client.get("/admin/me/two-factor/")
    assert page["Location"].startswith("/admin/me/step-up/")
    client.post("/admin/me/two-factor/", {"do": "begin"})
    assert Authenticator.objects.count() == 1
    assert step_up(client).status_code == 200
    assert step_up(client, code="000000").status_code == 200
    assert client.get("/admin/me/two-factor/").status_code == 302
    later(clock, seconds=30)
    assert step_up(client, code=code(secret)).status_code == 302

    client.post("/admin/me/two-factor/", {"do": "begin"})
    assert sorted(Authenticator.objects.values_list("confirmed", flat=True)) == [False, True]
    new = shown_secret(client)
    client.post("/admin/me/two-factor/", {"do": "confirm", "code": code(new)})
    assert new != secret
    assert Authenticator.objects.get().secret.reveal() == new
    assert inside(client)


def test_new_recovery_codes_end_the_old_ones(ann: User, clock: time_machine.Coordinates) -> None:
    secret, old = enroll(ann)
    later(clock, seconds=30)
    client = Client()
    log_in(client, "ann")
    give_code(client, code(secret))

    new = shown_codes(client.post("/admin/me/two-factor/", {"do": "renew"}))

    assert len(set(new) | set(old)) == 20
    other = Client()
    log_in(other, "ann")
    assert give_code(other, old[3]).status_code == 200
    later(clock, seconds=5)
    assert give_code(other, new[3]).status_code == 302


def test_the_secret_is_shown_before_it_is_confirmed_only(
    ann: User, clock: time_machine.Coordinates
) -> None:
    secret, _codes = enroll(ann)
    later(clock, seconds=30)
    client = Client()
    log_in(client, "ann")
    give_code(client, code(secret))

    page = client.get("/admin/me/two-factor/")

    assert page.status_code == 200
    assert secret[:4] not in page.content.decode()
    assert b"otpauth" not in page.content
    assert "no-store" in page["Cache-Control"]
