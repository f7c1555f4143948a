"""Faults of pushes, of connections and of order operations over the socket."""

from __future__ import annotations

from itertools import count

import aiohttp
import pytest

from tests.simulator.client import Client, Simulator, order
from tests.simulator.conftest import OpenSocket
from tests.simulator.test_faults import install, placed
from tests.simulator.test_websocket import listening, logged_in

pytestmark = pytest.mark.simulator

NUMBERS = count(1)


@pytest.fixture
def client(own: Simulator) -> Client:
    return own.account(f"faultysocket{next(NUMBERS)}")


@pytest.mark.parametrize(
    ("fault", "heard"),
    [("ws_drop", []), ("ws_duplicate", ["live", "live"])],
)
async def test_pushes_that_are_lost_or_doubled(
    connect: OpenSocket, client: Client, fault: str, heard: list[str]
) -> None:
    socket = await listening(connect, client, {"channel": "orders", "instType": "ANY"})
    body = {"match": {"channel": "orders", "account": client.key}, "fault": fault}
    client.simulator.ask("POST", "/faults", body)

    client.order(ordType="limit", px="61000")

    states = [(await socket.find(channel="orders"))["data"][0]["state"] for _ in heard]
    assert states == heard
    assert await socket.quiet(0.2)


async def test_a_cut_connection_and_a_silent_one(connect: OpenSocket, client: Client) -> None:
    arg = {"channel": "orders", "instType": "ANY"}
    cut = await listening(connect, client, arg)
    body = {"match": {"channel": "orders"}, "fault": "ws_disconnect", "times": 1}
    client.simulator.ask("POST", "/faults", body)
    client.order(ordType="limit", px="61000")
    message = await cut.socket.receive(timeout=3)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)

    silent = await listening(connect, client, arg)
    client.simulator.ask("POST", "/faults", {"match": {"channel": "orders"}, "fault": "ws_stall"})
    client.order(ordType="limit", px="61000")
    await silent.say("ping")
    assert await silent.quiet(0.3)


async def test_faults_reach_order_operations_of_the_socket(
    connect: OpenSocket, client: Client
) -> None:
    socket = await logged_in(connect, client)
    install(client.simulator, "code:50026", times=1)
    await socket.say({"id": "1", "op": "order", "args": [order()]})
    assert (await socket.find(id="1"))["code"] == "50026"
    assert placed(client) == 0
    install(client.simulator, "drop_after_accept")
    await socket.say({"id": "2", "op": "order", "args": [order()]})
    message = await socket.socket.receive(timeout=3)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert placed(client) == 1
