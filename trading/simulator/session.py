"""One WebSocket connection: what it subscribed to, who logged in, how it is written to."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections import deque
from typing import Any, Final

from aiohttp import hdrs, web

from trading.simulator.channels import Subscription, SubscriptionName
from trading.simulator.codes import message_of
from trading.simulator.connection import drop
from trading.simulator.frames import Frame, negotiated_window
from trading.simulator.state import Account
from trading.simulator.wire import dump

LARGEST_BUFFER: Final = 2 * 1024 * 1024
_BUFFER_FULL: Final = 4005
_GOODBYE_S: Final = 2
_HOUR_S: Final = 3600
_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)


class Session:
    """Frames go straight to the transport, in order; who reads too slowly is cut off (4005)."""

    __slots__ = (
        "_ending",
        "accounts",
        "active_at",
        "calls",
        "conn_id",
        "ip",
        "silent",
        "socket",
        "subscriptions",
        "transport",
        "url",
        "window",
    )

    def __init__(self, socket: web.WebSocketResponse, request: web.BaseRequest, url: str) -> None:
        self.socket = socket
        self.transport = request.transport
        self.window = negotiated_window(socket.headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS, ""))
        self.url = url
        self.ip = request.remote or ""
        self.conn_id = secrets.token_hex(4)
        self.accounts: dict[str, Account] = {}
        self.subscriptions: dict[SubscriptionName, Subscription] = {}
        self.calls: deque[float] = deque()
        self.active_at = time.monotonic()
        self.silent = False
        self._ending = False

    @property
    def is_gone(self) -> bool:
        return self._ending or self.transport is None or self.transport.is_closing()

    def send(self, frame: dict[str, Any]) -> None:
        self.write(Frame(dump(frame)))

    def write(self, frame: Frame) -> None:
        if self.silent or self.is_gone or self.transport is None:
            return
        self.transport.write(frame.wire(self.window))
        self.active_at = time.monotonic()
        if self.transport.get_write_buffer_size() > LARGEST_BUFFER:
            self.end(_BUFFER_FULL)

    def write_half(self, frame: Frame) -> None:
        """The first half of the frame's bytes, then nothing: the connection breaks."""
        if not self.is_gone and self.transport is not None:
            data = frame.wire(self.window)
            self.transport.write(data[: len(data) // 2])
        self.drop()

    def notify_restart(self) -> None:
        notice = {"event": "notice", "code": "64008", "msg": message_of("64008")}
        self.send(notice | {"connId": self.conn_id})

    def end(self, code: int, reason: str = "") -> None:
        """Close with this code; a client that does not answer the close is cut off soon after."""
        if not self._ending:
            self._ending = True
            _keep(asyncio.ensure_future(self._close(code, reason or message_of(str(code)))))

    def drop(self) -> None:
        """Cut the connection without a closing handshake."""
        drop(self.transport)

    def touch(self) -> None:
        self.active_at = time.monotonic()

    def may_call(self, limit: int) -> bool:
        """Count one call of those that are limited per connection and hour."""
        now = time.monotonic()
        while self.calls and self.calls[0] <= now - _HOUR_S:
            self.calls.popleft()
        if len(self.calls) >= limit:
            return False
        self.calls.append(now)
        return True

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
            closing = self.socket.close(code=code, message=reason.encode())
            await asyncio.wait_for(closing, _GOODBYE_S)
        if self.transport is not None:
            self.transport.close()
            asyncio.get_running_loop().call_later(_GOODBYE_S, self.transport.abort)


def message_id(frame: dict[str, Any]) -> str:
    """The id of a client's message: up to 32 letters and digits; "" for none or another one."""
    value = frame.get("id")
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


_closing: Final[set[asyncio.Future[None]]] = set()


def _keep(task: asyncio.Future[None]) -> None:
    """Until it is done: the loop itself holds tasks only weakly."""
    _closing.add(task)
    task.add_done_callback(_closing.discard)
