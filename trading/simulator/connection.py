"""One HTTP connection: requests in one at a time, answers out in the same order.

Leaner than a web framework, since everything that uses this exchange is measured against it,
and close enough to the wire to break an answer in every way a network can.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

from trading.simulator.received import (
    LARGEST_BODY,
    BadRequestError,
    ChunkedBody,
    Received,
    read_head,
)

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
PAGE: Final = "<!DOCTYPE html><html><head><title>{0}</title></head><body>{0}</body></html>"

_HEAD_END: Final = b"\r\n\r\n"
_LARGEST_HEAD: Final = 32 * 1024
_LARGEST_WAITING: Final = LARGEST_BODY + _LARGEST_HEAD
_LONGEST_REQUEST_S: Final = 60
_LONGEST_IDLE_S: Final = 600
_PHRASES: Final = {each.value: each.phrase for each in HTTPStatus}
_BODILESS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_log = logging.getLogger(__name__)

Answerer = Callable[[Received, "Connection"], None]
Upgrade = Callable[[Received], asyncio.Protocol | None]


class Connection(asyncio.Protocol):
    """`answer` is given every whole request and later calls `respond`, or one of the ruder ways.

    `upgrade` names the protocol that takes over when a request wants a WebSocket.
    """

    def __init__(self, answer: Answerer, upgrade: Upgrade, others: set[Connection]) -> None:
        self._answer = answer
        self._upgrade = upgrade
        self._others = others
        self._waiting = b""
        self._head: Received | None = None
        self._chunks: ChunkedBody | None = None
        self._current: Received | None = None
        self._paused = False
        self._last = False
        self._since = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        peer = transport.get_extra_info("peername")
        self._ip = str(peer[0]) if peer else ""
        self._others.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._others.discard(self)
        self._last = True

    def data_received(self, data: bytes) -> None:
        if not self._waiting and self._head is None:
            self._since = time.monotonic()
        self._waiting = self._waiting + data if self._waiting else data
        if self._current is None:
            self._next()
        elif len(self._waiting) > _LARGEST_WAITING:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A client that only shuts its own side still gets its answer."""
        self._last = True
        return self._current is not None and self._transport.get_extra_info("sslcontext") is None

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._current is None:
            self._next()

    def respond(
        self, status: int, body: bytes, content_type: str = JSON, location: str = ""
    ) -> None:
        """The whole answer to the current request."""
        self.begin(status, len(body), content_type, location, body)
        self.finish()

    def begin(
        self,
        status: int,
        length: int,
        content_type: str = JSON,
        location: str = "",
        body: bytes = b"",
    ) -> None:
        """The head of an answer and the part of its body that is at hand."""
        request = self._current
        if request is None or self._transport.is_closing():
            return
        if not request.keep_alive or self._last:
            self._last = True
            persistence = "close"
        else:
            persistence = "keep-alive"
        if status in _BODILESS:
            length, body = 0, b""
        moved = f"Location: {location}\r\n" if location else ""
        head = (
            f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n{moved}"
            f"Date: {_now()}\r\nConnection: {persistence}\r\n\r\n"
        ).encode("utf-8", "surrogateescape")
        self._transport.write(head if request.method == "HEAD" else head + body)

    def write(self, data: bytes) -> None:
        """More of a body that was begun."""
        request = self._current
        if request is not None and request.method != "HEAD" and not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        """The answer is complete: the next request may come."""
        self._current = None
        self._since = time.monotonic()
        if self._last:
            self._transport.close()
        elif self._waiting:
            with contextlib.suppress(RuntimeError):  # it was not paused
                self._transport.resume_reading()
            self._next()

    def drop(self, *, reset: bool = False) -> None:
        """Close without an answer, politely or with a reset."""
        self._current, self._waiting, self._last = None, b"", True
        drop(self._transport, reset=reset)

    def stop(self) -> None:
        """Close now when idle, else after the answer that is being worked on."""
        self._last = True
        if self._current is None:
            self._transport.close()

    def expire(self, now: float) -> None:
        """End it when a request takes too long to come, or none has come for long."""
        if self._current is not None or self._transport.is_closing():
            return
        waited = now - self._since
        if self._waiting or self._head is not None:
            if waited > _LONGEST_REQUEST_S:
                self._refuse(408)
        elif waited > _LONGEST_IDLE_S:
            self._transport.close()

    def _next(self) -> None:
        """Hand over the next request if it is complete."""
        if self._paused or self._transport.is_closing():
            return
        try:
            request = self._take()
        except BadRequestError as error:
            self._refuse(error.status)
            return
        if request is None:
            if self._last:
                self._transport.close()
            return
        self._current = request
        try:
            self._answer(request, self)
        except Exception:  # noqa: BLE001 - logged, and the client is told
            _log.exception("%s %s", request.method, request.path)
            self._refuse(500)

    def _take(self) -> Received | None:
        head = self._head or self._take_head()
        if head is None:
            return None
        whole = self._take_chunks(head) if head.is_chunked else self._take_body(head)
        self._head = None if whole else head
        return head if whole else None

    def _take_body(self, head: Received) -> bool:
        """Whether all of it has come."""
        length, data = head.length, self._waiting
        if len(data) < length:
            return False
        head.body, self._waiting = data[:length], data[length:]
        return True

    def _take_chunks(self, head: Received) -> bool:
        if self._chunks is None:
            self._chunks = ChunkedBody()
        chunks = self._chunks
        self._waiting = chunks.take(self._waiting)
        if chunks.is_whole:
            head.body, self._chunks = chunks.body, None
        return chunks.is_whole

    def _take_head(self) -> Received | None:
        """The next head; its body may still be on its way."""
        data = self._waiting
        if data[:1] in (b"\r", b"\n"):
            data = self._waiting = data.lstrip(b"\r\n")
        end = data.find(_HEAD_END)
        if end > _LARGEST_HEAD or (end < 0 and len(data) > _LARGEST_HEAD):
            raise BadRequestError(431)
        if end < 0:
            if data and not data[:1].isalpha():
                raise BadRequestError
            return None
        head = read_head(data[:end])
        head.ip = self._ip
        if head.is_upgrade and (protocol := self._upgrade(head)) is not None:
            self._hand_over(protocol)
            return None
        self._waiting = data[end + len(_HEAD_END) :]
        if head.headers.get("expect", "").lower() == "100-continue" and not self._waiting:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return head

    def _hand_over(self, protocol: asyncio.Protocol) -> None:
        data, self._waiting = self._waiting, b""
        self._others.discard(self)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(data)

    def _refuse(self, status: int) -> None:
        """What is not a request gets a page, as from the server in front of an exchange."""
        method = self._current.method if self._current is not None else ""
        self._current = Received(method, "", {}, keep_alive=False)
        page = PAGE.format(f"{status} {_PHRASES[status]}")
        self.respond(status, page.encode(), HTML)


def drop(transport: Any, *, reset: bool = False) -> None:
    """Close the connection without an answer, politely or with a reset."""
    if transport is None:
        return
    if not reset:
        transport.close()
        return
    raw = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _now() -> str:
    """The Date header; the same for all answers of one second."""
    second = int(time.time())
    if _date[0] != second:
        _date[:] = [second, formatdate(second, usegmt=True)]
    return str(_date[1])


_date: Final[list[Any]] = [0, ""]
