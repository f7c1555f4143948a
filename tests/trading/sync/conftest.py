"""An account whose market lists BTC and ETH swaps; and a running simulator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from customers.models import ExchangeAccount
from tests.factories import make_account, make_instrument
from tests.trading.execution.bench import forget_everything
from tests.trading.sync.rows import BTC, ETH
from tests.trading.sync.venue import Venue
from trading.exchange.runner import stop_exchange_loop


@pytest.fixture
def account(db: None) -> ExchangeAccount:
    make_instrument(BTC)
    make_instrument(ETH)
    return make_account()


@pytest.fixture(scope="package")
def simulator() -> Iterator[Venue]:
    command = [sys.executable, "-m", "trading.simulator", "--no-market", "--limits", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        sockets = addresses["ws"]["public"].removesuffix("/public")
        yield Venue(addresses["rest"], sockets, addresses["control"])
        process.terminate()


@pytest.fixture
def venue(simulator: Venue, settings: Any) -> Iterator[Venue]:
    """The simulator, as the product's settings know it, with BTC at 60,000.

    Accounts of rolled back tests had the same numbers: what the process kept of them, such as
    their keys, is forgotten.
    """
    forget_everything()
    settings.MARKETS = {"simulator": {"rest": simulator.rest, "ws": simulator.ws}}
    settings.DEFAULT_MARKET = "simulator"
    simulator.price(60_000)
    yield simulator
    stop_exchange_loop()
