"""What accounts are pushed: filters, pages, intervals, events and their order."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest

from tests.simulator.client import SPOT, SWAP, Client, Simulator, Socket
from tests.simulator.conftest import OpenSocket
from tests.simulator.shapes import shape
from tests.simulator.test_websocket import Shapes, listening, logged_in

pytestmark = pytest.mark.simulator

_numbers = count(1)


@pytest.fixture
def client(own: Simulator) -> Client:
    return own.account(f"private{next(_numbers)}")


async def pushed(socket: Socket, channel: str, number: int = 1) -> list[Any]:
    return [(await socket.find(channel=channel))["data"][0] for _ in range(number)]


async def subscribing(
    connect: OpenSocket, client: Client, args: list[dict[str, str]]
) -> tuple[Socket, list[Any]]:
    """The socket and the first push of each argument."""
    socket = await logged_in(connect, client)
    await socket.say({"op": "subscribe", "args": args})
    channel = args[0]["channel"]
    return socket, [await socket.find(channel=channel) for _ in args]


def events_only(arg: dict[str, str]) -> dict[str, str]:
    return arg | {"extraParams": json.dumps({"updateInterval": "0"})}


async def test_each_state_of_an_order_is_pushed_with_every_field(
    connect: OpenSocket, client: Client, push_rows: Shapes
) -> None:
    socket = await listening(connect, client, {"channel": "orders", "instType": "SWAP"})
    client.simulator.ask("POST", "/faults", {"fault": "partial:2", "times": 1})

    client.order(sz="2")
    ord_id = client.order(ordType="limit", px="61000", sz="1").row["ordId"]
    client.post("trade/amend-order", {"instId": SWAP, "ordId": ord_id, "newSz": "3", "reqId": "r1"})
    client.post("trade/cancel-order", {"instId": SWAP, "ordId": ord_id})

    rows = await pushed(socket, "orders", 6)
    assert [row["state"] for row in rows] == [
        "live",
        "partially_filled",
        "filled",
        "live",
        "live",
        "canceled",
    ]
    assert [shape(row) for row in rows] == [push_rows["orders"]] * 6
    assert [(row["fillSz"], row["accFillSz"], row["execType"]) for row in rows[:3]] == [
        ("0", "0", ""),
        ("1", "1", "T"),
        ("1", "2", "T"),
    ]
    assert [(row["fillFee"], row["fillFeeCcy"]) for row in rows[1:3]] == [
        ("-0.3200005", "USDT")
    ] * 2
    assert [
        (row["sz"], row["amendResult"], row["amendSource"], row["reqId"]) for row in rows[3:]
    ] == [
        ("1", "", "", ""),
        ("3", "0", "1", "r1"),
        ("3", "", "", ""),
    ]
    assert rows[5]["cancelSource"] == "1"
    assert {(row["code"], row["msg"], row["lastPx"]) for row in rows} == {("0", "", "64000")}


async def test_orders_are_pushed_in_the_order_of_events(
    connect: OpenSocket, client: Client
) -> None:
    socket = await listening(connect, client, {"channel": "orders", "instType": "ANY"})
    orders = [
        {
            "instId": SWAP,
            "tdMode": "cross",
            "side": "buy",
            "ordType": "market",
            "sz": "0.01",
            "clOrdId": f"n{number}",
        }
        for number in range(20)
    ]

    client.post("trade/batch-orders", orders)

    rows = await pushed(socket, "orders", 40)
    expected = [(f"n{number}", state) for number in range(20) for state in ("live", "filled")]
    assert [(row["clOrdId"], row["state"]) for row in rows] == expected


def listed(client: Client) -> Iterable[str]:
    return [each["instId"] for each in client.get("public/instruments", {"instType": "SWAP"}).data]


async def test_snapshots_of_many_positions_come_in_pages(
    connect: OpenSocket, own: Simulator
) -> None:
    client = own.account(f"private{next(_numbers)}", balances={"USDT": "100000", "BTC": "1"})
    opened = 0
    for inst_id in listed(client):
        row = client.get("public/instruments", {"instType": "SWAP", "instId": inst_id}).row
        for mode in ("cross", "isolated"):
            answer = client.order(instId=inst_id, tdMode=mode, sz=row["minSz"])
            opened += answer.code == "0"
    assert opened > 20
    socket = await logged_in(connect, client)

    await socket.say({"op": "subscribe", "args": [{"channel": "positions", "instType": "ANY"}]})

    first = await socket.find(channel="positions")
    second = await socket.find(channel="positions")
    assert [(each["curPage"], each["lastPage"]) for each in (first, second)] == [
        (1, False),
        (2, True),
    ]
    assert len(first["data"]) == 20
    assert len({row["posId"] for row in first["data"] + second["data"]}) == opened


async def test_positions_are_filtered_by_family_and_instrument(
    connect: OpenSocket, client: Client
) -> None:
    args = [
        events_only({"channel": "positions", "instType": "SWAP", **more})
        for more in (
            {"instFamily": "ETH-USDT"},
            {"instFamily": "ETH-USDT", "instId": SWAP},
            {"instId": "ETH-USDT-SWAP"},
        )
    ]
    socket, _ = await subscribing(connect, client, args)

    client.order()

    push = await socket.find(channel="positions")
    assert push["arg"]["instFamily"] == "ETH-USDT"
    assert [row["instId"] for row in push["data"]] == [SWAP]
    assert await socket.quiet(0.2)


async def test_balances_are_filtered_and_only_what_changed_is_told(
    connect: OpenSocket, own: Simulator
) -> None:
    client = own.account(
        f"private{next(_numbers)}", balances={"USDT": "100000", "BTC": "1", "ETH": "1"}
    )
    args = [events_only({"channel": "account", **more}) for more in ({}, {"ccy": "ETH"})]
    socket, (whole, eth) = await subscribing(connect, client, args)
    client.order(instId=SPOT, sz="100")
    await socket.find(channel="account")
    await socket.find(channel="account")

    client.order(instId=SPOT, sz="100")

    update = await socket.find(channel="account")
    filtered = await socket.find(channel="account")
    assert sorted(each["ccy"] for each in whole["data"][0]["details"]) == ["BTC", "ETH", "USDT"]
    assert [each["ccy"] for each in eth["data"][0]["details"]] == ["ETH"]
    assert sorted(each["ccy"] for each in update["data"][0]["details"]) == ["BTC", "USDT"]
    assert sorted(update) == ["arg", "data", "eventType"]
    assert [each["ccy"] for each in filtered["data"][0]["details"]] == ["ETH"]
    assert filtered["arg"]["ccy"] == "ETH"


async def test_events_of_balances_and_positions(
    connect: OpenSocket, client: Client, push_rows: Shapes
) -> None:
    socket = await listening(connect, client, {"channel": "balance_and_position"})
    client.order()
    client.order(side="sell")
    client.post("account/set-leverage", {"instId": SWAP, "mgnMode": "cross", "lever": "7"})
    client.simulator.ask("POST", f"/accounts/{client.key}/deposit", {"ccy": "BTC", "amount": "2"})

    rows = await pushed(socket, "balance_and_position", 5)

    assert [shape(row) for row in rows] == [push_rows["balance_and_position"]] * 5
    assert [row["eventType"] for row in rows] == [
        "snapshot",
        "filled",
        "filled",
        "set_leverage",
        "transferred",
    ]
    assert [[each["ccy"] for each in row["balData"]] for row in rows] == [
        ["USDT"],
        ["USDT"],
        ["USDT"],
        [],
        ["BTC"],
    ]
    assert [[each["pos"] for each in row["posData"]] for row in rows[:3]] == [[], ["1"], ["0"]]
    assert [len(row["trades"]) for row in rows] == [0, 1, 1, 0, 0]


async def test_a_closed_position_is_pushed_once(connect: OpenSocket, client: Client) -> None:
    arg = events_only({"channel": "positions", "instType": "ANY"})
    client.order()
    socket = await listening(connect, client, arg)
    await socket.find(channel="positions")

    client.order(side="sell")
    client.order(instId="ETH-USDT-SWAP")

    rows = await pushed(socket, "positions", 2)
    assert [(row["instId"], row["pos"]) for row in rows] == [(SWAP, "0"), ("ETH-USDT-SWAP", "1")]


async def test_the_whole_is_repeated_in_the_interval_asked_for(
    connect: OpenSocket, client: Client
) -> None:
    arg = {"channel": "positions", "instType": "ANY"}
    arg |= {"extraParams": json.dumps({"updateInterval": 2000})}
    socket = await listening(connect, client, arg)
    first = await socket.find(channel="positions")

    again = await socket.find(within=3, channel="positions")

    assert again == first
    assert first["arg"] == {
        "channel": "positions",
        "instType": "ANY",
        "uid": client.get("account/config").row["uid"],
    }


async def test_a_liquidation_is_told_everywhere(
    connect: OpenSocket, client: Client, push_rows: Shapes
) -> None:
    simulator = client.simulator
    public = await connect(simulator.ws["public"])
    await public.say(
        {"op": "subscribe", "args": [{"channel": "liquidation-orders", "instType": "SWAP"}]}
    )
    await public.find(event="subscribe")
    client.post("account/set-leverage", {"instId": SWAP, "mgnMode": "isolated", "lever": "100"})
    client.order(tdMode="isolated", sz="10")
    private = await listening(
        connect,
        client,
        {"channel": "liquidation-warning", "instType": "ANY"},
        {"channel": "orders", "instType": "ANY"},
        {"channel": "balance_and_position"},
    )

    simulator.ask("POST", "/prices", {SWAP: "63800"})
    warning = (await private.find(channel="liquidation-warning"))["data"][0]
    simulator.ask("POST", "/prices", {SWAP: "63000"})

    assert shape(warning) == push_rows["liquidation-warning"]
    assert (warning["instId"], warning["pos"], warning["mgnMode"]) == (SWAP, "10", "isolated")
    order = (await private.find(channel="orders"))["data"][0]
    assert order["category"] == "full_liquidation"
    both = await private.find(channel="balance_and_position")
    while both["data"][0]["eventType"] == "snapshot":
        both = await private.find(channel="balance_and_position")
    assert both["data"][0]["eventType"] == "liquidation"
    told = (await public.find(channel="liquidation-orders"))["data"][0]
    assert shape(told) == push_rows["liquidation-orders"]
    assert shape(told["details"][0]) == push_rows["liquidation-orders details"]
    assert (told["instId"], told["details"][0]["posSide"], told["details"][0]["side"]) == (
        SWAP,
        "long",
        "sell",
    )
