"""The scope of a request: opened for the desk of its user, for as long as the answer is made."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.enums import Role
from accounts.models import AuditEntry, Membership
from accounts.scope import ScopeError, all_tenants, current_scope
from tests.accounts.people import make_member, make_user, signed_in
from tests.accounts.worlds import World, make_world

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.database,
    pytest.mark.urls("tests.accounts.urls"),
]

OF_A, OF_B = "a1 a-shelf;a2 a-shelf;", "b1 b-shelf;b2 b-shelf;"


@pytest.fixture
def world() -> World:
    return make_world()


def test_templates_are_rendered_inside_the_scope(world: World) -> None:
    client = signed_in(make_member(world.a.tenant, Role.TRADER))

    assert client.get("/late/").content.decode().strip() == OF_A
    assert current_scope() is None


def test_streams_are_produced_inside_the_scope(world: World) -> None:
    client = signed_in(make_member(world.a.tenant, Role.TRADER))

    response = client.get("/streamed/")

    chunks = []
    for chunk in response.streaming_content:
        chunks.append(chunk)
        assert current_scope() is None
    assert b"".join(chunks).decode() == OF_A.replace(" ", ",")


def test_anonymous_requests_have_no_scope(world: World) -> None:
    with pytest.raises(ScopeError):
        Client().get("/late/")


def test_a_member_of_two_desks_chooses(world: World) -> None:
    user = make_member(world.a.tenant, Role.TRADER)
    Membership.objects.create(user=user, tenant=world.b.tenant, role=Role.AUDITOR)
    client = signed_in(user)

    assert client.get("/late/").content.decode().strip() == OF_A
    answer = client.post("/accounts/desk/", {"desk": world.b.tenant.uid, "next": "/late/"})
    assert (answer.status_code, answer["Location"]) == (302, "/late/")
    assert client.get("/late/").content.decode().strip() == OF_B
    assert client.get("/late/").wsgi_request.role == Role.AUDITOR


def test_a_foreign_or_closed_desk_in_the_session_is_ignored(world: World) -> None:
    user = make_member(world.a.tenant, Role.TRADER)
    closed = Membership.objects.create(user=user, tenant=world.b.tenant, role=Role.OWNER)
    closed.is_active = False
    closed.save()

    client = signed_in(user, tenant_id=world.b.tenant.pk)

    assert client.get("/late/").content.decode().strip() == OF_A


@pytest.mark.parametrize("desk", ["foreign", "absent", "nonsense"])
def test_foreign_and_absent_desks_are_answered_alike(world: World, desk: str) -> None:
    client = signed_in(make_member(world.a.tenant, Role.TRADER))
    uid = {"foreign": world.b.tenant.uid, "absent": "0" * 32, "nonsense": "x"}[desk]

    assert client.post("/accounts/desk/", {"desk": uid}).status_code == 404
    assert client.get("/late/").content.decode().strip() == OF_A


def test_a_superuser_belongs_to_no_desk_and_chooses_one_on_record(world: World) -> None:
    client = signed_in(make_user("root", is_superuser=True, is_staff=True))
    with pytest.raises(ScopeError):
        client.get("/late/")

    client.post("/accounts/desk/", {"desk": world.b.tenant.uid})

    assert client.get("/late/").content.decode().strip() == OF_B
    with all_tenants("test"):
        [entry] = AuditEntry.objects.all()
    assert (entry.action, entry.tenant_id) == ("desk.entered_by_superuser", world.b.tenant.pk)
    assert entry.actor.username == "root"


def test_leaving_the_desk_takes_effect_at_once(world: World) -> None:
    user = make_member(world.a.tenant, Role.TRADER)
    client = signed_in(user)
    assert client.get("/late/").status_code == 200

    Membership.objects.update(is_active=False)

    with pytest.raises(ScopeError):
        client.get("/late/")
