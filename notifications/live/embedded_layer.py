"""A channel layer for the embedded default: several processes of one machine, no Redis.

What is sent becomes a row of a small SQLite file of its own; each process that has receivers reads
the new rows every few milliseconds and hands them to its channels. Like the Redis layer it promises
nothing to a receiver that is full or gone: the page asks for what it missed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from channels.layers import InMemoryChannelLayer

logger = logging.getLogger(__name__)

_SCHEMA = """
create table if not exists message (
    id integer primary key autoincrement,
    sent_at real not null,
    to_group integer not null,
    name text not null,
    body text not null
)
"""
_INSERT = "insert into message (sent_at, to_group, name, body) values (?, ?, ?, ?)"
_PAGE = 500


class SqliteChannelLayer(InMemoryChannelLayer):  # type: ignore[misc]
    """channels' in-memory layer for what this process owns, joined to the others by a file.

    A channel belongs to the process that made it, and its name says so. A process reads what was
    sent after its first channel or group came into being. Channels without an owner, which only
    `runworker` uses, stay within the process.
    """

    def __init__(self, path: str, poll: float = 0.02, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = Path(path)
        self.poll = poll
        self.owner = secrets.token_hex(6)
        self._local = threading.local()
        self._reader: asyncio.Task[None] | None = None
        self._swept_at = 0.0

    async def new_channel(self, prefix: str = "specific") -> str:
        self._start()
        return f"{prefix}.{self.owner}!{secrets.token_hex(8)}"

    async def group_add(self, group: str, channel: str) -> None:
        await super().group_add(group, channel)
        self._start()

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Put the message into a channel of ours, or write it down for the channel's owner."""
        if "!" not in channel or self._owns(channel):
            await super().send(channel, message)
        else:
            self.require_valid_channel_name(channel)
            await asyncio.to_thread(self._write, channel, message, to_group=False)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Write the message down for every process, this one included."""
        self.require_valid_group_name(group)
        await asyncio.to_thread(self._write, group, message, to_group=True)

    async def group_send_many(self, posted: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """`group_send` for many groups in one transaction."""
        for group, _ in posted:
            self.require_valid_group_name(group)
        await asyncio.to_thread(self._write_many, posted)

    async def flush(self) -> None:
        await self.close()
        await super().flush()

    async def close(self) -> None:
        """Stop reading; the file stays for the other processes."""
        reader, self._reader = self._reader, None
        if reader is not None and reader.get_loop() is asyncio.get_running_loop():
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader

    def _owns(self, channel: str) -> bool:
        return f".{self.owner}!" in channel

    def _remove_from_groups(self, channel: str) -> None:
        """Leave a slow receiver in its groups, as the Redis layer does."""

    def _start(self) -> None:
        """Read from here on; a reader whose loop is gone is replaced."""
        loop = asyncio.get_running_loop()
        if self._reader and not self._reader.done() and self._reader.get_loop() is loop:
            return
        last = self._connection().execute("select coalesce(max(id), 0) from message").fetchone()[0]
        self._reader = loop.create_task(self._read_forever(last))

    async def _read_forever(self, last: int) -> None:
        while True:
            try:
                for number, to_group, name, body in self._rows_after(last):
                    self._deliver(name, json.loads(body), to_group=bool(to_group))
                    last = number
            except sqlite3.OperationalError:
                logger.exception("the file of live messages cannot be read")
            self._clean_expired()
            await asyncio.sleep(self.poll)

    def _rows_after(self, last: int) -> list[tuple[int, int, str, str]]:
        query = "select id, to_group, name, body from message where id > ? order by id limit ?"
        return self._connection().execute(query, (last, _PAGE)).fetchall()

    def _deliver(self, name: str, message: dict[str, Any], *, to_group: bool) -> None:
        channels = list(self.groups.get(name, ())) if to_group else [name]
        for channel in filter(self._owns, channels):
            room = self.get_capacity(channel)
            queue = self.channels.setdefault(channel, asyncio.Queue(maxsize=room))
            with suppress(asyncio.QueueFull):
                queue.put_nowait((time.time() + self.expiry, dict(message)))

    def _write(self, name: str, message: dict[str, Any], *, to_group: bool) -> None:
        connection, now = self._connection(), time.time()
        connection.execute(_INSERT, (now, to_group, name, json.dumps(message)))
        self._sweep(connection, now)

    def _write_many(self, posted: Sequence[tuple[str, dict[str, Any]]]) -> None:
        connection, now = self._connection(), time.time()
        rows = [(now, True, name, json.dumps(message)) for name, message in posted]
        connection.execute("begin immediate")
        try:
            connection.executemany(_INSERT, rows)
        finally:
            connection.execute("commit")
        self._sweep(connection, now)

    def _sweep(self, connection: sqlite3.Connection, now: float) -> None:
        if now - self._swept_at > self.expiry:
            self._swept_at = now
            connection.execute("delete from message where sent_at < ?", (now - self.expiry,))

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection, made on first use."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=off")
            connection.execute(_SCHEMA)
            self._local.connection = connection
        return connection
