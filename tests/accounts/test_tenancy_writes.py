"""Every way of writing a tenant's table: closed with no scope, one desk's rows within one."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from asgiref.sync import async_to_sync
from django.core import serializers
from django.db import connection, transaction
from django.db.models import F
from django.db.utils import DatabaseError

from accounts import tenancy
from accounts.bulk import insert_many
from accounts.models import Tenant
from accounts.scope import ScopeError, all_tenants, tenant_scope
from tests.accounts.library.models import Book, Loan, Rule
from tests.accounts.worlds import World, make_world, titles

pytestmark = [pytest.mark.django_db, pytest.mark.database]

Write = Callable[[World], object]
ALL = ["a1", "a2", "b1", "b2"]


def _renamed(book: Book) -> Book:
    book.title = "changed"
    return book


def _new(world: World, **values: object) -> Book:
    return Book(**{"shelf": world.a.shelf, "title": "new", **values})


def _fixture(world: World) -> str:
    book = _new(world, tenant=world.a.tenant, uid=uuid.uuid4(), required_secret=None)
    return serializers.serialize("json", [book])


def _load(text: str) -> None:
    for item in serializers.deserialize("json", text):
        item.save()


# With no scope open each of these must raise and change nothing.
WRITES: dict[str, Write] = {
    "create": lambda w: Book.objects.create(shelf=w.a.shelf, title="new"),
    "create with a tenant": lambda w: Book.objects.create(
        shelf=w.a.shelf, title="new", tenant=w.a.tenant
    ),
    "save": lambda w: _new(w, tenant=w.a.tenant).save(),
    "save changed": lambda w: _renamed(w.a.books[0]).save(),
    "save some fields": lambda w: _renamed(w.a.books[0]).save(update_fields=["title"]),
    "asave": lambda w: async_to_sync(_new(w).asave)(),
    "get_or_create": lambda w: Book.objects.get_or_create(title="new", shelf=w.a.shelf),
    "update_or_create": lambda w: Book.objects.update_or_create(
        title="a1", defaults={"title": "changed"}
    ),
    "related create": lambda w: w.a.shelf.books.create(title="new"),
    "related add": lambda w: w.a.shelf.books.add(_new(w), bulk=False),
    "update": lambda w: Book.objects.filter(title="a1").update(title="changed"),
    "exclude update": lambda w: Book.objects.exclude(title="a1").update(title="changed"),
    "update nothing": lambda w: Book.objects.none().update(title="changed"),
    "aupdate": lambda w: async_to_sync(Book.objects.filter(title="a1").aupdate)(title="changed"),
    "delete": lambda w: Loan.objects.all().delete(),
    "exclude delete": lambda w: Book.objects.exclude(title="x").delete(),
    "raw delete": lambda w: Loan.objects.all()._raw_delete("default"),
    "instance delete": lambda w: w.a.books[1].delete(),
    "cascade": lambda w: w.a.shelf.delete(),
    "desk delete": lambda w: w.a.tenant.delete(),
    "bulk_create": lambda w: Book.objects.bulk_create([_new(w)]),
    "bulk_create with a tenant": lambda w: Book.objects.bulk_create([_new(w, tenant=w.a.tenant)]),
    "bulk_create nothing": lambda w: Book.objects.bulk_create([]),
    "bulk_update": lambda w: Book.objects.bulk_update([_renamed(w.a.books[0])], ["title"]),
    "bulk_update nothing": lambda w: Book.objects.bulk_update([], ["title"]),
    "insert_many": lambda w: insert_many([Loan(book=w.a.books[0], tenant=w.a.tenant)]),
    "load a fixture": lambda w: _load(_fixture(w)),
    "base manager update": lambda w: Book._base_manager.update(price=9),
    "base manager insert": lambda w: Book._base_manager.bulk_create([_new(w)]),
}

# Within A's scope each of these aims at B and must raise, changing nothing.
ATTACKS: dict[str, Write] = {
    "save a foreign row": lambda w: _renamed(w.b.books[0]).save(),
    "save a foreign row as one's own": lambda w: _stolen(w).save(),
    "force an update of a foreign row": lambda w: _stolen(w).save(force_update=True),
    "create for another desk": lambda w: Book.objects.create(
        shelf=w.b.shelf, title="new", tenant=w.b.tenant
    ),
    "create under a foreign parent": lambda w: Book.objects.create(shelf=w.b.shelf, title="new"),
    "create under a foreign parent's key": lambda w: Book.objects.create(
        shelf_id=w.b.shelf.pk, title="new"
    ),
    "create under an absent parent": lambda w: Book.objects.create(shelf_id=10**9, title="new"),
    "move to a foreign parent": lambda w: _moved(w).save(),
    "move by one field": lambda w: _moved(w).save(update_fields=["shelf"]),
    "get_or_create under a foreign parent": lambda w: Book.objects.get_or_create(
        shelf=w.b.shelf, title="new"
    ),
    "delete a foreign row": lambda w: w.b.books[1].delete(),
    "delete a foreign row as one's own": lambda w: _stolen(w).delete(),
    "bulk_create for another desk": lambda w: Book.objects.bulk_create(
        [_new(w, tenant=w.b.tenant, shelf=w.b.shelf)]
    ),
    "bulk_create under a foreign parent": lambda w: Book.objects.bulk_create(
        [_new(w, shelf=w.b.shelf)]
    ),
    "bulk_create under a foreign parent's key": lambda w: Book.objects.bulk_create(
        [Book(shelf_id=w.b.shelf.pk, title="new")]
    ),
    "bulk_create over a foreign row": lambda w: Book.objects.bulk_create(
        [_stolen(w)], update_conflicts=True, update_fields=["title"], unique_fields=_conflict()
    ),
    "bulk_create over a foreign row, by position": lambda w: Book.objects.bulk_create(
        [_stolen(w)], None, False, True, ["title"], ["pk"]
    ),
    "bulk_update a foreign row": lambda w: Book.objects.bulk_update(
        [_renamed(w.b.books[0])], ["title"]
    ),
    "bulk_update to a foreign parent": lambda w: Book.objects.bulk_update([_moved(w)], ["shelf"]),
    "update to another desk": lambda w: Book.objects.update(tenant=w.b.tenant),
    "update to another desk's key": lambda w: Book.objects.update(tenant_id=w.b.tenant.pk),
    "update to a computed desk": lambda w: Book.objects.update(tenant=F("tenant") + 1),
    "update to a foreign parent": lambda w: Book.objects.update(shelf=w.b.shelf),
    "update to a foreign parent's key": lambda w: Book.objects.update(shelf_id=w.b.shelf.pk),
    "insert_many for another desk": lambda w: insert_many(
        [Loan(book=w.b.books[0], tenant=w.b.tenant)]
    ),
    "insert_many under a foreign parent": lambda w: insert_many([Loan(book=w.b.books[0])]),
    "load a fixture of another desk": lambda w: _load(
        _fixture(w).replace(f'"tenant": {w.a.tenant.pk}', f'"tenant": {w.b.tenant.pk}')
    ),
    "write a system row": lambda w: Rule(name="new", tenant=None).save() or _check_system(w),
    "reverse add": lambda w: w.a.shelf.books.add(w.b.books[0], bulk=False),
}

# Within A's scope each of these reaches for B's rows and must find none.
MISSES: dict[str, Write] = {
    "update": lambda w: Book.objects.filter(title="b1").update(title="changed"),
    "update by key": lambda w: Book.objects.filter(pk=w.b.books[0].pk).update(title="changed"),
    "update through a join": lambda w: Book.objects.filter(shelf__name="b-shelf").update(price=9),
    "base manager update": lambda w: Book._base_manager.filter(title="b1").update(title="x"),
    "delete": lambda w: Book.objects.filter(title="b2").delete()[0],
    "delete by key": lambda w: Loan.objects.filter(pk=w.b.loan.pk).delete()[0],
    "raw delete": lambda w: Loan.objects.filter(pk=w.b.loan.pk)._raw_delete("default"),
    "change a system row": lambda w: Rule.objects.filter(name="system-rule").update(name="x"),
    "delete a system row": lambda w: Rule.objects.filter(name="system-rule").delete()[0],
    "fast delete of a system row": lambda w: Rule.objects.filter(tenant=None)._raw_delete(
        "default"
    ),
    "reverse add in bulk": lambda w: w.a.shelf.books.add(w.b.books[0]),
}


def _stolen(world: World) -> Book:
    foreign = world.b.books[0]
    book = Book(pk=foreign.pk, uid=uuid.uuid4(), shelf=world.a.shelf, title="stolen")
    book.tenant = world.a.tenant
    return book


def _conflict() -> list[str] | None:
    # MySQL does not let one name the key whose conflict is meant.
    return ["pk"] if connection.features.supports_update_conflicts_with_target else None


def _moved(world: World) -> Book:
    book = world.a.books[0]
    book.shelf = world.b.shelf
    return book


def _check_system(world: World) -> None:
    assert not Rule.objects.filter(name="new", tenant=None).exists()
    raise ScopeError("it was written for the own desk")


def _rules() -> list[str]:
    with all_tenants("test"):
        return sorted(Rule.objects.values_list("name", flat=True))


def _loans() -> int:
    with all_tenants("test"):
        return Loan.objects.count()


def _parents() -> dict[str, tuple[int, int, object]]:
    with all_tenants("test"):
        return {b.title: (b.tenant_id, b.shelf_id, b.price) for b in Book.objects.all()}


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.mark.parametrize("path", WRITES)
def test_no_scope_no_write(world: World, path: str) -> None:
    before = _parents()

    with pytest.raises(ScopeError), transaction.atomic():
        WRITES[path](world)

    assert titles() == ALL
    assert _parents() == before
    assert _loans() == 2


@pytest.mark.parametrize("path", ATTACKS)
def test_a_scope_refuses_to_write_for_another_desk(world: World, path: str) -> None:
    before = _parents()

    with (
        tenant_scope(world.a.tenant),
        pytest.raises((ScopeError, DatabaseError)),
        transaction.atomic(),
    ):
        ATTACKS[path](world)

    assert titles() == ALL
    assert _parents() == before
    assert _loans() == 2


@pytest.mark.parametrize("path", MISSES)
def test_a_scope_does_not_reach_foreign_rows(world: World, path: str) -> None:
    before = (_parents(), _rules(), _loans())

    with tenant_scope(world.a.tenant):
        assert not MISSES[path](world)

    assert (_parents(), _rules(), _loans()) == before


def test_each_write_works_in_its_own_scope(world: World) -> None:
    for path in sorted(set(WRITES) - {"desk delete", "cascade", "exclude delete"}):
        with tenant_scope(world.a.tenant):
            sid = transaction.savepoint()
            WRITES[path](world)
            transaction.savepoint_rollback(sid)


def test_save_fills_in_the_tenant(world: World) -> None:
    with tenant_scope(world.a.tenant):
        assert Book.objects.create(shelf=world.a.shelf, title="x").tenant_id == world.a.tenant.pk
        [made] = Book.objects.bulk_create([Book(shelf=world.a.shelf, title="y")])
        assert made.tenant_id == world.a.tenant.pk


def test_all_tenants_still_needs_a_tenant_and_matching_parents(world: World) -> None:
    with all_tenants("test"):
        with pytest.raises(ScopeError):
            Book.objects.create(shelf=world.a.shelf, title="new")
        with pytest.raises(ScopeError):
            Book.objects.create(shelf=world.a.shelf, title="new", tenant=world.b.tenant)
        with pytest.raises(ScopeError):
            Book.objects.create(shelf_id=world.a.shelf.pk, title="new", tenant=world.b.tenant)
        with pytest.raises(ScopeError):
            Book.objects.bulk_create(
                [Book(shelf_id=world.a.shelf.pk, title="new", tenant=world.b.tenant)]
            )
        Book.objects.create(shelf=world.a.shelf, title="new", tenant=world.a.tenant)


def test_system_rows_are_written_under_all_tenants_only(world: World) -> None:
    with all_tenants("test"):
        rule = Rule.objects.get(name="system-rule")
        rule.name = "changed"
        rule.save()
    with tenant_scope(world.a.tenant):
        mine = Rule.objects.get(name="changed")
        with pytest.raises(ScopeError):
            mine.save()
        with pytest.raises(ScopeError):
            mine.delete()


@pytest.mark.parametrize("wrong", [None, True, "1", Tenant(name="unsaved"), 1.0])
def test_tenant_scope_refuses_what_is_no_tenant(wrong: object) -> None:
    with pytest.raises(ScopeError), tenant_scope(wrong):  # type: ignore[arg-type]
        pass


def test_all_tenants_needs_a_reason() -> None:
    with pytest.raises(ScopeError), all_tenants(" "):
        pass


def test_scopes_nest_and_close(world: World) -> None:
    with tenant_scope(world.a.tenant):
        with all_tenants("test"):
            assert tenancy.is_all_tenants()
            assert tenancy.current_tenant_id() is None
        assert tenancy.current_tenant_id() == world.a.tenant.pk
    with pytest.raises(ValueError, match="boom"), tenant_scope(world.a.tenant):
        raise ValueError("boom")
    assert tenancy.current_scope() is None
