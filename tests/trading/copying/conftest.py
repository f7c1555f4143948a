"""A desk for every test of copying."""

from __future__ import annotations

import pytest

from accounts.models import Installation
from tests.trading.copying.desk import Desk, make_desk


@pytest.fixture
def desk(db: None) -> Desk:
    Installation.objects.get_or_create(pk=1)
    return make_desk()
