"""The write tests see each guard: with it gone, an attack of theirs gets through."""

from __future__ import annotations

import pytest
from django.db import models, transaction
from django.db.models import F, sql

from accounts import ownership, tenancy
from accounts.queries import ScopedQuery, ScopedUpdateQuery
from accounts.scope import ScopeError, all_tenants, tenant_scope
from accounts.tenancy import TenantModel, TenantQuerySet
from tests.accounts.library.models import Book
from tests.accounts.test_tenancy_writes import ALL, ATTACKS, MISSES, WRITES, Write, _loans
from tests.accounts.worlds import World, make_world, titles

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def world() -> World:
    return make_world()


def _gets_through(world: World, write: Write, *, scope: bool) -> bool:
    try:
        with transaction.atomic():
            if scope:
                with tenant_scope(world.a.tenant):
                    write(world)
            else:
                write(world)
            return (titles(), _loans()) != (ALL, 2) or _foreign_parent()
    except ScopeError:
        return False


def _foreign_parent() -> bool:
    with all_tenants("test"):
        return Book.objects.exclude(tenant=F("shelf__tenant")).exists()


GUARDS: dict[str, tuple[object, str, object, str, bool]] = {
    "insert": (TenantQuerySet, "_insert", models.QuerySet._insert, "load a fixture", False),
    "own row": (
        ownership,
        "assert_own",
        lambda obj, scope: None,
        "create for another desk",
        True,
    ),
    "parents": (
        ownership,
        "_assert_parents",
        lambda *a: None,
        "create under a foreign parent's key",
        True,
    ),
    "update values": (
        tenancy,
        "assert_values",
        lambda *a: None,
        "update to a foreign parent's key",
        True,
    ),
    "instance delete": (
        TenantModel,
        "delete",
        models.Model.delete,
        "delete a foreign row as one's own",
        True,
    ),
    "bulk_create": (
        TenantQuerySet,
        "bulk_create",
        models.QuerySet.bulk_create,
        "bulk_create over a foreign row",
        True,
    ),
    "raw delete": (
        TenantQuerySet,
        "_raw_delete",
        models.QuerySet._raw_delete,
        "raw delete",
        False,
    ),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_the_attack_is_noticed_when_its_guard_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    owner, name, replacement, path, scoped = GUARDS[guard]
    write = (ATTACKS if scoped else WRITES)[path]
    assert not _gets_through(world, write, scope=scoped)

    monkeypatch.setattr(owner, name, replacement)
    if guard == "own row":
        monkeypatch.setattr(tenancy, name, replacement)

    assert _gets_through(world, write, scope=scoped)


@pytest.mark.parametrize("path", ["update", "update by key", "update through a join"])
def test_the_reach_is_noticed_when_updates_are_not_narrowed(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(ScopedQuery, "chain", sql.Query.chain)

    with tenant_scope(world.a.tenant):
        assert MISSES[path](world) > 0


def test_the_reach_is_noticed_when_writes_see_system_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScopedUpdateQuery, "reads_rows", True)

    with tenant_scope(world.a.tenant):
        assert MISSES["change a system row"](world) == 1
