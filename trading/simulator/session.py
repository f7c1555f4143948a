"""One WebSocket connection: what it subscribed to, who logged in, what waits to be sent."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import Any, Final

from aiohttp import web

from trading.simulator.channels import Subscription
from trading.simulator.codes import message_of
from trading.simulator.state import Account
from trading.simulator.wire import drop, dump

_QUEUE: Final = 5000


class Session:
    """Frames are queued and written in order by one task."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, url: str) -> None:
        self.socket = socket
        self.url = url
        self.ip = request.remote or ""
        self.conn_id = secrets.token_hex(4)
        self.accounts: dict[str, Account] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.books: dict[str, dict[str, Any]] = {}
        self.active_at = time.monotonic()
        self._request = request
        self._stalled = False
        self._waiting: asyncio.Queue[str] = asyncio.Queue(_QUEUE)

    def send(self, frame: dict[str, Any]) -> None:
        self.send_text(dump(frame).decode())

    def send_text(self, text: str) -> None:
        if self._stalled or self.socket.closed:
            return
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self._stalled = True
            self.drop()

    def send_faulty(self, frame: dict[str, Any], kind: str) -> None:
        """Send a push the way a fault wants it."""
        if kind == "ws_drop":
            return
        if kind == "ws_disconnect":
            self.drop()
            return
        if kind == "ws_stall":
            self._stalled = True
            return
        if kind == "ws_notice":
            notice = {"event": "notice", "code": "64008", "msg": message_of("64008")}
            self.send(notice | {"connId": self.conn_id})
        self.send(frame)
        if kind == "ws_duplicate":
            self.send(frame)

    def drop(self) -> None:
        """Cut the connection without a closing handshake."""
        drop(self._request.transport)

    def touch(self) -> None:
        self.active_at = time.monotonic()

    async def write(self) -> None:
        """Write queued frames until the connection ends."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while True:
                await self.socket.send_str(await self._waiting.get())
                self.touch()
