"""Limits of connections, subscriptions and calls, and the codes that close a socket."""

from __future__ import annotations

import asyncio
import json
from itertools import count

import aiohttp
import pytest

from tests.simulator.client import SWAP, Client, Simulator, Socket
from tests.simulator.conftest import OpenSocket
from tests.simulator.test_websocket import listening, logged_in

pytestmark = pytest.mark.simulator

ORDERS = {"channel": "orders", "instType": "ANY"}
_numbers = count(1)


@pytest.fixture
def client(own: Simulator) -> Client:
    return own.account(f"limited{next(_numbers)}")


def limit(client: Client) -> None:
    client.simulator.ask("POST", "/limits", {"mode": "okx"})


async def close_code(socket: Socket) -> int:
    while not socket.socket.closed:
        await socket.socket.receive(timeout=5)
    return int(socket.socket.close_code or 0)


async def count_of(socket: Socket, channel: str = "orders") -> str:
    found = await socket.find(event="channel-conn-count")
    assert found["channel"] == channel
    return str(found["connCount"])


async def test_connections_of_a_channel_are_counted(connect: OpenSocket, client: Client) -> None:
    counts = []
    sockets = []
    for _ in range(3):
        socket = await logged_in(connect, client)
        await socket.say({"op": "subscribe", "args": [ORDERS]})
        counts.append(await count_of(socket))
        sockets.append(socket)
    await sockets[0].say({"op": "subscribe", "args": [{"channel": "orders", "instType": "SWAP"}]})
    counts.append(await count_of(sockets[0]))
    await sockets[1].say({"op": "unsubscribe", "args": [ORDERS]})
    await sockets[1].find(event="unsubscribe")
    await sockets[2].socket.close()
    await sockets[1].say({"op": "subscribe", "args": [{"channel": "account"}]})
    counts.append(await count_of(sockets[1], "account"))
    await sockets[1].say({"op": "subscribe", "args": [ORDERS]})
    counts.append(await count_of(sockets[1]))

    assert counts == ["1", "2", "3", "3", "1", "2"]


async def test_the_thirty_first_connection_is_acknowledged_then_ended(
    connect: OpenSocket, client: Client
) -> None:
    held = [await listening(connect, client, ORDERS) for _ in range(30)]
    socket = await logged_in(connect, client)
    limit(client)

    await socket.say({"op": "subscribe", "args": [ORDERS]})

    assert (await socket.frame())["event"] == "subscribe"
    refused = await socket.frame()
    assert (refused["event"], refused["channel"]) == ("channel-conn-count-error", "orders")
    assert (refused["connCount"], len(refused["connId"])) == ("30", 8)
    client.order(ordType="limit", px="61000")
    assert await socket.quiet(0.2)
    assert (await held[29].find(channel="orders"))["data"][0]["state"] == "live"


async def test_more_than_a_hundred_subscriptions_of_a_key_close(
    connect: OpenSocket, client: Client
) -> None:
    socket = await logged_in(connect, client)
    limit(client)
    args = [{"channel": "account", "ccy": f"C{number}"} for number in range(101)]

    await socket.say({"op": "subscribe", "args": args})

    assert await close_code(socket) == 4003


async def test_more_than_a_thousand_subscriptions_of_a_connection_close(
    connect: OpenSocket, client: Client
) -> None:
    socket = await connect(client.simulator.ws["public"])
    limit(client)
    args = [{"channel": "status", "instFamily": f"F{number}"} for number in range(1001)]

    await socket.say({"op": "subscribe", "args": args})

    assert await close_code(socket) == 4009


async def test_480_calls_in_an_hour(connect: OpenSocket, client: Client) -> None:
    socket = await connect(client.simulator.ws["public"])
    limit(client)
    arg = {"channel": "tickers", "instId": SWAP}

    for _ in range(481):
        await socket.say({"op": "unsubscribe", "args": [arg]})

    answers = [await socket.frame() for _ in range(481)]
    assert {each["event"] for each in answers[:480]} == {"unsubscribe"}
    assert answers[480]["code"] == "60014"
    await socket.say("ping")
    assert await socket.frame() == "pong"


async def test_three_new_connections_in_a_second(connect: OpenSocket, client: Client) -> None:
    limit(client)
    url = client.simulator.ws["public"]

    tried = await asyncio.gather(*(connect(url) for _ in range(4)), return_exceptions=True)

    refused = [each for each in tried if isinstance(each, aiohttp.WSServerHandshakeError)]
    assert [each.status for each in refused] == [429]


async def test_pings_of_the_protocol_do_not_keep_a_connection(
    connect: OpenSocket, client: Client
) -> None:
    client.simulator.ask("POST", "/limits", {"ws_idle_s": 1})
    socket = await connect(client.simulator.ws["public"])

    async def ping() -> None:
        while not socket.socket.closed:
            await socket.socket.ping()
            await asyncio.sleep(0.2)

    pinging = asyncio.ensure_future(ping())
    code = await close_code(socket)

    pinging.cancel()
    assert code == 4004


async def test_who_never_reads_is_cut_off(connect: OpenSocket, client: Client) -> None:
    """Order books again and again: more than any kernel keeps for a reader."""
    simulator = client.simulator
    socket = await connect(simulator.ws["public"])
    await socket.say("ping")
    await socket.frame()
    before = sessions(simulator)
    ask = {"op": "subscribe", "args": [{"channel": "books", "instId": SWAP}] * 100}

    for _ in range(100):
        await socket.say(ask)
        await asyncio.sleep(0.05)
        if sessions(simulator) < before:
            break

    assert sessions(simulator) == before - 1


def sessions(simulator: Simulator) -> int:
    return int(simulator.ask("GET", "/health").body["sessions"])


async def test_a_planned_restart_is_announced_before_it_closes(
    connect: OpenSocket, client: Client
) -> None:
    socket = await listening(connect, client, ORDERS)

    answer = client.simulator.ask("POST", "/restart-notice", {"close_in_s": 1})

    assert answer.status == 200
    assert await socket.frame() == {
        "event": "notice",
        "code": "64008",
        "msg": "The connection will soon be closed for a service upgrade. Please reconnect.",
        "connId": socket.seen[-1]["connId"],
    }
    client.order(ordType="limit", px="61000")
    assert (await socket.find(channel="orders"))["data"][0]["state"] == "live"
    assert await close_code(socket) == 1001
    assert json.loads(json.dumps(client.get("trade/orders-pending").data))
