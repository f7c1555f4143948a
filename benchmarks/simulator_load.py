"""A load of prepared bytes: as many connections as wanted, one call at a time on each.

Everything is signed before the clock starts, so that the generator costs a few microseconds
per call and the server is what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
SHORT = 126
AT_ONCE = 100

# One whole answer and what follows it, or None while more is to come.
Cut = Callable[[bytes], tuple[bytes, bytes] | None]


@dataclass
class Tally:
    """What all connections of one run saw; `good` is what every right answer contains."""

    good: bytes
    took: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, answer: bytes, took: float) -> None:
        self.took.append(took)
        if self.good not in answer:
            raise AssertionError(f"not a right answer: {answer[-400:]!r}")


class Line(asyncio.Protocol):
    """One connection; `hear` gets every whole answer or frame."""

    def __init__(self, cut: Cut) -> None:
        self.hear: Callable[[bytes], None] = _ignore
        self.lost: Callable[[Exception | None], None] = _ignore
        self.cut = cut
        self._kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self.write = self._transport.write
        self.close = self._transport.close

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost(exc)

    def data_received(self, data: bytes) -> None:
        data = self._kept + data
        while (read := self.cut(data)) is not None:
            whole, data = read
            self.hear(whole)
        self._kept = data


class Caller:
    """Sends the calls of one line, each when the one before is answered."""

    def __init__(self, line: Line, calls: Iterable[bytes], tally: Tally) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line, self._calls, self._tally = line, iter(calls), tally
        line.hear, line.lost = self._answered, self._lost

    def start(self) -> None:
        call = next(self._calls, None)
        if call is None:
            self._end(None)
            return
        self._sent = time.perf_counter()
        self._line.write(call)

    def _answered(self, answer: bytes) -> None:
        try:
            self._tally.count(answer, time.perf_counter() - self._sent)
        except AssertionError as error:
            self._end(error)
            return
        self.start()

    def _lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("closed by the server"))

    def _end(self, error: Exception | None) -> None:
        self._line.hear = self._line.lost = _ignore
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


async def run_calls(lines: Sequence[Line], calls: Sequence[list[bytes]], good: bytes) -> Tally:
    """Every list is what one line says; all lines at the same time."""
    tally = Tally(good)
    callers = [Caller(line, each, tally) for line, each in zip(lines, calls, strict=True)]
    began = time.perf_counter()
    for each in callers:
        each.start()
    await asyncio.gather(*(each.done for each in callers))
    tally.seconds = time.perf_counter() - began
    return tally


async def connect(url: str, count: int) -> list[Line]:
    """Keep-alive connections for HTTP."""
    return await _open(url, count, cut_answer)


async def listen(url: str, count: int) -> list[Line]:
    """WebSockets that are open."""
    lines = await _open(url, count, cut_answer)
    address = urlparse(url)
    hello = (
        f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    for start in range(0, count, AT_ONCE):
        part = lines[start : start + AT_ONCE]
        await run_calls(part, [[hello]] * len(part), b" 101 ")
    for line in lines:
        line.cut = cut_frame
    return lines


async def _open(url: str, count: int, cut: Cut) -> list[Line]:
    address = urlparse(url)
    loop = asyncio.get_running_loop()
    made: list[Line] = []
    while len(made) < count:
        opening = (
            loop.create_connection(lambda: Line(cut), address.hostname, address.port)
            for _ in range(min(AT_ONCE, count - len(made)))
        )
        made += [line for _, line in await asyncio.gather(*opening)]
    return made


def cut_answer(data: bytes) -> tuple[bytes, bytes] | None:
    end = data.find(HEAD_END)
    if end < 0:
        return None
    head = data[:end].lower()
    at = head.find(LENGTH)
    length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    end += len(HEAD_END) + length
    return (data[:end], data[end:]) if len(data) >= end else None


def cut_frame(data: bytes) -> tuple[bytes, bytes] | None:
    """The payload of a frame from a server."""
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length >= SHORT:
        start = 4 if length == SHORT else 10
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    return (data[start:end], data[end:]) if len(data) >= end else None


def _ignore(_what: Any) -> None:
    """Nobody listens."""
