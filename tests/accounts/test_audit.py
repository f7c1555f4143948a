"""The diary: written with the change, never rewritten, and free of secrets."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from accounts import audit
from accounts.audit import AuditMiddleware, Note, NotInTransactionError
from accounts.enums import AuditLevel
from accounts.events import audit_recorded
from accounts.models import AuditEntry, AuditPending, Membership, User
from accounts.scope import ScopeError, all_tenants, tenant_scope
from accounts.sealed import Secret
from accounts.services import add_member, create_tenant, remove_member
from accounts.tenancy import AppendOnlyError
from tests.accounts.worlds import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", password="correct horse")


def entries() -> list[AuditEntry]:
    with all_tenants("test"):
        return list(AuditEntry.objects.order_by("id"))


def test_an_entry_and_its_outbox_row_are_written_together(world: World, alice: User) -> None:
    with tenant_scope(world.a.tenant):
        entry = audit.record(
            action="book.renamed",
            obj=world.a.books[0],
            before={"title": "a1"},
            after={"title": "x"},
            level=AuditLevel.WARNING,
            reason="typo",
            actor=alice,
        )
        stored = AuditEntry.objects.get(pk=entry.pk)

    assert (stored.tenant_id, stored.action, stored.level) == (
        world.a.tenant.pk,
        "book.renamed",
        "warning",
    )
    assert (stored.object_type, stored.object_id, stored.object_label) == (
        "library.book",
        str(world.a.books[0].pk),
        "a1",
    )
    assert (stored.before, stored.after, stored.reason) == ({"title": "a1"}, {"title": "x"}, "typo")
    assert (stored.actor, stored.actor_label) == (alice, "alice")
    assert AuditPending.objects.get().entry_id == entry.pk


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_raises() -> None:
    with pytest.raises(NotInTransactionError):
        audit.record(action="x")

    assert entries() == []
    assert not AuditPending.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_change_leaves_no_entry() -> None:
    with transaction.atomic():
        audit.record(action="x")
        transaction.set_rollback(True)

    assert entries() == []
    assert not AuditPending.objects.exists()


def test_many_entries_cost_two_statements(world: World, django_assert_num_queries: Any) -> None:
    notes = [Note(action=f"book.{n}", obj=world.a.books[0]) for n in range(300)]

    with django_assert_num_queries(2):
        written = audit.record_many(notes)

    assert len(written) == len(entries()) == AuditPending.objects.count() == 300


def test_the_commit_is_announced_once(django_capture_on_commit_callbacks: Any) -> None:
    heard: list[list[str]] = []

    def hear(sender: Any, entry_ids: list[str], **kwargs: Any) -> None:
        heard.append(entry_ids)

    audit_recorded.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            written = audit.record_many([Note(action="one"), Note(action="two")])
    finally:
        audit_recorded.disconnect(hear)

    assert heard == [[str(entry.pk) for entry in written]]


def test_entries_of_the_installation_are_read_under_all_tenants_only(world: World) -> None:
    system = audit.record(action="system", tenant=None)
    with tenant_scope(world.a.tenant):
        own = audit.record(action="own")
        also_system = audit.record(action="system too", tenant=None)
        other = audit.record(action="other", tenant=world.b.tenant)

        assert [e.pk for e in AuditEntry.objects.all()] == [own.pk]
    with pytest.raises(ScopeError):
        AuditEntry.objects.count()
    assert {e.pk for e in entries()} == {system.pk, also_system.pk, own.pk, other.pk}


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.save(),
        lambda e: e.delete(),
        lambda e: AuditEntry.objects.update(action="x"),
        lambda e: AuditEntry.objects.filter(pk=e.pk).update(action="x"),
        lambda e: AuditEntry.objects.all().delete(),
        lambda e: AuditEntry.objects.filter(pk=e.pk)._raw_delete("default"),
        lambda e: AuditEntry.objects.bulk_update([e], ["action"]),
        lambda e: AuditEntry._base_manager.update(action="x"),
        lambda e: AuditEntry.objects.update_or_create(pk=e.pk, defaults={"action": "x"}),
        lambda e: e.save_base(force_update=True),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_nothing_changes_or_deletes_an_entry(world: World, change: Any, whole: bool) -> None:
    entry = audit.record(action="was", tenant=world.a.tenant)
    scope = all_tenants("test") if whole else tenant_scope(world.a.tenant)

    with scope, pytest.raises(AppendOnlyError), transaction.atomic():
        change(entry)

    assert [e.action for e in entries()] == ["was"]


def test_secrets_are_stripped_by_name_wherever_they_hide() -> None:
    canary = "CANARY"
    names = [
        "api_key",
        "apiKey",
        "API-KEY",
        "secret",
        "api_secret",
        "passphrase",
        "password",
        "token",
        "webhook_token",
        "signature",
        "OK-ACCESS-SIGN",
        "private_key",
        "authorization",
    ]
    values: dict[str, Any] = dict.fromkeys(names, canary)
    values |= {
        "deep": {"token": canary, "list": [{"secret": canary}]},
        "sealed": Secret(plain=canary),
        "name": "kept",
        "key_last4": "1234",
        "token_id": 7,
    }

    audit.record(action="x", after=values, before={"password": canary})

    [entry] = entries()
    assert canary not in str(entry.before) + str(entry.after)
    assert entry.after["name"] == "kept"
    assert entry.after["key_last4"] == "1234"
    assert entry.after["token_id"] == 7


def test_values_of_any_kind_are_written_as_text(world: World) -> None:
    from datetime import UTC, date, datetime
    from decimal import Decimal
    from uuid import UUID

    after = {
        "decimal": Decimal("1.50"),
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "uid": UUID(int=1),
        "book": world.a.books[0],
        "set": {1},
        "level": AuditLevel.INFO,
    }

    audit.record(action="x", after=after)

    assert entries()[0].after == {
        "decimal": "1.50",
        "at": "2026-01-02T00:00:00+00:00",
        "day": "2026-01-02",
        "uid": "00000000-0000-0000-0000-000000000001",
        "book": f"library.book:{world.a.books[0].pk}",
        "set": [1],
        "level": "info",
    }


def _answer(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        audit.record(action="seen")
    return HttpResponse()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0123456789abcdef", True),
        ("client-1.request_2", True),
        ("short", False),
        ("x" * 65, False),
        ("line\nbreak-in-it", False),
        ("", False),
    ],
)
def test_the_request_names_itself_and_its_user(given: str, kept: bool, alice: User) -> None:
    request = RequestFactory().get("/", headers={"X-Request-ID": given})
    request.user = alice

    response = AuditMiddleware(_answer)(request)

    [entry] = entries()
    assert (entry.request_id == given) is kept
    assert response["X-Request-ID"] == entry.request_id
    assert len(entry.request_id) >= 8
    assert entry.actor == alice
    assert audit.current_request_id() == ""


def test_without_a_request_the_job_is_named() -> None:
    with audit.acting(label="reconcile"):
        audit.record(action="x")
    audit.record(action="y")

    assert [e.actor_label for e in entries()] == ["reconcile", "system"]


def test_services_write_the_diary(alice: User, django_capture_on_commit_callbacks: Any) -> None:
    tenant = create_tenant(name="North", slug="north", timezone="Asia/Shanghai", day_starts_at=8)
    membership = add_member(user=alice, tenant=tenant, role="trader")
    add_member(user=alice, tenant=tenant, role="risk")
    remove_member(membership=membership, reason="left")
    remove_member(membership=membership)
    add_member(user=alice, tenant=tenant, role="owner")

    actions = [(e.action, e.tenant_id) for e in entries()]
    assert actions == [
        ("tenant.created", tenant.pk),
        ("membership.granted", tenant.pk),
        ("membership.granted", tenant.pk),
        ("membership.revoked", tenant.pk),
        ("membership.granted", tenant.pk),
    ]
    assert Membership.objects.get() == membership
    assert Membership.objects.get().is_active
