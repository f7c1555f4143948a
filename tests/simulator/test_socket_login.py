"""Logging in: several accounts on one socket, repeated and failed logins, ids of messages."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Simulator, Socket, order
from tests.simulator.conftest import OpenSocket
from tests.simulator.test_websocket import logged_in

pytestmark = pytest.mark.simulator

ORDERS = {"channel": "orders", "instType": "ANY"}
_numbers = count(1)


@pytest.fixture
def pair(still: Simulator) -> tuple[Client, Client]:
    number = next(_numbers)
    return still.account(f"one{number}"), still.account(f"two{number}")


def together(*clients: Client) -> dict[str, Any]:
    return {"op": "login", "args": [each.login()["args"][0] for each in clients]}


async def uid_of_next_order(socket: Socket) -> str:
    return str((await socket.find(channel="orders"))["arg"]["uid"])


def uid(client: Client) -> str:
    return str(client.get("account/config").row["uid"])


async def test_several_accounts_in_one_call(
    connect: OpenSocket, pair: tuple[Client, Client]
) -> None:
    one, two = pair
    socket = await connect(one.simulator.ws["private"])
    await socket.say(together(one, two))
    assert (await socket.frame())["event"] == "login"
    await socket.say({"op": "subscribe", "args": [ORDERS]})
    for _ in pair:
        await socket.find(event="channel-conn-count")

    two.order(ordType="limit", px="61000")
    one.order(ordType="limit", px="61000")

    assert [await uid_of_next_order(socket) for _ in pair] == [uid(two), uid(one)]


async def test_an_account_that_logs_in_later_is_covered_by_earlier_subscriptions(
    connect: OpenSocket, pair: tuple[Client, Client]
) -> None:
    one, two = pair
    socket = await logged_in(connect, one)
    await socket.say({"op": "subscribe", "args": [ORDERS]})
    await socket.find(event="channel-conn-count")

    await socket.say(together(two))
    await socket.find(event="login")
    two.order(ordType="limit", px="61000")

    assert await uid_of_next_order(socket) == uid(two)


async def test_only_the_repeated_login_is_refused(
    connect: OpenSocket, pair: tuple[Client, Client]
) -> None:
    one, two = pair
    socket = await logged_in(connect, one)

    await socket.say(together(one))
    assert (await socket.frame())["code"] == "60031"
    await socket.say(together(one, two))
    assert [(await socket.frame())["code"] for _ in pair] == ["0", "60031"]
    await socket.say(together(two))
    assert (await socket.frame())["code"] == "60031"
    await socket.say("ping")
    assert await socket.frame() == "pong"


async def test_one_bad_login_of_several_logs_in_none_and_closes(
    connect: OpenSocket, pair: tuple[Client, Client]
) -> None:
    socket = await connect(pair[0].simulator.ws["private"])
    login = together(*pair)
    login["args"][1]["sign"] = "wrong"

    await socket.say(login)

    assert (await socket.frame())["code"] == "60007"
    assert (await socket.socket.receive(timeout=3)).data == 4001


async def test_a_bad_login_leaves_those_before_it_alone(
    connect: OpenSocket, pair: tuple[Client, Client]
) -> None:
    one, two = pair
    socket = await logged_in(connect, one)
    login = together(two)
    login["args"][0]["passphrase"] = "wrong"

    await socket.say(login)
    assert (await socket.frame())["code"] == "60024"
    await socket.say({"op": "subscribe", "args": [ORDERS]})
    await socket.find(event="channel-conn-count")
    two.order(ordType="limit", px="61000")
    one.order(ordType="limit", px="61000")

    assert await uid_of_next_order(socket) == uid(one)


@pytest.mark.parametrize("given", ["A" * 32, "1512", 1512])
async def test_ids_come_back(connect: OpenSocket, client: Client, given: Any) -> None:
    socket = await logged_in(connect, client)

    await socket.say({"id": given, "op": "subscribe", "args": [ORDERS]})
    await socket.say({"id": given, "op": "order", "args": [order(sz="0")]})

    assert (await socket.find(event="subscribe"))["id"] == str(given)
    assert (await socket.find(op="order"))["id"] == str(given)


@pytest.mark.parametrize("given", ["A" * 33, "a-1", "ä", {"a": 1}])
async def test_other_ids_are_refused(connect: OpenSocket, client: Client, given: Any) -> None:
    socket = await logged_in(connect, client)

    await socket.say({"id": given, "op": "subscribe", "args": [ORDERS]})
    await socket.say({"id": given, "op": "order", "args": [order()]})

    refused = await socket.frame()
    assert (refused["event"], refused["code"], refused["msg"]) == (
        "error",
        "60033",
        "Parameter id error.",
    )
    answer = await socket.find(op="order")
    assert (answer["code"], answer["msg"], answer["data"]) == ("60013", "Invalid args", [])
    assert client.get("account/positions").data == []


async def test_each_argument_has_its_own_answer(connect: OpenSocket, client: Client) -> None:
    socket = await logged_in(connect, client)
    args = [ORDERS, {"channel": "nope"}, {"channel": "account", "extraParams": "{"}]

    await socket.say({"id": "9", "op": "subscribe", "args": args})

    answers = [await socket.frame() for _ in range(4)]
    assert [each["event"] for each in answers] == [
        "subscribe",
        "channel-conn-count",
        "error",
        "error",
    ]
    assert [each.get("code") for each in answers[2:]] == ["60018", "60033"]
    assert {each["id"] for each in answers if "id" in each} == {"9"}


async def test_giving_up_what_was_never_subscribed_is_acknowledged(
    connect: OpenSocket, still: Simulator
) -> None:
    socket = await connect(still.ws["public"])
    arg = {"channel": "tickers", "instId": SWAP}

    await socket.say({"id": "3", "op": "unsubscribe", "args": [arg]})

    answer = await socket.frame()
    assert (answer["event"], answer["arg"], answer["id"]) == ("unsubscribe", arg, "3")


async def test_deep_books_need_a_login_and_a_fee_tier(connect: OpenSocket, client: Client) -> None:
    socket = await connect(client.simulator.ws["public"])
    ask = {"op": "subscribe", "args": [{"channel": "books-l2-tbt", "instId": SWAP}]}

    await socket.say(ask)
    await socket.say(client.login())
    await socket.say(ask)

    assert [(await socket.frame())["code"] for _ in range(3)] == ["60011", "0", "64003"]
