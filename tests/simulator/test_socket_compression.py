"""permessage-deflate as different clients negotiate it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.simulator.client import SWAP, Client, Simulator
from tests.simulator.conftest import OpenSocket

pytestmark = pytest.mark.simulator

BOOKS = {"op": "subscribe", "args": [{"channel": "books", "instId": SWAP}]}


async def asked(socket: ClientConnection, frame: Any) -> Any:
    await socket.send(json.dumps(frame))
    return json.loads(await asyncio.wait_for(socket.recv(), 3))


@pytest.mark.parametrize(
    "offer",
    [
        {},
        {"client_max_window_bits": True},
        {"client_max_window_bits": 10},
        {"server_no_context_takeover": True},
        {"client_no_context_takeover": True},
        {"server_max_window_bits": 9},
        {
            "server_max_window_bits": 12,
            "client_max_window_bits": 12,
            "server_no_context_takeover": True,
            "client_no_context_takeover": True,
        },
    ],
    ids=str,
)
async def test_every_offer_is_understood(still: Simulator, offer: dict[str, Any]) -> None:
    extension = ClientPerMessageDeflateFactory(**offer)

    async with websockets.connect(
        still.ws["public"], compression=None, extensions=[extension]
    ) as socket:
        assert [each.name for each in socket.protocol.extensions] == ["permessage-deflate"]
        answer = socket.response.headers["Sec-WebSocket-Extensions"]
        assert "server_no_context_takeover" in answer
        for _ in range(3):
            assert (await asked(socket, BOOKS))["event"] == "subscribe"
            book = json.loads(await asyncio.wait_for(socket.recv(), 3))["data"][0]
            assert len(book["asks"]) > 100
        await socket.send("ping")
        assert await asyncio.wait_for(socket.recv(), 3) == "pong"


async def test_without_an_offer_nothing_is_compressed(still: Simulator) -> None:
    async with websockets.connect(still.ws["public"], compression=None) as socket:
        assert socket.protocol.extensions == []
        assert (await asked(socket, BOOKS))["event"] == "subscribe"


async def test_one_event_reaches_compressed_and_plain_connections(
    own: Simulator, connect: OpenSocket
) -> None:
    """The same frame in three forms: plain, with the usual window, with a small one."""
    small = ClientPerMessageDeflateFactory(server_max_window_bits=9)
    plain = await connect(own.ws["public"])
    ask = {"op": "subscribe", "args": [{"channel": "tickers", "instId": SWAP}]}
    await plain.say(ask)
    await plain.find(channel="tickers")
    async with (
        websockets.connect(own.ws["public"]) as usual,
        websockets.connect(own.ws["public"], compression=None, extensions=[small]) as little,
    ):
        for socket in (usual, little):
            await asked(socket, ask)
            await asyncio.wait_for(socket.recv(), 3)

        own.ask("POST", "/prices", {SWAP: "64321"})

        heard = [json.loads(await asyncio.wait_for(each.recv(), 3)) for each in (usual, little)]
        heard.append(await plain.find(channel="tickers"))
    assert [each["data"][0]["last"] for each in heard] == ["64321"] * 3
    assert heard[0] == heard[1] == heard[2]


async def test_a_frame_of_more_than_64_kb_closes_however_small_it_travels(
    still: Simulator,
) -> None:
    async with websockets.connect(still.ws["public"]) as socket:
        await socket.send("x" * 100_000)

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 3)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_aiohttp_compresses_as_well(connect: OpenSocket, client: Client) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(client.simulator.ws["private"], compress=15) as socket,
    ):
        assert socket.compress
        await socket.send_json(client.login())
        assert (await socket.receive_json(timeout=3))["event"] == "login"


async def test_a_stalled_connection_answers_no_ping_of_the_protocol(own: Simulator) -> None:
    async with websockets.connect(own.ws["public"]) as socket:
        await asyncio.wait_for(await socket.ping(), 3)
        own.ask("POST", "/faults", {"match": {"channel": "tickers"}, "fault": "ws_stall"})

        await asked(socket, {"op": "subscribe", "args": [{"channel": "tickers", "instId": SWAP}]})

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(await socket.ping(), 0.3)
        socket.transport.abort()
