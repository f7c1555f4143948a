"""Order operations over the private WebSocket."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Simulator, order
from tests.simulator.conftest import OpenSocket
from tests.simulator.shapes import shape
from tests.simulator.test_websocket import logged_in

pytestmark = pytest.mark.simulator


@pytest.mark.parametrize("name", ["instId", "instIdCode"])
async def test_orders_over_the_socket(connect: OpenSocket, client: Client, name: str) -> None:
    socket = await logged_in(connect, client)
    named = {"instId": SWAP} if name == "instId" else {"instIdCode": 10459}
    terms = {"side": "buy", "tdMode": "cross", "ordType": "limit", "px": "61000", "sz": "1"}

    await socket.say({"id": "a1", "op": "order", "args": [{**named, **terms, "clOrdId": "s1"}]})
    placed = await socket.find(id="a1")
    await socket.say(
        {"id": "a2", "op": "amend-order", "args": [{**named, "clOrdId": "s1", "newSz": "2"}]}
    )
    amended = await socket.find(id="a2")
    await socket.say({"id": "a3", "op": "cancel-order", "args": [{**named, "clOrdId": "s1"}]})
    canceled = await socket.find(id="a3")

    for op, answer in (("order", placed), ("amend-order", amended), ("cancel-order", canceled)):
        assert (answer["op"], answer["code"], answer["data"][0]["sCode"]) == (op, "0", "0")
        assert sorted(answer) == ["code", "data", "id", "inTime", "msg", "op", "outTime"]
    assert placed["data"][0]["ordId"] == canceled["data"][0]["ordId"]


async def test_batches_over_the_socket(connect: OpenSocket, client: Client) -> None:
    socket = await logged_in(connect, client)
    items = [order(clOrdId="x1", ordType="limit", px="61000"), order(sz="0.001")]

    await socket.say({"id": "b1", "op": "batch-orders", "args": items})
    placed = await socket.find(id="b1")
    gone = [{"instId": SWAP, "clOrdId": "x1"}, {"instId": SWAP, "clOrdId": "x2"}]
    await socket.say({"id": "b2", "op": "batch-cancel-orders", "args": gone})
    canceled = await socket.find(id="b2")

    assert (placed["code"], [row["sCode"] for row in placed["data"]]) == ("2", ["0", "51121"])
    assert placed["msg"] == ""
    assert (canceled["code"], [row["sCode"] for row in canceled["data"]]) == ("2", ["0", "51400"])


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"args": []}, "60013"),
        ({"args": "text"}, "60013"),
        ({"args": [5]}, "60013"),
        ({"args": [order(), order()]}, "60013"),
        ({"args": [order()], "expTime": "1597026383085"}, "50036"),
        ({"args": [order()], "expTime": 1597026383085}, "50036"),
        ({"args": [order()], "expTime": "soon"}, "51000"),
    ],
)
async def test_order_calls_that_fail_as_a_whole(
    connect: OpenSocket, client: Client, frame: dict[str, Any], code: str
) -> None:
    socket = await logged_in(connect, client)

    await socket.say({"id": "c1", "op": "order", **frame})

    answer = await socket.find(id="c1")
    assert (answer["op"], answer["code"], answer["data"]) == ("order", code, [])
    assert client.get("account/positions").data == []


async def test_a_reader_cannot_trade_over_the_socket(connect: OpenSocket, still: Simulator) -> None:
    socket = await logged_in(connect, still.account("wsreader", perm="read_only"))

    await socket.say({"id": "c1", "op": "order", "args": [order()]})

    assert (await socket.find(id="c1"))["code"] == "50120"


async def test_the_socket_shares_the_request_limits_of_rest(
    own: Simulator, connect: OpenSocket
) -> None:
    client = own.account("shared")
    socket = await logged_in(connect, client)
    own.ask("POST", "/limits", {"mode": "okx"})
    rest = [client.order(sz="0.01").status for _ in range(30)]

    for number in range(31):
        await socket.say({"id": f"n{number}", "op": "order", "args": [order(sz="0.01")]})
    codes = [(await socket.find(op="order"))["code"] for _ in range(31)]

    assert rest == [200] * 30
    assert sorted(codes) == ["0"] * 30 + ["50011"]
    assert len(own.entries(kind="order", account="shared")) == 60


async def test_the_answer_of_an_order_is_in_the_ledger(connect: OpenSocket, client: Client) -> None:
    socket = await logged_in(connect, client)

    await socket.say({"id": "d1", "op": "order", "args": [order(sz="0")]})
    await socket.find(id="d1")

    (request,) = client.simulator.entries(kind="request", method="WS", account=client.key)
    (answer,) = client.simulator.entries(kind="answer", request=request["seq"])
    assert (answer["code"], request["path"]) == ("1", "/api/v5/trade/order")


async def test_rows_of_every_operation_are_as_documented(
    connect: OpenSocket, client: Client, rest_rows: dict[str, dict[str, str]]
) -> None:
    """The same rows as over REST."""
    socket = await logged_in(connect, client)
    rest = order(clOrdId="z1", ordType="limit", px="61000")
    named = {"instId": SWAP, "clOrdId": "z1"}
    calls = [
        ("order", [rest], "POST trade/order"),
        ("amend-order", [{**named, "newSz": "2"}], "POST trade/amend-order"),
        ("cancel-order", [named], "POST trade/cancel-order"),
        ("batch-orders", [rest], "POST trade/batch-orders"),
        ("batch-amend-orders", [{**named, "newSz": "3"}], "POST trade/amend-batch-orders"),
        ("batch-cancel-orders", [named], "POST trade/cancel-batch-orders"),
    ]

    for number, (op, args, path) in enumerate(calls):
        await socket.say({"id": f"r{number}", "op": op, "args": args})
        answer = await socket.find(id=f"r{number}")
        assert (answer["op"], answer["code"]) == (op, "0")
        assert shape(answer["data"][0]) == rest_rows[path]
