"""The two desks are made once for the whole folder and rolled back after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Model

from signals import ports
from tests.isolation.worlds import Desks, digest, make_desks
from trading.marketbook import StoredMarketBook


@pytest.fixture(scope="package")
def both(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Desks, dict[str, str]]]:
    """Each test runs in a savepoint inside this transaction."""
    before = ports.market_book()
    ports.use_market_book(StoredMarketBook())
    with django_db_blocker.unblock(), transaction.atomic():
        desks = make_desks()
        yield desks, digest(desks.b.tenant)
        transaction.set_rollback(True)
    ports.use_market_book(before)


@pytest.fixture
def desks(both: tuple[Desks, dict[str, str]], db: None) -> Desks:
    return both[0]


@pytest.fixture(scope="package", autouse=True)
def lean_client() -> Iterator[None]:
    """The test client keeps a copy of every template's context; nobody here asks for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.test.client.store_rendered_templates", lambda *args, **kwargs: None)
        yield


@pytest.fixture
def plain_pages(settings: Any) -> None:
    """Pages without the sidebar, whose counts other tests look at: twice as fast."""
    sidebar = settings.UNFOLD["SIDEBAR"] | {"navigation": [{"title": "Nothing", "items": []}]}
    settings.UNFOLD = settings.UNFOLD | {"SIDEBAR": sidebar}


@pytest.fixture
def untouched(both: tuple[Desks, dict[str, str]], desks: Desks) -> Iterator[None]:
    """After the test, every row of desk B is as it was before all of them."""
    yield
    assert digest(desks.b.tenant) == both[1]


def pytest_make_parametrize_id(config: Any, val: Any) -> str | None:
    return val._meta.label if isinstance(val, type) and issubclass(val, Model) else None
