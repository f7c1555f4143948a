"""Nothing is served that the matrix does not know, and the matrix knows nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db.models import UUIDField
from django.urls import URLPattern, get_resolver

from config.asgi import sockets
from config.celery import app
from tests.isolation import matrix
from tests.isolation.attacks import FURTHER_PAGES, admins
from tests.isolation.test_admin import MODELS

OURS = (
    "accounts.",
    "config.",
    "customers.",
    "notifications.",
    "signals.",
    "strategies.",
    "trading.",
)


def served(patterns: Any = None, prefix: str = "") -> Iterator[str]:
    for item in get_resolver().url_patterns if patterns is None else patterns:
        address = prefix + str(item.pattern)
        if isinstance(item, URLPattern):
            yield address
        else:
            yield from served(item.url_patterns, address)


def known() -> dict[str, str]:
    apps = "|".join(dict.fromkeys(model._meta.app_label for model, _ in admins()))
    listed = {k.replace("{apps}", apps): kind for k, kind in matrix.ROUTES.items()}
    listed |= matrix.FURTHER
    for model in MODELS:
        place = f"admin/{model._meta.app_label}/{model._meta.model_name}/"
        listed |= {k.replace("{admin}", place): kind for k, kind in matrix.PER_MODEL.items()}
    return listed


def test_every_route_is_listed() -> None:
    unlisted = sorted(set(served()) - set(known()))

    assert unlisted == [], "add them to tests/isolation/matrix.py, and attack them"


def test_every_listed_route_is_served() -> None:
    stale = sorted(set(known()) - set(served()))

    assert stale == [], "remove them from tests/isolation/matrix.py"


def test_a_route_that_nobody_listed_is_found() -> None:
    from django.urls import path

    new = [path("admin/leak/<int:pk>/", lambda request: None, name="leak")]

    assert set(served([*get_resolver().url_patterns, *new])) - set(known()) == {
        "admin/leak/<int:pk>/"
    }


def test_every_route_is_of_a_kind_that_is_attacked_or_has_a_reason() -> None:
    for address, kind in known().items():
        name, _, reason = kind.partition(": ")

        assert name in matrix.KINDS, address
        assert reason or (Path(__file__).parent / matrix.PROVED_BY[name]).exists(), address
        assert (name in {"exempt", "public", "desk"}) == bool(reason), address


def test_pages_that_an_admin_adds_are_attacked() -> None:
    attacked = {
        f"admin/{label.replace('.', '/').lower()}/<{_key(label)}:object_id>/{page}/"
        for label, pages in FURTHER_PAGES.items()
        for page in pages
    }

    assert attacked == set(matrix.FURTHER)


def _key(label: str) -> str:
    return "uuid" if isinstance(apps.get_model(label)._meta.pk, UUIDField) else "int"


def test_every_task_is_listed() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.startswith(OURS)}

    assert ours == set(matrix.TASKS)


@pytest.mark.parametrize(("name", "how"), matrix.TASKS.items())
def test_tasks_take_ids_and_nothing_of_a_desk(name: str, how: str) -> None:
    app.loader.import_default_modules()
    taken = set(inspect.signature(app.tasks[name].run).parameters)
    ids = {n for n in taken if n.endswith(("_id", "_ids"))}

    assert bool(ids) == how.startswith("ids: ")
    assert not {n for n in taken if "tenant" in n or "desk" in n}
    assert taken - ids <= {"cause"}


def test_every_socket_is_listed() -> None:
    assert {str(route.pattern) for route in sockets} == set(matrix.SOCKETS)
