"""A real HTTP server that keeps its connections, step by step as a test wants it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from trading.exchange.types import Endpoint

CLOSE = "close"
# The head only is awaited, not the body.
HEAD_ONLY = "head only"
# A number is a pause in seconds.
Step = bytes | str | float


@dataclass
class Kept:
    """`replies` are used up one by one, the last one for ever; each is a list of steps."""

    replies: list[Sequence[Step]]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    rest: str = ""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("simulator", self.rest, "", "", "")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            while True:
                self.requests.append(await _read(reader, whole=HEAD_ONLY not in self.replies[0]))
                steps = self.replies[0] if len(self.replies) == 1 else self.replies.pop(0)
                for step in steps:
                    if step == CLOSE:
                        return
                    if isinstance(step, float):
                        await asyncio.sleep(step)
                    elif isinstance(step, bytes):
                        writer.write(step)
                        await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self.open_now -= 1
            writer.close()


async def _read(reader: asyncio.StreamReader, *, whole: bool) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.strip().split(b"\r\n")[1:])
    if not whole:
        return head
    return head + await reader.readexactly(int(fields.get(b"Content-Length", b"0")))


@asynccontextmanager
async def kept(
    *replies: Sequence[Step], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Kept]:
    server_side = Kept(list(replies))
    server = await asyncio.start_server(server_side.serve, host, 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    server_side.rest = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield server_side
    finally:
        server.close()


def reply(body: str, *fields: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    content = body.encode()
    lines = [f"HTTP/{version} {status}", f"Content-Length: {len(content)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def chunked(body: str, *, piece: int = 40, end: bytes = b"0\r\n\r\n") -> bytes:
    content = body.encode()
    pieces = [content[start : start + piece] for start in range(0, len(content), piece)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + end
