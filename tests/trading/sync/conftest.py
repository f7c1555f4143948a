"""An account whose market lists BTC and ETH swaps."""

from __future__ import annotations

import pytest

from customers.models import ExchangeAccount
from tests.factories import make_account, make_instrument
from tests.trading.sync.rows import BTC, ETH


@pytest.fixture
def account(db: None) -> ExchangeAccount:
    make_instrument(BTC)
    make_instrument(ETH)
    return make_account()
