"""Every fault of an order call, as it shows over the socket."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.simulator.client import Client, Simulator, order
from tests.simulator.conftest import OpenSocket
from tests.simulator.test_faults import install, placed
from tests.simulator.test_websocket import logged_in

pytestmark = pytest.mark.simulator

NUMBERS = count(1)
CUT = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


@pytest.fixture
def client(own: Simulator) -> Client:
    return own.account(f"faultyorder{next(NUMBERS)}")


@pytest.mark.parametrize(
    ("fault", "code", "rows", "orders"),
    [
        ("code:50026", "50026", [], 0),
        ("code:50061", "50061", [], 0),
        ({"kind": "code", "code": "50004", "after": True}, "50004", [], 1),
        ("scode:51008", "1", ["51008"], 0),
        ({"kind": "scode", "code": "51016", "outer": "0"}, "0", ["51016"], 0),
        ({"kind": "scode", "code": "51000", "outer": "2", "after": True}, "2", ["51000"], 1),
        ("data_empty", "0", [], 1),
        ({"kind": "data_empty", "after": False}, "0", [], 0),
        ("slow_body:10", "0", ["0"], 1),
        ("late_accept:60000", "50004", [], 0),
    ],
)
async def test_answers_that_lie(
    connect: OpenSocket, client: Client, fault: Any, code: str, rows: list[str], orders: int
) -> None:
    socket = await logged_in(connect, client)
    install(client.simulator, fault)

    await socket.say({"id": "1", "op": "order", "args": [order()]})

    answer = await socket.find(id="1")
    assert (answer["code"], [each["sCode"] for each in answer["data"]]) == (code, rows)
    assert placed(client) == orders


@pytest.mark.parametrize(
    ("fault", "orders"),
    [
        ("http:502", 0),
        ({"kind": "http", "status": 504, "after": True}, 1),
        ("redirect:302", 0),
        ("html_200", 1),
        ("empty_200", 1),
        ("truncate", 1),
        ({"kind": "truncate", "after": False}, 0),
        ({"kind": "late_accept", "ms": 60_000, "silent": True}, 0),
    ],
)
async def test_answers_that_never_come(
    connect: OpenSocket, client: Client, fault: Any, orders: int
) -> None:
    socket = await logged_in(connect, client)
    install(client.simulator, fault, times=1)

    await socket.say({"id": "1", "op": "order", "args": [order()]})

    await socket.say("ping")
    assert await socket.frame() == "pong"
    assert await socket.quiet(0.1)
    assert placed(client) == orders


@pytest.mark.parametrize(
    ("fault", "orders"),
    [
        ("drop_before", 0),
        ("drop_after_accept", 1),
        ("rst_after_accept", 1),
        ("hang:50", 1),
        ({"kind": "hang", "ms": 50, "after": False}, 0),
    ],
)
async def test_connections_that_end_instead(
    connect: OpenSocket, client: Client, fault: Any, orders: int
) -> None:
    socket = await logged_in(connect, client)
    install(client.simulator, fault)

    await socket.say({"id": "1", "op": "order", "args": [order()]})

    assert (await socket.socket.receive(timeout=3)).type in CUT
    assert placed(client) == orders


async def test_a_late_order_still_honors_its_expiry(connect: OpenSocket, client: Client) -> None:
    socket = await logged_in(connect, client)
    install(client.simulator, "late_accept:200")
    now = int(time.time() * 1000)

    for number, expires in enumerate((now + 100, now + 60_000)):
        frame = {"id": str(number), "op": "order", "args": [order(clOrdId=f"late{number}")]}
        await socket.say(frame | {"expTime": str(expires)})
        assert (await socket.find(id=str(number)))["code"] == "50004"
    await asyncio.sleep(0.4)

    entries = client.simulator.entries(kind="order", account=client.key)
    assert [each["cl_ord_id"] for each in entries] == ["late1"]
