"""A socket server that answers as OKX does, and misbehaves on request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.trading.exchange.wire import ALICE
from trading.exchange.okx.socket import SocketTimes
from trading.exchange.okx.websocket import SocketPool
from trading.exchange.streams import StreamEvent, StreamState, StreamStatus
from trading.exchange.types import Endpoint

QUICK = SocketTimes(
    connect=2, answer=1, ping_after=0.2, pong_within=0.2, backoff_first=0.02, auth_retry=0.3
)


@dataclass
class OkxSockets:
    """`login_code` refuses logins, `refused` refuses arguments, `silent` answers no pings."""

    login_code: str = "0"
    refused: set[str] = field(default_factory=set)
    silent: bool = False
    received: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    open: list[web.WebSocketResponse] = field(default_factory=list)
    connected: int = 0
    rest: str = ""

    @property
    def endpoint(self) -> Endpoint:
        base = self.rest.replace("http", "ws")
        return Endpoint("simulator", self.rest, f"{base}/public", f"{base}/private", "")

    async def push(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        for socket in self.open:
            await socket.send_str(text)

    async def drop(self) -> None:
        for socket in list(self.open):
            await socket.close(code=4006)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.headers.append(dict(request.headers))
        self.open.append(socket)
        self.connected += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._answer(socket, message.data)
        finally:
            self.open.remove(socket)
        return socket

    async def _answer(self, socket: web.WebSocketResponse, text: str) -> None:
        if text == "ping":
            self.received.append(text)
            if not self.silent:
                await socket.send_str("pong")
            return
        request = json.loads(text)
        self.received.append(request)
        if request["op"] == "login":
            await socket.send_json(self._login_answer())
            return
        for arg in request["args"]:
            await socket.send_json(self._subscribe_answer(request["op"], arg))

    def _login_answer(self) -> dict[str, Any]:
        if self.login_code == "0":
            return {"event": "login", "code": "0", "msg": "", "connId": "a4d3ae55"}
        return {"event": "error", "code": self.login_code, "msg": "refused", "connId": "a"}

    def _subscribe_answer(self, operation: str, arg: dict[str, str]) -> dict[str, Any]:
        if self.refused & set(arg.values()):
            return {"event": "error", "code": "60018", "msg": f"{arg} doesn't exist"}
        return {"event": operation, "arg": arg, "connId": "a4d3ae55"}


@asynccontextmanager
async def okx_sockets() -> AsyncIterator[OkxSockets]:
    sockets = OkxSockets()
    app = web.Application()
    app.router.add_get("/private", sockets.serve)
    app.router.add_get("/public", sockets.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    sockets.rest = f"http://127.0.0.1:{port}"
    try:
        yield sockets
    finally:
        await sockets.drop()
        await runner.cleanup()


class Heard:
    """What a stream said, in order, with a way to wait for the next thing of a kind."""

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []
        self._changed = asyncio.Event()

    async def __call__(self, event: StreamEvent) -> None:
        self.events.append(event)
        self._changed.set()

    @property
    def states(self) -> list[StreamState]:
        return [event.state for event in self.events if isinstance(event, StreamStatus)]

    def of(self, kind: type[StreamEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def count(self, kind: type[StreamEvent], number: int = 1) -> list[Any]:
        async with asyncio.timeout(5):
            while len(self.of(kind)) < number:
                await self._next()
        return self.of(kind)

    async def state(self, state: StreamState, number: int = 1) -> None:
        async with asyncio.timeout(5):
            while self.states.count(state) < number:
                await self._next()

    async def _next(self) -> None:
        await self._changed.wait()
        self._changed.clear()


@asynccontextmanager
async def pool_of(endpoint: Endpoint, times: SocketTimes = QUICK) -> AsyncIterator[SocketPool]:
    pool = SocketPool(endpoint, connections_per_second=1000, times=times)
    try:
        yield pool
    finally:
        await pool.aclose()


@asynccontextmanager
async def running(stream: Any) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(stream.run())
    try:
        yield task
    finally:
        await stream.aclose()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def subscribed(heard: Heard, times: SocketTimes = QUICK) -> AsyncIterator[OkxSockets]:
    """A server with one private stream on it, up and listening."""
    async with (
        okx_sockets() as server,
        pool_of(server.endpoint, times) as pool,
        running(pool.private(ALICE, on_event=heard)),
    ):
        await heard.state(StreamState.SUBSCRIBED)
        yield server
