"""The library app and its two desks, for every test of room 1."""

from __future__ import annotations

from typing import Any

import pytest

from tests.accounts import library

library.install()


@pytest.fixture
def plain_pages(settings: Any) -> None:
    """The admin's pages without the product's own sidebar, whose addresses are not these."""
    settings.UNFOLD = {}
    settings.ROOT_URLCONF = "tests.accounts.urls"
