"""WebSocket: keepalive, login, subscriptions, pushes, order operations."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from tests.simulator.client import SPOT, SWAP, Client, Simulator, Socket
from tests.simulator.conftest import OpenSocket
from tests.simulator.shapes import shape

pytestmark = pytest.mark.simulator

Shapes = dict[str, dict[str, str]]

PUBLIC = (
    {"channel": "tickers", "instId": SWAP},
    {"channel": "books5", "instId": SWAP},
    {"channel": "books", "instId": SWAP},
    {"channel": "bbo-tbt", "instId": SWAP},
    {"channel": "trades", "instId": SWAP},
    {"channel": "mark-price", "instId": SWAP},
    {"channel": "instruments", "instType": "SPOT"},
    {"channel": "price-limit", "instId": SWAP},
    {"channel": "funding-rate", "instId": SWAP},
    {"channel": "open-interest", "instId": SWAP},
)


async def logged_in(connect: OpenSocket, client: Client, at: Any = None) -> Socket:
    socket = await connect(client.simulator.ws["private"])
    await socket.say(client.login(at))
    answer = await socket.frame()
    assert (answer["event"], answer["code"], answer["msg"]) == ("login", "0", ""), answer
    assert len(answer["connId"]) == 8
    return socket


async def listening(connect: OpenSocket, client: Client, *args: dict[str, str]) -> Socket:
    socket = await logged_in(connect, client)
    await socket.say({"id": "7", "op": "subscribe", "args": list(args)})
    for arg in args:
        await socket.find(event="subscribe", arg=arg, id="7")
        await socket.find(event="channel-conn-count", channel=None)
    return socket


async def test_text_ping_is_answered_with_text_pong(connect: OpenSocket, still: Simulator) -> None:
    for url in still.ws.values():
        socket = await connect(url + "?brokerId=9999")
        await socket.say("ping")
        assert await socket.frame() == "pong"


@pytest.mark.parametrize(
    "at",
    [
        lambda: str(int(time.time())),
        lambda: f"{time.time():.3f}",
        lambda: int(time.time()),
    ],
)
async def test_login_takes_epoch_seconds_in_every_form(
    connect: OpenSocket, client: Client, at: Any
) -> None:
    await logged_in(connect, client, at())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"timestamp": "soon"}, "60004"),
        ({"timestamp": "1597026383"}, "60006"),
        ({"apiKey": ""}, "60005"),
        ({"apiKey": "nobody"}, "60032"),
        ({"passphrase": "wrong"}, "60024"),
        ({"sign": "wrong"}, "60007"),
        ({"sign": None}, "60007"),
    ],
)
async def test_bad_logins(
    connect: OpenSocket, client: Client, change: dict[str, Any], code: str
) -> None:
    socket = await connect(client.simulator.ws["private"])
    login = client.login()
    login["args"][0] |= change

    await socket.say(login)

    answer = await socket.frame()
    assert (answer["event"], answer["code"]) == ("error", code)
    assert "connId" in answer


async def test_a_bound_key_cannot_log_in_from_elsewhere(
    connect: OpenSocket, still: Simulator
) -> None:
    client = still.account("wsbound", ip="10.1.2.3")
    socket = await connect(still.ws["private"])

    await socket.say(client.login())

    assert (await socket.frame())["code"] == "60009"


async def test_a_second_login_is_refused(connect: OpenSocket, client: Client) -> None:
    socket = await logged_in(connect, client)

    await socket.say(client.login())

    assert (await socket.frame())["code"] == "60031"


@pytest.mark.parametrize(
    ("url", "said", "code"),
    [
        ("public", "hello", "60012"),
        ("public", "[1]", "60012"),
        ("public", '{"op": [5]}', "60012"),
        ("public", '{"op": "subscribe"}', "60012"),
        ("public", '{"op": "subscribe", "args": {}}', "60012"),
        ("public", '{"op": "subscribe", "args": [5]}', "60013"),
        ("public", '{"op": "dance", "args": []}', "60019"),
        ("public", '{"op": "subscribe", "args": [{"channel": "tickers"}]}', "60027"),
        ("public", '{"op": "subscribe", "args": [{"instId": "BTC-USDT"}]}', "60027"),
        ("public", '{"op": "subscribe", "args": [{"channel": "nope", "instId": "X"}]}', "60018"),
        ("public", '{"op": "subscribe", "args": [{"channel": "tickers", "instId": "X"}]}', "60018"),
        ("public", '{"op": "subscribe", "args": [{"channel": ["a"]}]}', "60013"),
        ("public", '{"op": "subscribe", "args": [{"channel": "orders"}]}', "60018"),
        ("public", '{"op": "order", "args": [{}]}', "60028"),
        ("private", '{"op": "subscribe", "args": [{"channel": "account"}]}', "60011"),
        ("private", '{"op": "order", "args": [{}]}', "60011"),
        ("private", '{"op": "subscribe", "args": [{"channel": "tickers"}]}', "60018"),
        ("private", '{"op": "subscribe", "args": [{"channel": "fills"}]}', "60011"),
        ("private", '{"op": "subscribe", "args": [{"channel": "candle1m"}]}', "64001"),
        ("public", '{"op": "subscribe", "args": [{"channel": "orders-algo"}]}', "64001"),
        ("business", '{"op": "subscribe", "args": [{"channel": "tickers"}]}', "64002"),
        ("business", '{"op": "subscribe", "args": [{"channel": "orders"}]}', "64002"),
        (
            "public",
            '{"op": "subscribe", "args": [{"channel": "funding-rate", "instId": "BTC-USDT"}]}',
            "60018",
        ),
        ("public", '{"op": "subscribe", "args": [{"channel": "\\ud800"}]}', "60018"),
        ("public", '{"op": NaN}', "60012"),
        ("public", "[" * 30_000, "60012"),
        ("public", '{"op": "subscribe", "args": ' + "[" * 400 + "]" * 400 + "}", "60012"),
        (
            "public",
            '{"op": "subscribe", "args": [{"channel": "tickers", "instId": "' + "x" * 101 + '"}]}',
            "60013",
        ),
    ],
)
async def test_bad_frames_are_answered_and_the_connection_stays(
    connect: OpenSocket, still: Simulator, url: str, said: str, code: str
) -> None:
    socket = await connect(still.ws[url])

    await socket.say(said)

    answer = await socket.frame()
    assert (answer["event"], answer["code"]) == ("error", code)
    await socket.say("ping")
    assert await socket.frame() == "pong"


async def test_a_frame_that_is_too_long_closes_with_1009(
    connect: OpenSocket, still: Simulator
) -> None:
    socket = await connect(still.ws["public"])

    await socket.say("x" * 70_000)

    message = await socket.socket.receive(timeout=3)
    assert message.type == aiohttp.WSMsgType.CLOSE
    assert message.data == 1009


@pytest.mark.parametrize("arg", PUBLIC, ids=lambda arg: arg["channel"])
async def test_public_channels_acknowledge_and_push(
    connect: OpenSocket, still: Simulator, push_rows: Shapes, arg: dict[str, str]
) -> None:
    socket = await connect(still.ws["public"])

    await socket.say({"id": "1512", "op": "subscribe", "args": [arg]})

    ack, push = await socket.frame(), await socket.frame()
    assert (ack["event"], ack["arg"], ack["id"]) == ("subscribe", arg, "1512")
    assert push["arg"] == arg
    assert shape(push) == push_rows[f"{arg['channel']} frame"]
    assert shape(push["data"][0]) == push_rows[arg["channel"]]


async def test_silent_channels_stay_silent_when_prices_move(
    own: Simulator, connect: OpenSocket
) -> None:
    socket = await logged_in(connect, own.account("silent"))
    args = [
        {"channel": "liquidation-warning", "instType": "SWAP", "instId": SWAP},
        {"channel": "orders", "instType": "SWAP", "instId": SWAP},
    ]
    await socket.say({"op": "subscribe", "args": args})
    for _ in args:
        await socket.find(event="channel-conn-count")

    answer = own.ask("POST", "/prices", {SWAP: "64100"})

    assert answer.status == 200
    assert await socket.quiet(0.2)


async def test_prices_are_pushed_when_they_move(own: Simulator, connect: OpenSocket) -> None:
    socket = await connect(own.ws["public"])
    args = [{"channel": name, "instId": SWAP} for name in ("tickers", "mark-price", "books")]
    await socket.say({"op": "subscribe", "args": args})
    first = await socket.find(channel="books")

    own.ask("POST", "/prices", {SWAP: "64100"})

    ticker = await socket.find(channel="tickers")
    mark = await socket.find(channel="mark-price")
    book = await socket.find(channel="books")
    assert ticker["data"][0]["last"] == mark["data"][0]["markPx"] == "64100"
    assert (first["action"], book["action"]) == ("snapshot", "update")
    assert book["data"][0]["prevSeqId"] == first["data"][0]["seqId"]
    await socket.say({"op": "unsubscribe", "args": args})
    for _ in args:
        await socket.find(event="unsubscribe")
    own.ask("POST", "/prices", {SWAP: "64200"})
    assert await socket.quiet(0.3)


async def test_candles_are_on_the_business_url(connect: OpenSocket, still: Simulator) -> None:
    socket = await connect(still.ws["business"])

    await socket.say({"op": "subscribe", "args": [{"channel": "candle1m", "instId": SPOT}]})

    push = await socket.find(channel="candle1m")
    assert len(push["data"][0]) == 9


async def test_orders_have_no_snapshot_and_push_live_then_filled(
    connect: OpenSocket, client: Client, push_rows: Shapes
) -> None:
    client.order(ordType="limit", px="61000")
    socket = await listening(connect, client, {"channel": "orders", "instType": "SWAP"})
    assert await socket.quiet(0.2)

    ord_id = client.order(clOrdId="w1").row["ordId"]

    pushes = [await socket.find(channel="orders") for _ in range(2)]
    rows = [push["data"][0] for push in pushes]
    assert [row["state"] for row in rows] == ["live", "filled"]
    assert {row["ordId"] for row in rows} == {ord_id}
    assert rows[0]["fillSz"] == "0"
    assert (rows[1]["fillSz"], rows[1]["fillPx"], rows[1]["execType"]) == ("1", "64000.1", "T")
    assert pushes[0]["arg"]["uid"] == client.get("account/config").row["uid"]
    assert shape(pushes[1]) == push_rows["orders frame"]
    assert shape(rows[1]) == push_rows["orders"]


@pytest.mark.parametrize(
    ("arg", "hears"),
    [
        ({"instType": "ANY"}, True),
        ({"instType": "SWAP", "instFamily": "BTC-USDT"}, True),
        ({"instType": "SWAP", "instId": SWAP}, True),
        ({"instType": "SPOT"}, False),
        ({"instType": "SWAP", "instId": "ETH-USDT-SWAP"}, False),
        ({"instType": "SWAP", "instFamily": "ETH-USDT"}, False),
    ],
)
async def test_orders_are_pushed_to_the_arguments_that_match(
    connect: OpenSocket, client: Client, arg: dict[str, str], hears: bool
) -> None:
    socket = await listening(connect, client, {"channel": "orders", **arg})

    client.order(ordType="limit", px="61000")

    assert await socket.quiet(0.3) is not hears


async def test_one_account_never_hears_another(
    connect: OpenSocket, client: Client, hedged: Client
) -> None:
    socket = await listening(connect, hedged, {"channel": "orders", "instType": "ANY"})

    client.order()

    assert await socket.quiet(0.3)


async def test_canceled_orders_are_pushed(connect: OpenSocket, client: Client) -> None:
    socket = await listening(connect, client, {"channel": "orders", "instType": "ANY"})

    client.order(ordType="post_only", px="64500")

    rows = [(await socket.find(channel="orders"))["data"][0] for _ in range(2)]
    assert [row["state"] for row in rows] == ["live", "canceled"]
    assert rows[1]["cancelSource"] == "31"


async def test_positions_and_account_have_snapshots_and_updates(
    connect: OpenSocket, client: Client, push_rows: Shapes
) -> None:
    events_only = {"extraParams": '{"updateInterval":"0"}'}
    socket = await logged_in(connect, client)
    args = [
        {"channel": "positions", "instType": "ANY", **events_only},
        {"channel": "account", **events_only},
        {"channel": "balance_and_position"},
    ]
    await socket.say({"op": "subscribe", "args": args})
    empty = await socket.find(channel="positions")
    money = await socket.find(channel="account")
    both = await socket.find(channel="balance_and_position")
    assert (empty["data"], empty["eventType"]) == ([], "snapshot")
    assert money["data"][0]["details"][0]["cashBal"] == "100000"
    assert both["data"][0]["eventType"] == "snapshot"

    client.order()

    opened = await socket.find(channel="positions")
    paid = await socket.find(channel="account")
    filled = await socket.find(channel="balance_and_position")
    assert (opened["eventType"], opened["data"][0]["pos"]) == ("event_update", "1")
    assert shape(empty) == push_rows["positions frame"]
    assert shape(opened) == {"arg": "object", "eventType": "string", "data": "list"}
    assert shape(opened["data"][0]) == push_rows["positions"]
    assert shape(paid["data"][0]) == push_rows["account"]
    assert shape(paid["data"][0]["details"][0]) == push_rows["account details"]
    assert Decimal(paid["data"][0]["details"][0]["cashBal"]) == Decimal("99999.6799995")
    assert filled["data"][0]["eventType"] == "filled"
    for name in ("balData", "posData", "trades"):
        assert shape(filled["data"][0][name][0]) == push_rows[f"balance_and_position {name}"]
    client.order(side="sell")
    assert (await socket.find(channel="positions"))["data"][0]["pos"] == "0"


@pytest.mark.long
async def test_positions_are_repeated_unless_the_interval_is_zero(
    connect: OpenSocket, client: Client
) -> None:
    socket = await listening(connect, client, {"channel": "positions", "instType": "ANY"})
    await socket.find(channel="positions")

    again = await socket.find(within=7, channel="positions")

    assert again["eventType"] == "snapshot"
