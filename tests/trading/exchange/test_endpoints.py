"""Each market has its own addresses, and the door costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trading.exchange.okx.constants import endpoint_for


@pytest.mark.parametrize(
    ("market", "rest", "ws_private", "simulated"),
    [
        ("live-global", "https://www.okx.com", "wss://ws.okx.com:8443/ws/v5/private", False),
        ("live-eea", "https://eea.okx.com", "wss://wseea.okx.com:8443/ws/v5/private", False),
        ("live-us", "https://us.okx.com", "wss://wsus.okx.com:8443/ws/v5/private", False),
        ("demo", "https://www.okx.com", "wss://wspap.okx.com:8443/ws/v5/private", True),
    ],
)
def test_a_market_has_its_own_addresses(
    market: str, rest: str, ws_private: str, simulated: bool
) -> None:
    endpoint = endpoint_for(market)

    assert (endpoint.market, endpoint.rest, endpoint.ws_private) == (market, rest, ws_private)
    assert endpoint.simulated_header is simulated


def test_another_host_of_a_market() -> None:
    assert endpoint_for("live-global", host="openapi.okx.com").rest == "https://openapi.okx.com"


@pytest.mark.parametrize(
    ("simulator_ws", "ws_public"),
    [
        (None, "ws://127.0.0.1:9000/ws/v5/public"),
        ("ws://127.0.0.1:9001", "ws://127.0.0.1:9001/ws/v5/public"),
        ("ws://127.0.0.1:9001/ws/v5", "ws://127.0.0.1:9001/ws/v5/public"),
    ],
)
def test_a_simulator_is_where_it_is_said_to_be(simulator_ws: str | None, ws_public: str) -> None:
    endpoint = endpoint_for(
        "simulator", simulator_rest="http://127.0.0.1:9000/", simulator_ws=simulator_ws
    )

    assert endpoint.rest == "http://127.0.0.1:9000"
    assert endpoint.ws_public == ws_public
    assert not endpoint.simulated_header


@pytest.mark.parametrize("market", ["simulator", "live-moon", ""])
def test_a_market_without_an_address_is_refused(market: str) -> None:
    with pytest.raises(ValueError, match="market"):
        endpoint_for(market)


def test_looking_at_the_door_imports_neither_ccxt_nor_aiohttp_nor_django() -> None:
    program = (
        "import sys, trading.exchange, trading.exchange.client, trading.exchange.streams,"
        " trading.exchange.okx.parse, trading.exchange.okx.constants, trading.exchange.clock\n"
        "print([name for name in ('ccxt', 'aiohttp', 'django') if name in sys.modules])"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "[]"
