"""One desk for the whole folder, made once and rolled back after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.portal.desk import Portal, make_portal


@pytest.fixture(scope="package")
def _portal(django_db_setup: None, django_db_blocker: Any) -> Iterator[Portal]:
    """Each test runs in a savepoint inside this transaction."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_portal()
        transaction.set_rollback(True)


@pytest.fixture
def portal(_portal: Portal, db: None) -> Portal:
    return _portal
