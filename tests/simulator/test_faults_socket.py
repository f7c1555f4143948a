"""Faults of pushes, of connections and of order operations over the socket."""

from __future__ import annotations

from itertools import count

import aiohttp
import pytest

from tests.simulator.client import SWAP, Client, Simulator, Socket, order
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


async def listening_to_all(connect: OpenSocket, client: Client) -> Socket:
    return await listening(connect, client, {"channel": "orders", "instType": "ANY"})


def disturb(client: Client, fault: str, **terms: object) -> None:
    body = {"match": {"channel": "orders"}, "fault": fault, "times": 1, **terms}
    assert client.simulator.ask("POST", "/faults", body).status == 200


def place(client: Client, name: str) -> None:
    assert client.order(ordType="limit", px="61000", clOrdId=name).code == "0"


async def names(socket: Socket, number: int) -> list[str]:
    return [(await socket.find(channel="orders"))["data"][0]["clOrdId"] for _ in range(number)]


async def test_a_push_that_later_ones_overtake(connect: OpenSocket, client: Client) -> None:
    socket = await listening_to_all(connect, client)
    disturb(client, "ws_reorder:2")

    for name in ("a", "b", "c", "d"):
        place(client, name)

    assert await names(socket, 4) == ["b", "c", "a", "d"]


async def test_a_push_held_for_later_ones_that_never_come(
    connect: OpenSocket, client: Client
) -> None:
    socket = await listening_to_all(connect, client)
    disturb(client, "ws_reorder:2")

    place(client, "a")

    assert await socket.quiet(0.3)
    assert await names(socket, 1) == ["a"]


async def test_a_gap_swallows_the_following_pushes_of_the_channel(
    connect: OpenSocket, client: Client
) -> None:
    socket = await listening_to_all(connect, client)
    disturb(client, "ws_gap:2")

    for name in ("a", "b", "c"):
        place(client, name)

    assert await names(socket, 1) == ["c"]


async def test_a_late_push(connect: OpenSocket, client: Client) -> None:
    socket = await listening_to_all(connect, client)
    disturb(client, "ws_delay:300")

    place(client, "a")
    place(client, "b")

    assert await names(socket, 2) == ["b", "a"]


async def test_several_copies(connect: OpenSocket, client: Client) -> None:
    socket = await listening_to_all(connect, client)
    disturb(client, "ws_duplicate:2")

    place(client, "a")
    place(client, "b")

    assert await names(socket, 4) == ["a", "a", "a", "b"]


async def test_a_lost_book_update_breaks_the_chain_of_numbers(
    connect: OpenSocket, client: Client
) -> None:
    simulator = client.simulator
    socket = await connect(simulator.ws["public"])
    await socket.say({"op": "subscribe", "args": [{"channel": "books", "instId": SWAP}]})
    first = (await socket.find(channel="books"))["data"][0]
    disturb(client, "ws_drop", match={"channel": "books", "inst": SWAP})

    simulator.ask("POST", "/prices", {SWAP: "64100"})
    simulator.ask("POST", "/prices", {SWAP: "64200"})

    update = (await socket.find(channel="books"))["data"][0]
    assert update["prevSeqId"] > first["seqId"]


@pytest.mark.parametrize(
    ("fault", "code"), [("ws_half", 1006), ("ws_close:4006", 4006), ("ws_close", 4006)]
)
async def test_a_connection_that_breaks_in_the_middle_of_fills(
    connect: OpenSocket, client: Client, fault: str, code: int
) -> None:
    socket = await listening_to_all(connect, client)
    disturb(client, "partial:3", match={"path": "/api/v5/trade/order"})
    disturb(client, fault, match={"channel": "orders", "nth": 3})

    client.order(sz="3")

    rows = [(await socket.find(channel="orders"))["data"][0] for _ in range(2)]
    assert [(row["state"], row["accFillSz"]) for row in rows] == [
        ("live", "0"),
        ("partially_filled", "1"),
    ]
    message = await socket.socket.receive(timeout=3)
    assert message.type in (
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    )
    assert socket.socket.close_code == code


async def test_a_login_that_is_refused_closes(connect: OpenSocket, client: Client) -> None:
    socket = await connect(client.simulator.ws["private"])
    disturb(client, "ws_login:63999", match={"account": client.key})

    await socket.say(client.login())

    assert (await socket.frame())["code"] == "63999"
    assert (await socket.socket.receive(timeout=3)).data == 4001


async def test_a_slow_login(connect: OpenSocket, client: Client) -> None:
    socket = await connect(client.simulator.ws["private"])
    disturb(client, "ws_login_slow:400", match={"account": client.key})

    await socket.say(client.login())

    assert await socket.quiet(0.2)
    assert (await socket.frame())["event"] == "login"


async def test_a_lost_acknowledgement(connect: OpenSocket, client: Client) -> None:
    socket = await logged_in(connect, client)
    disturb(client, "ws_ack_lost")

    await socket.say({"op": "subscribe", "args": [{"channel": "orders", "instType": "ANY"}]})

    assert (await socket.frame())["event"] == "channel-conn-count"
    place(client, "a")
    assert await names(socket, 1) == ["a"]


async def test_a_refused_connection(connect: OpenSocket, client: Client) -> None:
    disturb(client, "ws_refuse:502", match={"path": "/ws/v5/private"})

    with pytest.raises(aiohttp.WSServerHandshakeError, match="502"):
        await connect(client.simulator.ws["private"])
