"""A channel layer for the embedded default: several processes of one machine, no Redis.

What is sent becomes a row of a small SQLite file of its own; each process that has receivers reads
the new rows every few milliseconds and hands them to its local channels. Like the Redis layer it
promises nothing to a receiver that is full or gone: the page asks for what it missed.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from channels.layers import InMemoryChannelLayer

_SCHEMA = """
create table if not exists message (
    id integer primary key autoincrement,
    sent_at real not null,
    to_group integer not null,
    name text not null,
    body text not null
)
"""
_PAGE = 500


class SqliteChannelLayer(InMemoryChannelLayer):
    """channels' in-memory layer, joined across processes by a file.

    Groups and channels live in the process that owns them. A process reads only what was sent
    after its first channel or group came into being.
    """

    def __init__(self, path: str, poll: float = 0.02, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = Path(path)
        self.poll = poll
        self._local = threading.local()
        self._pump: asyncio.Task[None] | None = None
        self._swept_at = 0.0

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Send to a channel of this process directly, to any other through the file."""
        if channel in self.channels:
            await super().send(channel, message)
        else:
            self.require_valid_channel_name(channel)
            await asyncio.to_thread(self._write, channel, message, to_group=False)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.require_valid_group_name(group)
        await asyncio.to_thread(self._write, group, message, to_group=True)

    async def group_add(self, group: str, channel: str) -> None:
        await super().group_add(group, channel)
        await self._start()

    async def receive(self, channel: str) -> dict[str, Any]:
        await self._start()
        return await super().receive(channel)

    async def new_channel(self, prefix: str = "specific.") -> str:
        name: str = await super().new_channel(prefix)
        await self._start()
        return name

    async def flush(self) -> None:
        await self.close()
        await super().flush()

    async def close(self) -> None:
        """Stop reading; the file stays for the other processes."""
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            with suppress(asyncio.CancelledError, RuntimeError):
                await pump

    async def _start(self) -> None:
        """Read from here on, in the loop that asked; a pump of a closed loop is replaced."""
        running = self._pump is not None and not self._pump.done()
        if running and self._pump.get_loop() is asyncio.get_running_loop():  # type: ignore[union-attr]
            return
        last = self._connection().execute("select coalesce(max(id), 0) from message").fetchone()[0]
        self._pump = asyncio.get_running_loop().create_task(self._read_forever(last))

    async def _read_forever(self, last: int) -> None:
        while True:
            rows = self._connection().execute(
                "select id, to_group, name, body from message where id > ? order by id limit ?",
                (last, _PAGE),
            )
            for number, to_group, name, body in rows.fetchall():
                last = number
                await self._deliver(name, json.loads(body), to_group=bool(to_group))
            await asyncio.sleep(self.poll)

    async def _deliver(self, name: str, message: dict[str, Any], *, to_group: bool) -> None:
        if to_group:
            await super().group_send(name, message)
        elif name in self.channels:
            with suppress(asyncio.QueueFull):
                self.channels[name].put_nowait((time.time() + self.expiry, message))

    def _write(self, name: str, message: dict[str, Any], *, to_group: bool) -> None:
        connection, now = self._connection(), time.time()
        connection.execute(
            "insert into message (sent_at, to_group, name, body) values (?, ?, ?, ?)",
            (now, to_group, name, json.dumps(message)),
        )
        if now - self._swept_at > self.expiry:
            self._swept_at = now
            connection.execute("delete from message where sent_at < ?", (now - self.expiry,))

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection; made on first use."""
        if not hasattr(self._local, "connection"):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=off")
            connection.execute(_SCHEMA)
            self._local.connection = connection
        connection = self._local.connection
        return connection
