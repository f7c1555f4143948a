"""Every way of reading a tenant's table: closed with no scope, one desk's rows within one."""

# ruff: noqa: PLW0108 (each queryset is built when its test runs, not here)
from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable

import pytest
from asgiref.sync import async_to_sync
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Count, Exists, F, Max, OuterRef, Q, Subquery, sql
from django.forms import modelform_factory
from django.test.utils import CaptureQueriesContext

from accounts.models import Tenant
from accounts.queries import ScopedQuery
from accounts.scope import ScopeError, all_tenants, tenant_scope
from accounts.tenancy import TenantQuerySet
from tests.accounts.library.models import Book, Rule, Shelf
from tests.accounts.worlds import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]

Read = Callable[[], Iterable[object]]
everything = Book.objects.order_by("title")  # built at import, as forms and views do


def _async_titles(how: str) -> list[str]:
    async def collect() -> list[str]:
        if how == "iterate":
            return [book.title async for book in Book.objects.exclude(title="x")]
        if how == "aiterator":
            return [book.title async for book in Book.objects.all().aiterator()]
        return [book.title for book in (await Book.objects.ain_bulk()).values()]

    return async_to_sync(collect)()


READS: dict[str, Read] = {
    "all": lambda: [b.title for b in Book.objects.all()],
    "own queryset method": lambda: [b.title for b in Book.objects.all().cheap()],
    "filter": lambda: [b.title for b in Book.objects.filter(price__gt=0)],
    "filter or": lambda: [b.title for b in Book.objects.filter(Q(price=1) | Q(price=2))],
    "exclude": lambda: [b.title for b in Book.objects.exclude(title="x")],
    "exclude over a multi-valued relation": lambda: [
        s.name for s in Shelf.objects.exclude(books__title="x")
    ],
    "exclude over a forward and a multi-valued relation": lambda: [
        b.title for b in Book.objects.exclude(shelf__books__title="x")
    ],
    "querysets joined by or": lambda: [
        b.title for b in Book.objects.filter(price=1) | Book.objects.filter(price=2)
    ],
    "values": lambda: [row["title"] for row in Book.objects.values("title")],
    "values_list": lambda: list(Book.objects.values_list("title", flat=True)),
    "iterator": lambda: [b.title for b in Book.objects.iterator()],
    "union": lambda: [
        b.title for b in Book.objects.filter(price=1).union(Book.objects.filter(price=2))
    ],
    "slice": lambda: [b.title for b in Book.objects.order_by("title")[:10]],
    "distinct": lambda: [b.title for b in Book.objects.order_by("title").distinct()],
    "first and last": lambda: [
        getattr(Book.objects.order_by("title").first(), "title", None),
        getattr(Book.objects.order_by("title").last(), "title", None),
    ],
    "in_bulk": lambda: [b.title for b in Book.objects.in_bulk().values()],
    "aggregate": lambda: [Book.objects.aggregate(m=Max("title"))["m"]],
    "annotate": lambda: [
        b.title for b in Book.objects.annotate(n=Count("shelf__books")).filter(n__gt=0)
    ],
    "group by": lambda: [
        row["title"] for row in Book.objects.values("title").annotate(n=Count("pk"))
    ],
    "join": lambda: [b.shelf.name for b in Book.objects.select_related("shelf")],
    "prefetch": lambda: [
        b.title for s in Shelf.objects.prefetch_related("books") for b in s.books.all()
    ],
    "subquery": lambda: [s.name for s in Shelf.objects.filter(pk__in=Book.objects.values("shelf"))],
    "exists subquery": lambda: [
        s.name for s in Shelf.objects.filter(Exists(Book.objects.filter(shelf=OuterRef("pk"))))
    ],
    "base manager": lambda: [b.title for b in Book._base_manager.all()],
    "default manager": lambda: [b.title for b in Book._default_manager.all()],
    "built at import": lambda: [b.title for b in everything.all()],
    "pickled query": lambda: [title for title in _from_pickled_query() if title],
    "copied": lambda: [b.title for b in copy.deepcopy(Book.objects.all())],
    "paginator": lambda: [b.title for b in Paginator(everything.all(), 10).page(1)],
    "model form choices": lambda: [
        label
        for _, label in modelform_factory(Book, fields=["shelf"])().fields["shelf"].choices
        if label != "---------"
    ],
    "reverse": lambda: list(
        Book.objects.order_by("title").values_list("title", flat=True).reverse()
    ),
    "async for": lambda: _async_titles("iterate"),
    "aiterator": lambda: _async_titles("aiterator"),
    "ain_bulk": lambda: _async_titles("ain_bulk"),
    "deferred": lambda: [b.title for b in Book.objects.only("pk")],
    "F comparison": lambda: [b.title for b in Book.objects.filter(price=F("price"))],
    "select for update": lambda: [b.title for b in Book.objects.select_for_update()],
    "system rows": lambda: [r.name for r in Rule.objects.all() if r.tenant_id],
}
# Ways that return no rows: what each must answer in a scope that holds two books.
PROBES: dict[str, tuple[Callable[[], object], object]] = {
    "count": (lambda: Book.objects.all()[:9].count(), 2),
    "len": (lambda: len(Book.objects.all()), 2),
    "exists": (lambda: Book.objects.filter(title="b1").exists(), False),
    "exclude exists": (lambda: Book.objects.exclude(title__in=["a1", "a2"]).exists(), False),
    "aexists": (lambda: async_to_sync(Book.objects.filter(title="b1").aexists)(), False),
    "acount": (lambda: async_to_sync(Book.objects.all().acount)(), 2),
    "contains": (lambda: "b1" in Book.objects.values_list("title", flat=True), False),
    "union count": (
        lambda: Book.objects.filter(price=1).union(Book.objects.filter(price=2)).count(),
        2,
    ),
    "distinct count": (lambda: Book.objects.values("title").distinct().count(), 2),
    "bool": (lambda: bool(Book.objects.filter(title="b1")), False),
    "system rows": (lambda: Rule.objects.all()[:9].count(), 2),
}


def _from_pickled_query() -> list[str]:
    rows = Book.objects.all()
    rows.query = pickle.loads(pickle.dumps(rows.query))
    return [book.title for book in rows]


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.mark.parametrize("path", READS)
def test_no_scope_no_rows(world: World, path: str) -> None:
    with pytest.raises(ScopeError):
        list(READS[path]())


@pytest.mark.parametrize("path", READS)
def test_a_scope_shows_its_own_rows_only(world: World, path: str) -> None:
    with tenant_scope(world.a.tenant):
        seen = [str(value) for value in READS[path]()]

    assert seen
    assert all(value.startswith("a") for value in seen)


@pytest.mark.parametrize("path", READS)
def test_all_tenants_shows_every_row(world: World, path: str) -> None:
    with all_tenants("test"):
        seen = {str(value)[0] for value in READS[path]()}

    assert seen == ({"b"} if path == "aggregate" else {"a", "b"})


@pytest.mark.parametrize("path", PROBES)
def test_no_scope_no_answer(world: World, path: str) -> None:
    with pytest.raises(ScopeError):
        PROBES[path][0]()


@pytest.mark.parametrize("path", PROBES)
def test_answers_count_own_rows_only(world: World, path: str) -> None:
    probe, expected = PROBES[path]

    with tenant_scope(world.a.tenant):
        assert probe() == expected


def test_a_foreign_row_cannot_be_got(world: World) -> None:
    foreign = world.b.books[0]

    with tenant_scope(world.a.tenant):
        for lookup in ({"pk": foreign.pk}, {"uid": foreign.uid}, {"title": "b1"}):
            with pytest.raises(Book.DoesNotExist):
                Book.objects.get(**lookup)


def test_forward_relations_and_refresh_are_scoped(world: World) -> None:
    foreign = Book(pk=world.b.books[0].pk, shelf_id=world.b.shelf.pk)

    with tenant_scope(world.a.tenant):
        with pytest.raises(Shelf.DoesNotExist):
            _ = foreign.shelf
        with pytest.raises(Book.DoesNotExist):
            foreign.refresh_from_db()
    with pytest.raises(ScopeError):
        _ = foreign.shelf
    with pytest.raises(ScopeError):
        foreign.refresh_from_db()


def test_reverse_relations_are_scoped(world: World) -> None:
    with pytest.raises(ScopeError):
        list(world.a.shelf.books.all())
    with tenant_scope(world.a.tenant):
        assert list(world.b.shelf.books.all()) == []


def test_raw_sql_needs_all_tenants(world: World) -> None:
    statement = "SELECT * FROM library_book"

    with pytest.raises(ScopeError):
        Book.objects.raw(statement)
    with tenant_scope(world.a.tenant), pytest.raises(ScopeError):
        Book.objects.raw(statement)
    with all_tenants("test"):
        assert len(list(Book.objects.raw(statement))) == 4


def test_explain_is_scoped(world: World) -> None:
    with pytest.raises(ScopeError):
        Book.objects.all().explain()
    with tenant_scope(world.a.tenant):
        assert Book.objects.all().explain()


def test_printing_a_query_needs_a_scope_too(world: World) -> None:
    with pytest.raises(ScopeError):
        str(Book.objects.all().query)


def test_a_join_from_a_global_table_needs_a_scope_in_its_subquery(world: World) -> None:
    desks = Tenant.objects.filter(pk__in=Book.objects.values("tenant"))

    with pytest.raises(ScopeError):
        list(desks)


def test_a_query_built_in_one_scope_refuses_another(world: World) -> None:
    with tenant_scope(world.a.tenant):
        rows = Book.objects.all()
        subquery = Subquery(Book.objects.filter(pk=OuterRef("pk")).values("title"))

    with pytest.raises(ScopeError):
        list(rows)
    for scope in (tenant_scope(world.b.tenant), all_tenants("test")):
        with scope:
            with pytest.raises(ScopeError):
                rows.count()
            with pytest.raises(ScopeError):
                list(rows.filter(pk=1))
            with pytest.raises(ScopeError):
                list(Book.objects.annotate(t=subquery))


def test_rows_already_read_are_not_shown_in_another_scope(world: World) -> None:
    rows = Book.objects.all()
    with tenant_scope(world.a.tenant):
        assert len(rows) == 2

    with tenant_scope(world.b.tenant), pytest.raises(ScopeError):
        list(rows)
    with pytest.raises(ScopeError):
        list(rows)


def test_an_unpickled_queryset_keeps_its_scope(world: World) -> None:
    with tenant_scope(world.a.tenant):
        pickled = pickle.dumps(Book.objects.all().query)

    rows = Book.objects.all()
    rows.query = pickle.loads(pickled)
    with tenant_scope(world.b.tenant), pytest.raises(ScopeError):
        list(rows)


def test_a_plain_query_cannot_be_put_into_a_tenant_queryset(world: World) -> None:
    rows = Book.objects.all()

    with pytest.raises(ScopeError):
        rows.query = sql.Query(Book)
    with pytest.raises(ScopeError):
        TenantQuerySet(Book, query=sql.Query(Book))


def test_none_is_empty_everywhere(world: World) -> None:
    assert list(Book.objects.none()) == []
    assert Book.objects.none().count() == 0


def test_system_rows_are_read_in_every_scope(world: World) -> None:
    with tenant_scope(world.a.tenant):
        assert sorted(r.name for r in Rule.objects.all()) == ["a-rule", "system-rule"]
        assert [r.name for r in Rule.objects.filter(Q(name="b-rule") | Q(name="system-rule"))] == [
            "system-rule"
        ]


def test_the_filter_costs_no_extra_query(
    world: World, django_assert_num_queries: Callable[[int], CaptureQueriesContext]
) -> None:
    with tenant_scope(world.a.tenant), django_assert_num_queries(1):
        list(Book.objects.select_related("shelf"))


# What the tests above must notice: each guard, and a read that leaks without it.


def test_without_the_compile_guard_every_read_leaks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScopedQuery, "get_compiler", sql.Query.get_compiler)
    monkeypatch.setattr(TenantQuerySet, "_fetch_all", models.QuerySet._fetch_all)

    sealed = {path for path in READS if "b" not in {str(value)[0] for value in READS[path]()}}
    assert sealed == set()


def test_without_the_filter_every_read_leaks_within_a_scope(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScopedQuery, "_restricted", lambda self: self)

    with tenant_scope(world.a.tenant):
        sealed = {path for path in READS if "b" not in {str(v)[0] for v in READS[path]()}}
    assert sealed == set()


def test_without_the_raw_guard_raw_leaks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TenantQuerySet, "raw", models.QuerySet.raw)

    with tenant_scope(world.a.tenant):
        assert len(list(Book.objects.all().raw("SELECT * FROM library_book"))) == 4


def test_without_the_origin_guard_a_foreign_query_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenant_scope(world.a.tenant):
        rows = Book.objects.all()
    monkeypatch.setattr(ScopedQuery, "checked_scope", lambda self: tenant_b)
    from accounts.scope import Scope

    tenant_b = Scope(world.b.tenant.pk)
    with tenant_scope(world.b.tenant):
        assert [b.title for b in rows] == ["b1", "b2"]


def test_without_the_cache_guard_read_rows_leak(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TenantQuerySet, "_fetch_all", models.QuerySet._fetch_all)
    rows = Book.objects.all()
    with tenant_scope(world.a.tenant):
        len(rows)

    with tenant_scope(world.b.tenant):
        assert {b.title for b in rows} == {"a1", "a2"}
