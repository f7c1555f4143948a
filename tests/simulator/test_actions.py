"""What the control API does to the market, to connections and in a customer's name."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.simulator.client import SWAP, Client, Simulator, send
from tests.simulator.conftest import OpenSocket
from tests.simulator.test_websocket import listening

pytestmark = pytest.mark.simulator

NUMBERS = count(1)
ETH = "ETH-USDT-SWAP"


@pytest.fixture
def client(own: Simulator) -> Iterator[Client]:
    yield own.account(f"acted{next(NUMBERS)}")
    own.ask("POST", "/suspend", {SWAP: False})


def last(simulator: Simulator, inst_id: str) -> str:
    path = f"/api/v5/market/ticker?instId={inst_id}"
    return str(send(simulator.rest, "GET", path, None, {}).row["last"])


def test_a_move_in_percent_stays_on_the_tick_and_pinned(own: Simulator) -> None:
    own.ask("POST", "/prices", {ETH: "3000.01"})

    answer = own.ask("POST", "/prices", {ETH: {"move": "-2.5%"}})

    assert (answer.status, answer.body) == (200, {"prices": {ETH: "2925"}})
    assert last(own, ETH) == "2925"
    held = own.entries(kind="price", inst_id=ETH)[-1]
    assert (held["px"], held.get("held", True)) == ("2925", True)


def test_a_released_price_walks_on_from_where_it_stands(own: Simulator) -> None:
    own.ask("POST", "/prices", {ETH: "3000"})

    released = own.ask("POST", "/prices", {ETH: None})

    assert released.body == {"prices": {ETH: "3000"}}
    entry = own.entries(kind="price", inst_id=ETH)[-1]
    assert (entry["px"], entry["held"]) == ("3000", False)


@pytest.mark.parametrize(
    "value",
    [
        {"move": "2"},
        {"move": "-100%"},
        {"move": 2},
        {"jump": "2%"},
        {},
        True,
        "-2%",
        {"move": "1e2%"},
    ],
)
def test_moves_that_cannot_be_read_move_nothing(own: Simulator, value: Any) -> None:
    seq = own.ask("GET", "/health").body["entries"]

    answer = own.ask("POST", "/prices", {"BTC-USDT": "64000", ETH: value})

    assert (answer.status, answer.body["field"]) == (400, ETH)
    assert own.ask("GET", "/health").body["entries"] == seq


async def test_an_instrument_is_announced_to_end_and_the_announcement_taken_back(
    connect: OpenSocket, client: Client
) -> None:
    public = await connect(client.simulator.ws["public"])
    await public.say({"op": "subscribe", "args": [{"channel": "instruments", "instType": "SWAP"}]})
    await public.find(channel="instruments")

    answer = client.simulator.ask("POST", "/delist", {SWAP: 86_400})

    (row,) = (await public.find(channel="instruments"))["data"]
    assert answer.body == {"delisted": {SWAP: row["expTime"]}}
    assert row["expTime"]
    asked = {"instType": "SWAP", "instId": SWAP}
    assert client.get("public/instruments", asked).row["expTime"] == row["expTime"]
    assert client.order(sz="0.01").row["sCode"] == "0"
    client.simulator.ask("POST", "/delist", {SWAP: None})
    assert client.get("public/instruments", asked).row["expTime"] == ""


async def test_a_suspended_instrument_refuses_orders_and_says_so(
    connect: OpenSocket, client: Client
) -> None:
    client.order(ordType="limit", px="61000", clOrdId="stays")
    socket = await listening(connect, client, {"channel": "orders", "instType": "ANY"})
    public = await connect(client.simulator.ws["public"])
    await public.say({"op": "subscribe", "args": [{"channel": "instruments", "instType": "SWAP"}]})
    await public.find(channel="instruments")

    answer = client.simulator.ask("POST", "/suspend", {SWAP: True})

    assert answer.body == {"suspended": [SWAP]}
    (row,) = (await public.find(channel="instruments"))["data"]
    assert (row["instId"], row["state"]) == (SWAP, "suspend")
    assert client.order().row["sCode"] == "51022"
    assert client.order(instId=ETH, sz="0.01").row["sCode"] == "0"
    asked = {"instType": "SWAP", "instId": SWAP}
    assert client.get("public/instruments", asked).row["state"] == "suspend"
    cancel = client.post("trade/cancel-order", {"instId": SWAP, "clOrdId": "stays"})
    assert cancel.row["sCode"] == "0"
    client.simulator.ask("POST", "/suspend", {SWAP: False})
    assert client.order(sz="0.01").row["sCode"] == "0"
    assert (await socket.find(channel="orders"))["data"][0]["instId"] == ETH


async def test_an_order_from_elsewhere_trades_and_is_pushed(
    connect: OpenSocket, client: Client
) -> None:
    socket = await listening(connect, client, {"channel": "orders", "instType": "ANY"})
    body = {"instId": SWAP, "tdMode": "cross", "side": "sell", "ordType": "market", "sz": "2"}

    answer = client.simulator.ask("POST", f"/accounts/{client.key}/orders", body)

    assert (answer.status, answer.body["sCode"]) == (200, "0")
    pushed = (await socket.find(channel="orders"))["data"][0]
    assert (pushed["ordId"], pushed["clOrdId"]) == (answer.body["ordId"], "")
    assert client.get("account/positions").row["pos"] == "-2"
    bad = client.simulator.ask("POST", f"/accounts/{client.key}/orders", body | {"sz": "x"})
    assert (bad.status, bad.body["field"]) == (400, "order")


async def test_a_notice_of_a_restart_closes_when_asked_to(
    connect: OpenSocket, own: Simulator
) -> None:
    socket = await connect(own.ws["public"])
    await socket.say("ping")
    await socket.frame()

    assert own.ask("POST", "/restart-notice").body["sessions"] >= 1
    assert (await socket.find(event="notice"))["code"] == "64008"
    own.ask("POST", "/restart-notice", {"close_in_s": 1})
    assert (await socket.find(event="notice"))["code"] == "64008"
    message = await socket.socket.receive(timeout=3)
    assert message.type == aiohttp.WSMsgType.CLOSE


async def test_a_restart_cuts_sockets_and_fails_calls_for_its_time(
    connect: OpenSocket, own: Simulator
) -> None:
    socket = await connect(own.ws["public"])

    answer = own.ask("POST", "/restart", {"down_s": 60})

    assert len(answer.body["faults"]) == 2
    message = await socket.socket.receive(timeout=3)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert send(own.rest, "GET", "/api/v5/public/time", None, {}).status == 503
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await connect(own.ws["public"])
    for each in answer.body["faults"]:
        own.ask("DELETE", f"/faults/{each}")
    assert send(own.rest, "GET", "/api/v5/public/time", None, {}).code == "0"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/delist", {}, ""),
        ("/delist", {"FOO": 5}, "FOO"),
        ("/delist", {SWAP: "soon"}, SWAP),
        ("/suspend", {}, ""),
        ("/suspend", {"FOO": True}, "FOO"),
        ("/suspend", {SWAP: "yes"}, SWAP),
        ("/restart", {"down_s": 0}, "down_s"),
        ("/restart", {"for": 5}, "for"),
        ("/restart-notice", {"close_in_s": "soon"}, "close_in_s"),
        ("/cut-sockets", {"all": True}, "all"),
    ],
)
def test_bad_actions_name_the_field(own: Simulator, path: str, body: Any, field: str) -> None:
    answer = own.ask("POST", path, body)

    assert (answer.status, answer.body["field"]) == (400, field)
    assert own.ask("GET", "/faults").body == {"faults": []}


def test_a_liquidation_by_hand_closes_the_position_and_cancels_orders(client: Client) -> None:
    client.order(sz="2", side="sell")
    client.order(ordType="limit", px="61000")

    answer = client.simulator.ask("POST", f"/accounts/{client.key}/liquidate", {"inst_id": SWAP})

    assert (answer.status, answer.body["category"]) == (200, "full_liquidation")
    asked = {"instId": SWAP, "ordId": answer.body["ord_id"]}
    order = client.get("trade/order", asked).row
    assert (order["state"], order["side"], order["sz"]) == ("filled", "buy", "2")
    assert client.get("account/positions").data == []
    (canceled,) = client.simulator.entries(kind="cancel", account=client.key)
    assert canceled["cancel_source"] == "3"
    (fill,) = client.get("trade/fills", {"ordId": asked["ordId"]}).data
    assert fill["tradeId"].startswith("-")


def test_deleveraging_takes_a_part_away_at_the_mark_price(client: Client) -> None:
    client.order(sz="2")
    body = {"inst_id": SWAP, "sz": "0.5"}

    answer = client.simulator.ask("POST", f"/accounts/{client.key}/adl", body)

    assert (answer.body["category"], answer.body["sz"]) == ("adl", "0.5")
    assert client.get("account/positions").row["pos"] == "1.5"
    asked = {"instId": SWAP, "ordId": answer.body["ord_id"]}
    order = client.get("trade/order", asked).row
    assert (order["category"], order["avgPx"], order["state"]) == ("adl", "64000", "filled")
    too_much = client.simulator.ask("POST", f"/accounts/{client.key}/adl", body | {"sz": "2"})
    assert (too_much.status, too_much.body["field"]) == (400, "sz")


def test_funding_by_hand_is_paid_by_who_is_long(client: Client) -> None:
    client.order(sz="2")
    before = client.balance()["cashBal"]

    answer = client.simulator.ask("POST", "/funding", {SWAP: "0.001"})

    assert answer.body == {"funding": {SWAP: "0.001"}}
    assert Decimal(client.balance()["cashBal"]) - Decimal(before) == Decimal("-1.28")
    (bill,) = client.get("account/bills", {"type": "8"}).data
    assert (bill["balChg"], bill["subType"]) == ("-1.28", "173")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("liquidate", {}, "inst_id"),
        ("liquidate", {"inst_id": "BTC-USDT"}, "inst_id"),
        ("liquidate", {"inst_id": SWAP, "pos_side": "up"}, "pos_side"),
        ("liquidate", {"inst_id": SWAP, "sz": "1"}, "sz"),
        ("liquidate", {"inst_id": SWAP}, "inst_id"),
        ("adl", {"inst_id": SWAP, "sz": "0.001"}, "sz"),
        ("adl", {"inst_id": SWAP, "sz": "0"}, "sz"),
    ],
)
def test_force_on_what_is_not_there_is_refused(
    client: Client, path: str, body: Any, field: str
) -> None:
    answer = client.simulator.ask("POST", f"/accounts/{client.key}/{path}", body)

    assert (answer.status, answer.body["field"]) == (400, field)
    assert client.simulator.entries(kind="order", account=client.key) == []


@pytest.mark.parametrize("body", [{}, {"BTC-USDT": "0.01"}, {SWAP: "0.01"}, {SWAP: None}])
def test_bad_funding_pays_nothing(client: Client, body: Any) -> None:
    client.order(sz="2")

    answer = client.simulator.ask("POST", "/funding", body)

    assert answer.status == 400
    assert client.simulator.entries(kind="funding", account=client.key) == []
