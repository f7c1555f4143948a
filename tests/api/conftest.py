"""One desk on a working day, programs that may enter it, and a stranger's desk beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.api.calls import Programs, make_programs


@pytest.fixture(scope="package")
def everything(django_db_setup: None, django_db_blocker: Any) -> Iterator[Programs]:
    """Made once; each test runs in a savepoint inside this transaction."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_programs()
        transaction.set_rollback(True)


@pytest.fixture
def programs(everything: Programs, db: None, settings: Any) -> Programs:
    settings.API_RATE_PER_TOKEN = settings.API_RATE_PER_TENANT = 1_000_000
    return everything
