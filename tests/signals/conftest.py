"""Where these tests get instruments and prices from: the stored ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from signals import ports
from trading.marketbook import StoredMarketBook


@pytest.fixture(autouse=True)
def stored_market_book() -> Iterator[None]:
    before = ports.market_book()
    ports.use_market_book(StoredMarketBook())
    yield
    ports.use_market_book(before)
