"""How long a connection may stay that asks slowly, or nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from trading.simulator.connection import Connection
from trading.simulator.received import Received

pytestmark = pytest.mark.simulator

HEAD = b"POST /slow HTTP/1.1\r\nHost: okx\r\n"
AT_ONCE, A_MINUTE, LONG = 0, 61, 601


class Door:
    """A listening address: requests are noted, and answered when the test says so."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.asked: list[Received] = []

    def connect(self) -> Connection:
        return Connection(self._note, lambda _: None, self.connections)

    def _note(self, request: Received, _: Connection) -> None:
        self.asked.append(request)

    async def only(self) -> Connection:
        """The one connection, once it is there and what was sent has arrived."""
        await asyncio.sleep(0.05)
        (found,) = self.connections
        return found


Line = tuple[Door, asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    door = Door()
    server = await asyncio.get_running_loop().create_server(door.connect, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield door, reader, writer
    writer.close()
    server.close()


@pytest.mark.parametrize(
    "sent",
    [
        HEAD[:9],
        HEAD,
        HEAD + b"Content-Length: 5\r\n\r\n",
        HEAD + b"Content-Length: 5\r\n\r\nbo",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nbo",
    ],
)
async def test_a_request_may_take_a_minute_to_come(line: Line, sent: bytes) -> None:
    door, reader, writer = line
    writer.write(sent)
    connection = await door.only()

    connection.expire(time.monotonic() + AT_ONCE)
    assert door.connections
    connection.expire(time.monotonic() + A_MINUTE)

    assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    assert door.asked == []


async def test_an_answer_may_take_longer(line: Line) -> None:
    door, reader, writer = line
    writer.write(HEAD + b"\r\n")
    connection = await door.only()

    connection.expire(time.monotonic() + LONG)
    connection.respond(200, b"{}")

    assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"


async def test_an_idle_connection_is_closed_after_ten_minutes(line: Line) -> None:
    door, reader, _ = line
    connection = await door.only()

    connection.expire(time.monotonic() + A_MINUTE)
    await asyncio.sleep(0.05)
    assert door.connections == {connection}
    connection.expire(time.monotonic() + LONG)

    assert await reader.read() == b""
