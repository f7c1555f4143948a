"""An exchange that answers like OKX, checks every signature and keeps a ledger; nothing else.

Told over standard input what to do: `open` a side's own port, `take` (and forget) what a port
saw, `delay`, `sick` accounts, `drop` every connection of a port.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.fan.stub_answers import Answer, Book, answer_to
from trading.simulator.tls import server_context


class Connection(asyncio.Protocol):
    """One keep-alive connection: requests in, answers out after the delay."""

    def __init__(self, book: Book, connections: set[Connection]) -> None:
        self._book, self._connections = book, connections
        self._buffer = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._connections.add(self)
        self._book.connections += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head_end = self._buffer.find(b"\r\n\r\n")
            if head_end < 0:
                return
            start, _, rest = self._buffer[:head_end].decode("latin-1").partition("\r\n")
            headers = _headers(rest)
            end = head_end + 4 + int(headers.get("content-length", "0"))
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
            method, path, _ = start.split(" ", 2)
            self._answer(answer_to(self._book, method, path, headers, body))

    def _answer(self, answer: Answer) -> None:
        delay = self._book.delay_s + answer.later_s
        if delay:
            asyncio.get_running_loop().call_later(delay, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: Answer) -> None:
        if answer.entry is not None:
            answer.entry.replied_ns = time.monotonic_ns()
        if not self.transport.is_closing():
            self.transport.write(answer.data)


def _headers(text: str) -> dict[str, str]:
    found = {}
    for line in text.split("\r\n"):
        name, _, value = line.partition(":")
        found[name.lower()] = value.strip()
    return found


class Stub:
    """All ports of one stub, and what they are told."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._books: dict[int, Book] = {}
        self._connections: dict[int, set[Connection]] = {}

    async def open(self, tls: bool = False) -> dict[str, Any]:
        book, connections = Book(), set[Connection]()
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(book, connections),
            "127.0.0.1",
            0,
            backlog=8192,
            ssl=self._tls() if tls else None,
        )
        port: int = server.sockets[0].getsockname()[1]
        self._books[port], self._connections[port] = book, connections
        return {"port": port}

    async def take(self, port: int) -> dict[str, Any]:
        return self._books[port].take()

    async def count(self, port: int) -> dict[str, Any]:
        return {"orders": len(self._books[port].entries)}

    async def delay(self, port: int, ms: float) -> dict[str, Any]:
        self._books[port].delay_s = ms / 1000
        return {}

    async def sick(self, port: int, **kinds: list[int]) -> dict[str, Any]:
        self._books[port].sick = {
            number: kind for kind, numbers in kinds.items() for number in numbers
        }
        return {}

    async def drop(self, port: int) -> dict[str, Any]:
        dropped = list(self._connections[port])
        for connection in dropped:
            connection.transport.close()
        return {"dropped": len(dropped)}

    def _tls(self) -> ssl.SSLContext:
        return server_context(self._folder, "127.0.0.1")


async def serve(folder: str) -> None:
    stub = Stub(folder)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    out = os.fdopen(1, "w")
    while line := await reader.readline():
        said = json.loads(line)
        answer = await getattr(stub, said.pop("do"))(**said)
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
