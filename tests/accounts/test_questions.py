"""Questions compiled once: the same rows as the queryset they are made of, for every desk."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.questions import Given, Question
from accounts.scope import ScopeError, all_tenants, tenant_scope
from tests.accounts.library.models import Book, Rule
from tests.accounts.worlds import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.database]

TITLES = Question(
    lambda: Book.objects.filter(title__among=Given("titles")).order_by("title").values_list("title")
)
OF_SHELVES = Question(
    lambda: (
        Book.objects.filter(shelf_id__among=Given("shelves"))
        .order_by("title")
        .values_list("title", "uid", "shelf_id")
    )
)
BY_UID = Question(
    lambda: Book.objects.filter(uid__among=Given("uids"), title=Given("title")).values_list("uid")
)
RULES = Question(lambda: Rule.objects.order_by("pk").values_list("pk", "tenant_id"))


@pytest.fixture
def world() -> World:
    return make_world()


def test_each_desk_is_told_its_own_rows_only(world: World) -> None:
    every = ["a1", "a2", "b1", "b2"]
    for _ in range(2):  # also when it is compiled already
        with tenant_scope(world.a.tenant):
            assert TITLES.ask(titles=every) == [("a1",), ("a2",)]
        with tenant_scope(world.b.tenant):
            assert TITLES.ask(titles=every) == [("b1",), ("b2",)]
        with all_tenants("a test"):
            assert TITLES.ask(titles=every) == [("a1",), ("a2",), ("b1",), ("b2",)]
            assert TITLES.ask(titles={"b2", "a1", "none"}) == [("a1",), ("b2",)]


def test_no_scope_no_answer() -> None:
    with pytest.raises(ScopeError):
        TITLES.ask(titles=["a1"])
    with pytest.raises(ScopeError):
        TITLES.ask(titles=[])


def test_nothing_is_among_nothing_and_nothing_is_asked(world: World) -> None:
    with tenant_scope(world.a.tenant), CaptureQueriesContext(connection) as queries:
        assert TITLES.ask(titles=[]) == []
        assert BY_UID.ask(uids=set(), title="a1") == []
    assert len(queries) == 0


def test_values_come_back_as_the_queryset_gives_them(world: World) -> None:
    with tenant_scope(world.a.tenant):
        shelves = [world.a.shelf.pk, world.b.shelf.pk]
        rows = OF_SHELVES.ask(shelves=shelves)
        assert rows == list(
            Book.objects.filter(shelf_id__in=shelves)
            .order_by("title")
            .values_list("title", "uid", "shelf_id")
        )
        assert all(isinstance(row[1], uuid.UUID) for row in rows)
        uids = [row[1] for row in rows]
        assert BY_UID.ask(uids=uids, title="a2") == [(uids[1],)]
        assert BY_UID.ask(uids=uids, title="'a2'") == []


@pytest.mark.parametrize(
    "title", ["a'b", 'a"b', "a\\b", "50 %", "%s", "%(titles)s", "a),(b", "é 漢 \U0001f4d6", "a\nb"]
)
def test_a_text_is_told_as_it_is_whatever_is_in_it(world: World, title: str) -> None:
    with tenant_scope(world.a.tenant):
        Book.objects.create(shelf=world.a.shelf, title=title, price=1)
        assert TITLES.ask(titles=[title]) == [(title,)]
        assert set(TITLES.ask(titles=["a1", title, "none"])) == {("a1",), (title,)}


def test_lists_and_single_values_are_told_apart(world: World) -> None:
    """Also where one list has to be escaped and the other not, before or behind a single value."""
    both = Question(
        lambda: Book.objects.filter(
            title__among=Given("titles"),
            shelf__name=Given("shelf"),
            shelf_id__among=Given("shelves"),
        ).values_list("title")
    )
    with tenant_scope(world.a.tenant):
        shelves = [world.a.shelf.pk, world.b.shelf.pk]
        for odd in ("'%s", "%(shelves)s", "plain"):
            titles = ["a2", odd]
            assert both.ask(titles=titles, shelf="a-shelf", shelves=shelves) == [("a2",)]
            assert both.ask(titles=titles, shelf="b-shelf", shelves=shelves) == []


def test_rows_of_the_installation_are_everybodys(world: World) -> None:
    with all_tenants("make rules"):
        for tenant in (None, world.a.tenant, world.b.tenant):
            Rule.objects.create(tenant=tenant)
    for tenant in (world.a.tenant, world.b.tenant):
        with tenant_scope(tenant):
            assert RULES.ask() == list(Rule.objects.order_by("pk").values_list("pk", "tenant_id"))
            assert {owner for _, owner in RULES.ask()} == {None, tenant.pk}


def test_a_value_that_cannot_be_told_is_refused(world: World) -> None:
    with tenant_scope(world.a.tenant), pytest.raises(TypeError, match="timedelta"):
        BY_UID.ask(uids=[uuid.uuid4()], title=timedelta(1))
    with tenant_scope(world.a.tenant), pytest.raises(KeyError):
        BY_UID.ask(uids=[uuid.uuid4()])
