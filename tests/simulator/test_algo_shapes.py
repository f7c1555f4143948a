"""Algo orders: answers, rows and pushes have exactly the documented members and types."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.client import SWAP, Client, Socket
from tests.simulator.codes.cases_algo import OCO, STOP, algo
from tests.simulator.conftest import OpenSocket
from tests.simulator.shapes import shape

pytestmark = pytest.mark.simulator

Shapes = dict[str, dict[str, str]]

COVERED = {
    "GET trade/order-algo",
    "GET trade/orders-algo-history",
    "GET trade/orders-algo-pending",
    "POST trade/amend-algos",
    "POST trade/cancel-algos",
    "POST trade/cancel-all-after",
    "POST trade/mass-cancel",
    "POST trade/order-algo",
}

TRAILING = {"ordType": "move_order_stop", "callbackSpread": "100"}
TRIGGER = {
    "ordType": "trigger",
    "triggerPx": "65000",
    "orderPx": "-1",
    "side": "buy",
    "reduceOnly": None,
}
CARRIED = {"slTriggerPx": "60000", "slOrdPx": "-1", "attachAlgoClOrdId": "mine"}


def place(client: Client, **terms: Any) -> str:
    answer = client.post("trade/order-algo", algo(**terms))
    assert answer.code == "0", answer.body
    return str(answer.row["algoId"])


def test_answers_have_the_documented_members(client: Client, rest_rows: Shapes) -> None:
    placed = client.post("trade/order-algo", algo(**STOP, algoClOrdId="name1", tag="t1"))
    named = {"instId": SWAP, "algoId": placed.row["algoId"]}
    amended = client.post("trade/amend-algos", {**named, "newSlTriggerPx": "62000", "reqId": "r1"})
    canceled = client.post("trade/cancel-algos", [named])

    assert shape(placed.row) == rest_rows["POST trade/order-algo"]
    assert (placed.row["algoClOrdId"], placed.row["tag"]) == ("name1", "t1")
    assert shape(amended.row) == rest_rows["POST trade/amend-algos"]
    assert amended.row["reqId"] == "r1"
    assert shape(canceled.row) == rest_rows["POST trade/cancel-algos"]
    assert [each.body["msg"] for each in (placed, amended, canceled)] == ["", "", ""]


def test_a_refusal_is_a_row_with_the_documented_members(client: Client) -> None:
    answer = client.post("trade/order-algo", algo(**STOP, tdMode="cash"))

    assert answer.status == 200
    assert answer.body == {
        "code": "1",
        "data": [
            {
                "algoClOrdId": "",
                "algoId": "",
                "clOrdId": "",
                "sCode": "51000",
                "sMsg": "Parameter tdMode error",
                "tag": "",
            }
        ],
        "msg": "",
    }
    assert client.get("trade/orders-algo-pending", {"ordType": "conditional"}).data == []


@pytest.mark.parametrize("terms", [STOP, OCO, TRAILING, {**TRIGGER, "attachAlgoOrds": [CARRIED]}])
def test_rows_have_the_documented_members(
    client: Client, rest_rows: Shapes, terms: dict[str, Any]
) -> None:
    algo_id = place(client, **terms)
    kind = terms.get("ordType", "conditional")

    one = client.get("trade/order-algo", {"algoId": algo_id}).row
    pending = client.get("trade/orders-algo-pending", {"ordType": kind}).row
    client.post("trade/cancel-algos", [{"instId": SWAP, "algoId": algo_id}])
    ended = client.get("trade/orders-algo-history", {"ordType": kind, "state": "canceled"}).row

    assert shape(one) == rest_rows["trade/order-algo"]
    assert shape(pending) == rest_rows["trade/orders-algo-pending"]
    assert shape(ended) == rest_rows["trade/orders-algo-history"]
    for each in one["attachAlgoOrds"]:
        assert shape(each) == rest_rows["trade/order-algo attachAlgoOrds"]


def test_what_an_order_carries_has_the_documented_members(
    client: Client, rest_rows: Shapes
) -> None:
    assert client.order(ordType="limit", px="61000", attachAlgoOrds=[CARRIED]).code == "0"

    (carried,) = client.get("trade/orders-pending").row["attachAlgoOrds"]

    assert shape(carried) == rest_rows["trade/order attachAlgoOrds"]
    assert (carried["attachAlgoClOrdId"], carried["slTriggerPx"]) == ("mine", "60000")


def test_a_position_lists_what_closes_it_whole(client: Client, rest_rows: Shapes) -> None:
    client.order(sz="2")
    place(client, **STOP)
    algo_id = place(client, **OCO, sz=None, closeFraction="1")

    (listed,) = client.get("account/positions").row["closeOrderAlgo"]

    assert shape(listed) == rest_rows["account/positions closeOrderAlgo"]
    assert listed["algoId"] == algo_id


def test_switches_answer_with_the_documented_members(client: Client, rest_rows: Shapes) -> None:
    started = client.post("trade/cancel-all-after", {"timeOut": "60", "tag": "t1"})
    stopped = client.post("trade/cancel-all-after", {"timeOut": "0", "tag": "t1"})

    assert shape(started.row) == rest_rows["trade/cancel-all-after"]
    assert int(started.row["triggerTime"]) - int(started.row["ts"]) == 60
    assert (stopped.row["triggerTime"], stopped.row["tag"]) == ("0", "t1")


def test_mass_cancel_is_for_options_in_portfolio_margin(client: Client, rest_rows: Shapes) -> None:
    family = {"instType": "OPTION", "instFamily": "BTC-USD"}
    maker = client.simulator.account(f"{client.key}maker", acct_lv="4")

    answer = maker.post("trade/mass-cancel", family)

    assert shape(answer.row) == rest_rows["trade/mass-cancel"]
    assert client.post("trade/mass-cancel", family).code == "51010"
    assert maker.post("trade/mass-cancel", {**family, "instType": "SWAP"}).code == "51000"
    assert maker.post("trade/mass-cancel", {**family, "lockInterval": "10001"}).code == "51000"


async def test_mass_cancel_is_also_an_operation_of_the_socket(
    client: Client, connect: OpenSocket
) -> None:
    maker = client.simulator.account(f"{client.key}maker", acct_lv="4")
    family = {"instType": "OPTION", "instFamily": "BTC-USD"}
    socket = await connect(client.simulator.ws["private"])
    frame = {"id": "1512", "op": "mass-cancel", "args": [family]}
    await socket.say(frame)
    assert (await socket.find(event="error"))["code"] == "60011"
    await socket.say(maker.login())
    await socket.find(event="login")

    await socket.say(frame)
    done = await socket.find(op="mass-cancel")
    await socket.say({**frame, "args": [family, family]})
    malformed = await socket.find(op="mass-cancel")

    told = {"id": "1512", "op": "mass-cancel"}
    assert done == {**told, "code": "0", "data": [{"result": True}], "msg": ""}
    assert malformed == {**told, "code": "60013", "data": [], "msg": "Invalid args"}


async def listening(connect: OpenSocket, client: Client, channel: str) -> Socket:
    socket = await connect(client.simulator.ws["business"])
    arg = {"channel": channel, "instType": "SWAP", "instId": SWAP}
    await socket.say({"op": "subscribe", "args": [arg]})
    assert (await socket.find(event="error"))["code"] == "60011"
    await socket.say(client.login())
    await socket.find(event="login")
    await socket.say({"op": "subscribe", "args": [arg]})
    await socket.find(event="subscribe")
    return socket


async def test_stops_are_pushed_through_their_whole_life(
    client: Client, connect: OpenSocket, push_rows: Shapes
) -> None:
    client.order()
    socket = await listening(connect, client, "orders-algo")
    algo_id = place(client, **OCO)
    named = {"instId": SWAP, "algoId": algo_id}
    client.post("trade/amend-algos", {**named, "newTpTriggerPx": "66500", "reqId": "r1"})
    client.post("trade/amend-algos", {**named, "newSlTriggerPx": "64000"})

    frames = [await socket.find(channel="orders-algo") for _ in range(4)]

    uid = client.get("account/config").row["uid"]
    arg = {"channel": "orders-algo", "instType": "SWAP", "instId": SWAP, "uid": uid}
    assert [frame["arg"] for frame in frames] == [arg] * 4
    rows = [frame["data"][0] for frame in frames]
    assert {**shape(rows[0])} == push_rows["orders-algo"]
    told = [(row["state"], row["amendResult"], row["reqId"], row["tpTriggerPx"]) for row in rows]
    assert told == [
        ("live", "", "", "66000"),
        ("live", "0", "r1", "66500"),
        ("live", "0", "", "66500"),
        ("effective", "", "", "66500"),
    ]
    assert (rows[-1]["actualSide"], rows[-1]["actualSz"]) == ("sl", "1")


async def test_trailing_stops_have_their_own_channel_with_a_snapshot(
    client: Client, connect: OpenSocket, push_rows: Shapes
) -> None:
    first = place(client, **TRAILING)
    socket = await listening(connect, client, "algo-advance")
    snapshot = (await socket.find(channel="algo-advance"))["data"]
    place(client, **STOP)
    client.post("trade/cancel-algos", [{"instId": SWAP, "algoId": first}])

    (row,) = (await socket.find(channel="algo-advance"))["data"]

    assert [each["algoId"] for each in snapshot] == [first]
    assert shape(row) == push_rows["algo-advance"]
    assert (row["algoId"], row["state"], row["moveTriggerPx"]) == (first, "canceled", "63900")


async def test_the_orders_channel_tells_what_an_order_carries(
    client: Client, connect: OpenSocket, push_rows: Shapes
) -> None:
    socket = await connect(client.simulator.ws["private"])
    await socket.say(client.login())
    await socket.say({"op": "subscribe", "args": [{"channel": "orders", "instType": "SWAP"}]})
    await socket.find(event="channel-conn-count")
    body = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
    carrying = {**body, "attachAlgoOrds": [CARRIED]}
    await socket.say({"id": "1", "op": "order", "args": [carrying]})

    pushed = (await socket.find(channel="orders"))["data"][0]

    assert [shape(each) for each in pushed["attachAlgoOrds"]] == [
        push_rows["orders attachAlgoOrds"]
    ]
    armed = client.get("trade/orders-algo-pending", {"ordType": "conditional"}).row
    assert (armed["algoClOrdId"], armed["sz"], armed["reduceOnly"]) == ("mine", "1", "true")
