"""Running simulators for the tests of this folder; none of them needs a database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import localcontext
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.simulator.client import Client, Simulator, Socket, start
from trading.simulator.decimals import EXACT

SHAPES = Path(__file__).resolve().parents[1] / "payloads" / "okx"
_numbers = count(1)

DEFAULTS = {
    "mode": "off",
    "dup_clordid": "live_only",
    "purge_canceled_ms": 7_200_000,
    "read_lag_ms": 0,
    "clock_drift_ppm": 0,
    "clock_offset_ms": 0,
    "ws_idle_s": 30,
}
OpenSocket = Callable[[str], Awaitable[Socket]]


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    """The arithmetic of the simulator's process, for tests of its pure core."""
    with localcontext(EXACT):
        yield


@pytest.fixture(scope="session")
def still() -> Iterator[Simulator]:
    """Prices stand still and nothing is limited; shared by the tests that change neither."""
    simulator = start("--no-market", "--limits", "off", "--account", "K:S:P:10000")
    yield simulator
    assert simulator.stop() == 0


@pytest.fixture(scope="session")
def _shaken() -> Iterator[Simulator]:
    simulator = start("--no-market", "--limits", "off")
    yield simulator
    assert simulator.stop() == 0


@pytest.fixture
def own(_shaken: Simulator) -> Iterator[Simulator]:
    """For tests that move prices, install faults or turn settings; put back afterwards."""
    yield _shaken
    _shaken.ask("DELETE", "/faults")
    _shaken.ask("POST", "/latency", {"ms": 0})
    _shaken.ask("POST", "/limits", DEFAULTS)
    _shaken.ask("POST", "/prices", {"BTC-USDT-SWAP": "64000"})


@pytest.fixture
def client(still: Simulator) -> Iterator[Client]:
    """A fresh account with 100,000 USDT in net mode."""
    made = still.account(f"net{next(_numbers)}")
    yield made
    _leave_the_book(made)


@pytest.fixture
def hedged(still: Simulator) -> Iterator[Client]:
    """A fresh account in long-short mode."""
    made = still.account(f"hedged{next(_numbers)}", pos_mode="long_short_mode")
    yield made
    _leave_the_book(made)


def _leave_the_book(client: Client) -> None:
    """Accounts trade with each other: what one test leaves resting, another would meet."""
    for row in client.get("trade/orders-pending").data:
        client.post("trade/cancel-order", {"instId": row["instId"], "ordId": row["ordId"]})


@pytest.fixture
async def connect() -> AsyncIterator[OpenSocket]:
    async with aiohttp.ClientSession() as session:

        async def open_socket(url: str) -> Socket:
            return Socket(await session.ws_connect(url))

        yield open_socket


@pytest.fixture(scope="session")
def rest_rows() -> dict[str, dict[str, str]]:
    return _shapes("rest_rows.json")


@pytest.fixture(scope="session")
def push_rows() -> dict[str, dict[str, str]]:
    return _shapes("push_rows.json")


def _shapes(name: str) -> dict[str, Any]:
    return dict(json.loads((SHAPES / name).read_text()))
