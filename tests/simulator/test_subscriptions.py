"""Subscriptions of clients that word the same channel differently, and quiet channels."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from tests.simulator.client import SPOT, SWAP, Client, Socket, start
from tests.simulator.conftest import OpenSocket
from trading.simulator.channels import MARKET, OFFERED, TIERED

pytestmark = pytest.mark.simulator


async def test_unsubscribing_needs_no_extra_parameters(client: Client, connect: OpenSocket) -> None:
    socket = await connect(client.simulator.ws["private"])
    await socket.say(client.login())
    arg: Any = {"channel": "positions", "instType": "ANY"}
    extra = {**arg, "extraParams": json.dumps({"updateInterval": "0"})}
    await socket.say({"op": "subscribe", "args": [extra]})
    await socket.find(channel="positions")
    await socket.say({"op": "unsubscribe", "args": [{**arg, "instId": ""}]})
    await socket.find(event="unsubscribe")

    client.order()

    assert await socket.quiet(0.3)


async def test_quiet_public_channels_are_accepted(client: Client, connect: OpenSocket) -> None:
    socket = await connect(client.simulator.ws["public"])
    args = [{"channel": "liquidation-orders", "instType": "SWAP"}, {"channel": "status"}]

    await socket.say({"op": "subscribe", "args": args})

    assert [(await socket.frame())["event"] for _ in args] == ["subscribe", "subscribe"]
    assert await socket.quiet(0.2)


async def test_index_tickers_follow_the_spot_pair(client: Client, connect: OpenSocket) -> None:
    socket = await connect(client.simulator.ws["public"])
    args = [{"channel": "index-tickers", "instId": each} for each in (SPOT, SWAP)]

    await socket.say({"op": "subscribe", "args": args})

    assert (await socket.find(channel="index-tickers"))["data"][0]["idxPx"] == "64000"
    assert (await socket.find(event="error"))["code"] == "60018"


async def test_a_frame_of_exactly_64_kb_is_read(client: Client, connect: OpenSocket) -> None:
    socket = await connect(client.simulator.ws["public"])
    frame = json.dumps({"op": "subscribe", "args": [{"channel": "tickers", "instId": SWAP}]})

    await socket.say(frame.ljust(64 * 1024))

    assert (await socket.frame())["event"] == "subscribe"


async def test_it_stops_within_two_seconds_whoever_is_connected() -> None:
    """A call that hangs, a half-sent request and sockets that do not answer a close."""
    simulator = start("--no-market", "--latency-ms", "20000", "--limits", "off")
    host, port = simulator.rest.removeprefix("http://").split(":")
    async with aiohttp.ClientSession() as session:
        sockets = [Socket(await session.ws_connect(url)) for url in simulator.ws.values()]
        hanging = asyncio.ensure_future(session.get(f"{simulator.rest}/api/v5/public/time"))
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /api/v5/trade/order HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        await asyncio.sleep(0.1)
        begun = time.monotonic()

        code = await asyncio.to_thread(simulator.stop)

        assert (code, len(sockets)) == (0, 3)
        assert time.monotonic() - begun < 2
        hanging.cancel()
        writer.close()


def arguments(url: str) -> list[dict[str, str]]:
    """One sound argument for every channel that the URL offers."""
    swaps = ("funding-rate", "open-interest")
    made = []
    for channel in sorted(OFFERED[url] - TIERED):
        if channel in MARKET - {"instruments"}:
            inst_id = SPOT if channel not in swaps else SWAP
            made.append({"channel": channel, "instId": inst_id})
        else:
            made.append({"channel": channel, "instType": "SWAP"})
    return made


@pytest.mark.parametrize("url", ["public", "private", "business"])
async def test_every_channel_is_acknowledged_and_given_up_as_documented(
    client: Client, connect: OpenSocket, url: str
) -> None:
    socket = await connect(client.simulator.ws[url])
    await socket.say(client.login())
    assert (await socket.frame())["event"] == "login"
    conn_id = socket.seen[0]["connId"]
    args = arguments(url)

    for op in ("subscribe", "unsubscribe"):
        await socket.say({"id": "1512", "op": op, "args": args})
        for arg in args:
            answer = await socket.find(event=op)
            assert answer == {"id": "1512", "event": op, "arg": arg, "connId": conn_id}


@pytest.mark.parametrize("url", ["public", "private", "business"])
async def test_channels_of_another_address_are_refused_with_where_to_look(
    client: Client, connect: OpenSocket, url: str
) -> None:
    socket = await connect(client.simulator.ws[url])
    await socket.say(client.login())
    await socket.frame()
    moved = {("public", "business"): "64001", ("private", "business"): "64001"}
    moved |= {("business", "public"): "64002", ("business", "private"): "64002"}

    for other in sorted({"public", "private", "business"} - {url}):
        args = arguments(other)
        await socket.say({"op": "subscribe", "args": args})
        codes = {(await socket.frame())["code"] for _ in args}
        assert codes == {moved.get((url, other), "60018")}
