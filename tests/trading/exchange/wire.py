"""A real HTTP server on a real socket that answers each request in a given, usually wrong, way."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import (
    Credentials,
    Endpoint,
    MarginMode,
    OrderType,
    PlaceRequest,
    Side,
)

ALICE = Credentials("alice-key-0001", "alice-secret-0001", "alice-pass-0001")
BOB = Credentials("bob-key-0002", "bob-secret-0002", "bob-pass-0002")
CLIENT_ORDER_ID = "q01abc"
LATER_MS = 4_000_000_000_000

FIN = "fin"
RST = "rst"
HANG = "hang"


def http(status: str, body: str = "", *, extra: str = "", length: int | None = None) -> bytes:
    content = body.encode()
    size = len(content) if length is None else length
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {size}\r\n{extra}Connection: close\r\n\r\n"
    ).encode() + content


def envelope(code: str, *rows: dict[str, Any], msg: str = "") -> str:
    return json.dumps({"code": code, "msg": msg, "data": list(rows)})


def order_row(**changes: Any) -> dict[str, Any]:
    row = {
        "clOrdId": CLIENT_ORDER_ID,
        "ordId": "312269865356374016",
        "sCode": "0",
        "sMsg": "Order placed",
        "tag": "",
        "ts": "1695190491421",
        "subCode": "",
    }
    return row | changes


def refused(code: str, sub_code: str, message: str = "m") -> str:
    return envelope(code, order_row(ordId="", sCode=sub_code, sMsg=message))


def market_order(**changes: Any) -> PlaceRequest:
    terms: dict[str, Any] = {
        "inst_id": "BTC-USDT-SWAP",
        "side": Side.BUY,
        "position_side": None,
        "margin_mode": MarginMode.CROSS,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.05"),
        "client_order_id": CLIENT_ORDER_ID,
    }
    return PlaceRequest(**(terms | changes))


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: str


@dataclass
class Wire:
    """`replies` are used up one by one, the last one for ever."""

    replies: list[bytes | str]
    requests: list[Request] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    rest: str = ""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("simulator", self.rest, "", "", "")

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await _read(reader))
            self.arrived.set()
            reply = self.replies[0] if len(self.replies) == 1 else self.replies.pop(0)
            await self._reply(writer, reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _reply(self, writer: asyncio.StreamWriter, reply: bytes | str) -> None:
        if reply == HANG:
            await asyncio.sleep(5)
        elif reply == RST:
            connection = writer.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        elif reply != FIN:
            assert isinstance(reply, bytes)
            writer.write(reply.replace(b"{here}", self.rest.encode()))
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    length = int(headers.get("Content-Length", "0"))
    return Request(method, target, headers, (await reader.readexactly(length)).decode())


@asynccontextmanager
async def wire(*replies: bytes | str) -> AsyncIterator[Wire]:
    server_side = Wire(list(replies))
    server = await asyncio.start_server(server_side.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server_side.rest = f"http://127.0.0.1:{port}"
    try:
        yield server_side
    finally:
        server.close()


@asynccontextmanager
async def client_of(server_side: Wire, *, timeout_s: float = 2) -> AsyncIterator[OkxClient]:
    endpoint = server_side.endpoint
    client = OkxClient(endpoint, connector_limit=50, timeout_s=timeout_s, paced=False)
    try:
        yield client
    finally:
        await client.aclose()
