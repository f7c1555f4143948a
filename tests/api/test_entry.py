"""Who comes in by a token, and who does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.enums import Role, TenantStatus
from accounts.models import ApiToken, Membership
from accounts.services import add_member, remove_member
from accounts.tenancy import tenant_scope
from accounts.tokens import create_token, revoke_token
from tests import factories as make
from tests.api.calls import Program, Programs, told

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "bearer", "TOKEN"])
def test_both_words_open_the_door(programs: Programs, scheme: str) -> None:
    response = Program(programs.integrator.token, scheme).get("customers")

    assert response.status_code == 200
    assert len(response.json()["data"]["items"]) == 3


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic dXNlcjpwYXNz",
        "Bearer",
        "Bearer ",
        "Bearer cpd_0000",
        "Token cpd_" + "0" * 64,
        "Bearer " + "a" * 5000,
        "Bearer cpd_ and more",
        "Bearer \u00e9",
    ],
)
def test_anything_else_is_told_how_to_enter(programs: Programs, header: str) -> None:
    client = Client()
    headers = {"Authorization": header} if header else {}

    response = client.get("/api/v1/customers", headers=headers)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert response.json()["error"] == {"code": "not_authenticated", "fields": []}


def row_of(programs: Programs, token: str) -> ApiToken:
    with tenant_scope(programs.world.tenant):
        return ApiToken.objects.get(token_prefix=token[:12])


def test_a_revoked_token_opens_nothing(programs: Programs) -> None:
    row = row_of(programs, programs.reader.token)
    with tenant_scope(programs.world.tenant):
        revoke_token(token=row, actor=programs.world.owner)

    assert programs.reader.get("customers").status_code == 401


def test_an_expired_token_opens_nothing(programs: Programs) -> None:
    row = row_of(programs, programs.reader.token)
    row.expires_at = timezone.now()
    with tenant_scope(programs.world.tenant):
        row.save()

    assert programs.reader.get("customers").status_code == 401


@pytest.mark.parametrize("what", ["user", "membership", "role", "desk"])
def test_who_may_no_longer_enter_takes_the_token_along(programs: Programs, what: str) -> None:
    robot = programs.people[Role.INTEGRATOR]
    membership = Membership.objects.filter(user=robot)
    assert programs.integrator.get("customers").status_code == 200
    if what == "user":
        type(robot).objects.filter(pk=robot.pk).update(is_active=False)
    elif what == "membership":
        membership.update(is_active=False)
    elif what == "role":
        membership.update(role=Role.AUDITOR)
    else:
        type(programs.world.tenant).objects.update(status=TenantStatus.SUSPENDED)

    assert programs.integrator.get("customers").status_code == 401


def test_who_is_let_in_again_does_not_bring_old_tokens_back(programs: Programs) -> None:
    robot = programs.people[Role.INTEGRATOR]
    membership = Membership.objects.get(user=robot)

    remove_member(membership=membership, reason="left")
    add_member(user=robot, tenant=membership.tenant, role=Role.INTEGRATOR)

    assert programs.integrator.get("customers").status_code == 401
    row = row_of(programs, programs.integrator.token)
    assert row.revoked_at is not None


def test_a_smaller_role_takes_scopes_along(programs: Programs) -> None:
    robot = programs.people[Role.INTEGRATOR]
    account = programs.world.accounts[0]
    Membership.objects.filter(user=robot).update(role=Role.RISK)

    assert programs.integrator.get("customers").status_code == 200
    response = programs.integrator.post(f"accounts/{account.uid}/pause")

    assert told(response) == (403, "missing_scope", [])


def test_a_session_is_not_looked_at(programs: Programs) -> None:
    client = Client()
    client.force_login(programs.world.owner)

    response = client.get("/api/v1/customers")

    assert response.status_code == 401
    assert not response.cookies


def test_a_token_opens_neither_admin_nor_portal(programs: Programs) -> None:
    owner = Program(make.make_token(programs.world.owner, programs.world.tenant))

    response = owner.get("/admin/")

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def test_a_cookie_beside_a_token_changes_nothing(programs: Programs) -> None:
    client = Client()
    client.force_login(programs.stranger.owner)

    response = client.get(
        "/api/v1/customers", headers={"Authorization": f"Bearer {programs.reader.token}"}
    )

    assert response.status_code == 200
    assert "STRANGER" not in response.content.decode()


def test_only_a_digest_is_kept(programs: Programs) -> None:
    token = programs.integrator.token
    row = row_of(programs, token)

    assert token.startswith("cpd_")
    assert row.token_prefix == token[:12]
    assert token not in repr(vars(row))
    assert len(row.digest) == 128


def test_last_use_is_written_once_a_minute(
    programs: Programs, django_assert_num_queries: Any
) -> None:
    row = row_of(programs, programs.reader.token)
    assert row.last_used_at is None

    programs.reader.get("customers")
    first = row_of(programs, programs.reader.token).last_used_at
    programs.reader.get("customers")

    assert first is not None
    assert row_of(programs, programs.reader.token).last_used_at == first
    row.last_used_at = first - timedelta(minutes=1)
    with tenant_scope(programs.world.tenant):
        row.save()
    programs.reader.get("customers")
    assert row_of(programs, programs.reader.token).last_used_at > first  # type: ignore[operator]


def test_a_token_and_its_text_are_not_told_by_repr(programs: Programs) -> None:
    with tenant_scope(programs.world.tenant):
        made = create_token(
            name="x",
            user=programs.people[Role.INTEGRATOR],
            scopes=["read"],
            lifetime=timedelta(days=1),
            actor=None,
        )

    assert made.text not in repr(made)
