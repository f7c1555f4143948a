"""Lock-out: who guesses is stopped, at every door, whoever they claim to be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory

from accounts.addresses import client_ip, client_network
from accounts.enums import AuditLevel, Role
from accounts.models import AuditEntry, Tenant, User
from accounts.scope import all_tenants, tenant_scope
from tests import factories as make
from tests.access.authenticator import code
from tests.access.steps import NOON, enroll, give_code, inside, later, log_in, step_up

THERE = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make.make_tenant()


@pytest.fixture
def ann(tenant: Tenant) -> User:
    return make.make_user(Role.TRADER, tenant=tenant, username="ann")


def fail(name: str, times: int, **headers: Any) -> list[int]:
    return [log_in(Client(**headers), name, "wrong").status_code for _number in range(times)]


def test_five_wrong_passwords_lock_the_name_at_this_address(ann: User) -> None:
    assert fail("ann", 5) == [200, 200, 200, 200, 429]

    assert log_in(Client(), "ann").status_code == 429
    assert not inside(Client())
    assert log_in(Client(**THERE), "ann").status_code == 302


def test_the_page_says_when_to_come_back(ann: User, clock: time_machine.Coordinates) -> None:
    fail("ann", 5)

    page = log_in(Client(), "ann")

    assert page["Retry-After"] == "901"
    assert "for another 15 min 01 s" in page.content.decode()
    assert "ann" not in page.content.decode().replace("cannot", "")


def test_the_lock_ends_by_itself(ann: User, clock: time_machine.Coordinates) -> None:
    fail("ann", 5)
    later(clock, minutes=10)
    assert log_in(Client(), "ann").status_code == 429

    later(clock, minutes=5, seconds=1)

    assert log_in(Client(), "ann").status_code == 302


def test_the_lock_out_is_in_the_diary_of_the_desk_once(ann: User, tenant: Tenant) -> None:
    fail("ann", 8)

    with tenant_scope(tenant):
        entry = AuditEntry.objects.get()
    assert (entry.action, entry.level) == ("user.locked_out", AuditLevel.WARNING)
    assert entry.after == {"username": "ann", "address": "127.0.0.1"}


def test_a_name_that_nobody_has_is_answered_alike(
    ann: User, tenant: Tenant, clock: time_machine.Coordinates
) -> None:
    def pages(name: str) -> list[str]:
        client = Client()
        answers = [log_in(client, name, "wrong") for _number in range(6)]
        return [
            f"{a.status_code} {a.content.decode()}".replace(name, "NAME").split("csrfmiddleware")[0]
            for a in answers
        ]

    assert pages("ann") == pages("bob")
    with tenant_scope(tenant):
        assert AuditEntry.objects.count() == 1
    with all_tenants("reads the entries of the house"):
        assert AuditEntry.objects.get(tenant=None).after["username"] == "bob"


def test_many_names_from_one_address_lock_the_address(ann: User, settings: Any) -> None:
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 8
    for number in range(8):
        fail(f"name{number}", 1, **THERE)

    assert log_in(Client(**THERE), "ann").status_code == 429
    assert log_in(Client(), "ann").status_code == 302


def test_ones_own_success_does_not_forgive_guesses_at_others(ann: User, tenant: Tenant) -> None:
    make.make_user(Role.TRADER, tenant=tenant, username="mallory")
    fail("ann", 4)

    assert log_in(Client(), "mallory").status_code == 302

    assert fail("ann", 1) == [429]


def test_success_forgives_ones_own_mistakes(ann: User) -> None:
    fail("ann", 4)

    log_in(Client(), "ann")

    assert AccessAttempt.objects.count() == 0


def test_wrong_codes_lock_as_wrong_passwords_do(ann: User, clock: time_machine.Coordinates) -> None:
    secret, _codes = enroll(ann)
    client = Client()
    log_in(client, "ann")

    answers = []
    for _attempt in range(5):
        later(clock, seconds=30)
        answers.append(give_code(client, "000000").status_code)

    assert answers == [200, 200, 200, 200, 429]
    later(clock, seconds=30)
    assert give_code(client, code(secret)).status_code == 429
    assert not inside(client)


def test_a_right_password_does_not_forgive_wrong_codes(
    ann: User, clock: time_machine.Coordinates
) -> None:
    enroll(ann)
    answers = []
    for _attempt in range(5):
        client = Client()
        log_in(client, "ann")
        later(clock, seconds=30)
        answers.append(give_code(client, "000000").status_code)

    assert answers[-1] == 429


def test_step_up_locks_too(ann: User) -> None:
    client = Client()
    client.force_login(ann)

    answers = [step_up(client, password="wrong").status_code for _attempt in range(5)]

    assert answers == [200, 200, 200, 200, 429]
    assert step_up(client).status_code == 429


def test_the_portal_counts_with_the_others(tenant: Tenant) -> None:
    make.make_user(Role.CUSTOMER, tenant=tenant, username="carl")
    form = {"username": "carl", "password": "wrong"}

    fail("carl", 2)
    answers = [Client().post("/portal/login/", form).status_code for _attempt in range(3)]

    assert answers == [200, 200, 429]
    right = Client().post("/portal/login/", form | {"password": make.PASSWORD})
    assert right.status_code == 429


def test_no_password_is_kept_of_a_failed_attempt(ann: User) -> None:
    log_in(Client(), "ann", "a-secret-typo")

    row = AccessAttempt.objects.get()
    assert "a-secret-typo" not in f"{row.post_data}{row.get_data}{row.path_info}"


def test_attempts_of_all_desks_are_in_no_page_of_the_admin() -> None:
    assert not [model for model in admin.site._registry if model._meta.app_label == "axes"]


@pytest.mark.parametrize(
    ("label", "proxies", "forwarded", "expected"),
    [
        ("no proxy of ours: a claim is ignored", 0, "198.51.100.7", "10.0.0.1"),
        ("one proxy: what it added", 1, "198.51.100.7", "198.51.100.7"),
        ("one proxy: a claim left of it is ignored", 1, "1.2.3.4, 198.51.100.7", "198.51.100.7"),
        ("two proxies", 2, "1.2.3.4, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("fewer places than proxies: somebody went around", 2, "1.2.3.4", "10.0.0.1"),
        ("not an address", 1, "unknown", "10.0.0.1"),
        ("nothing", 1, "", "10.0.0.1"),
        ("mapped", 1, "::ffff:198.51.100.7", "198.51.100.7"),
        ("with its port", 1, "198.51.100.7:4711", "198.51.100.7"),
        ("six with its port", 1, "[2001:db8::4]:4711", "2001:db8::4"),
        ("six", 1, "[2001:db8:1:2:3::4]", "2001:db8:1:2:3::4"),
    ],
)
def test_only_our_proxies_are_believed(
    label: str, proxies: int, forwarded: str, expected: str, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get(
        "/", REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": forwarded}
    )

    assert client_ip(request) == expected


def test_a_caller_with_many_addresses_is_one() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="2001:db8:1:2:3::4")
    request.user = AnonymousUser()

    assert client_network(request) == "2001:db8:1:2::"


def test_a_forged_header_does_not_escape_the_lock(ann: User) -> None:
    headers = [{"HTTP_X_FORWARDED_FOR": f"198.51.100.{number}"} for number in range(6)]

    answers = [log_in(Client(), "ann", "wrong", **one).status_code for one in headers]

    assert answers == [200, 200, 200, 200, 429, 429]


def test_cool_off_is_what_the_settings_say(settings: Any) -> None:
    assert timedelta(minutes=15) == settings.AXES_COOLOFF_TIME
