"""A running simulator, a client of it and an account on it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvloop

from tests.trading.exchange.venue import BTC, PRICE, Simulator
from trading.exchange.okx.constants import endpoint_for
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import Credentials


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Connections are tried on the loop of the product, the rest on the plain one."""
    if item.path.stem in ("test_connections", "test_bursts", "test_pacing"):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="package")
def simulator() -> Iterator[Simulator]:
    command = [sys.executable, "-m", "trading.simulator", "--no-market", "--limits", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        yield Simulator(
            endpoint_for("simulator", simulator_rest=addresses["rest"]), addresses["control"]
        )
        process.terminate()


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[OkxClient]:
    await simulator.tell("/prices", **{BTC: str(PRICE)})
    client = OkxClient(simulator.endpoint, timeout_s=1, paced=False)
    yield client
    await client.aclose()


@pytest.fixture
async def alice(simulator: Simulator) -> Credentials:
    return await simulator.account()
