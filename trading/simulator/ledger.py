"""The append-only record of everything that was received and everything that happened."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import orjson

from trading.simulator.pages import Pages
from trading.simulator.state import Entry

_SECRETS: Final = ("secret", "passphrase")
_MARKS_OF_SECRETS: Final = tuple(f'"{name}":'.encode() for name in _SECRETS)
_LARGEST_BATCH: Final = 1000
_LARGEST_NAMELESS: Final = 256 * 1024 * 1024


class DamagedLedgerError(ValueError):
    """The file is not a ledger, or was changed by somebody else."""


class Ledger:
    """Entries are lines of JSON in a file; memory holds only those not yet written.

    Entries of many requests are written together, before the first of them is
    answered. Without a path the file has no name, and when it becomes too large
    the older half of it is forgotten.
    """

    def __init__(
        self, path: Path | None = None, *, fsync: bool = False, largest: int = _LARGEST_NAMELESS
    ) -> None:
        """`largest` bytes of a file without a name are kept, up to twice as many for a while.

        Raises BlockingIOError when another process uses the file.
        """
        self._is_named = path is not None
        self._largest = largest
        self._fsync = fsync
        self._pages = [Pages(path)]
        self._waiting: list[bytes] = []
        self._callbacks: list[Callable[[], None]] = []
        self._lock = asyncio.Lock()
        self.last_seq = self._pages[0].count

    @property
    def entries(self) -> list[Entry]:
        """All of them, for tests; a long ledger does not fit into memory."""
        return list(self.read())

    def append(self, entry: Entry) -> Entry:
        """The entry with its number."""
        self.last_seq += 1
        stamped = {"seq": self.last_seq, **entry}
        self._waiting.append(_line(stamped))
        if len(self._waiting) >= _LARGEST_BATCH:
            self._write()
        return stamped

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Entry]:
        """Entries with a greater number, in order, with their secrets.

        Raises DamagedLedgerError at a line that is not an entry.
        """
        for number, line in enumerate(self._read(after, limit), max(after, 0) + 1):
            try:
                yield _read_line(line)
            except ValueError as error:
                raise DamagedLedgerError(f"line {number} of the ledger cannot be read") from error

    def page(self, after: int, limit: int | None) -> tuple[bytes, int]:
        """The entries with a greater number as a JSON array, without secrets, and the
        number of the last of them (`after` when there are none)."""
        lines = [_without_secrets(line) for line in self._read(after, limit)]
        last = _read_line(lines[-1])["seq"] if lines else after
        return b"[" + b",".join(lines) + b"]", last

    def when_written(self, callback: Callable[[], None]) -> None:
        """Call back when every entry appended before this call is in the file.

        What is appended in one turn of the loop is written together.
        """
        self._callbacks.append(callback)
        if len(self._callbacks) == 1:
            asyncio.get_running_loop().call_soon(self._commit)

    async def flush(self) -> None:
        """Return when every entry appended before this call is in the file."""
        written = asyncio.Event()
        self.when_written(written.set)
        await written.wait()

    def close(self) -> None:
        self._write()
        for each in self._pages:
            each.close()

    def _commit(self) -> None:
        if self._fsync:
            self._syncing = asyncio.ensure_future(self._write_through())
            return
        self._write()
        self._call_back(len(self._callbacks))

    async def _write_through(self) -> None:
        """Whoever waits for the lock finds its entries on the disk with those of the one before."""
        async with self._lock:
            count = len(self._callbacks)
            if self._write():
                await asyncio.to_thread(os.fsync, self._pages[-1].descriptor)
            self._call_back(count)

    def _call_back(self, count: int) -> None:
        """Those that waited when the file was written; later ones have a turn of their own."""
        loop = asyncio.get_running_loop()
        callbacks, self._callbacks = self._callbacks[:count], self._callbacks[count:]
        for each in callbacks:
            loop.call_soon(each)

    def _write(self) -> bool:
        """What cannot be written is kept: nothing is answered before it is in the file."""
        if not self._waiting:
            return False
        self._pages[-1].write(self._waiting)
        self._waiting = []
        if not self._is_named and self._pages[-1].size > self._largest:
            self._turn_over()
        return True

    def _turn_over(self) -> None:
        for each in self._pages[:-1]:
            each.close()
        self._pages = [self._pages[-1], Pages(first=self.last_seq + 1)]

    def _read(self, after: int, limit: int | None) -> Iterator[bytes]:
        self._write()
        left = limit
        for pages in self._pages:
            for line in pages.read(after + 1, left):
                if left is not None:
                    left -= 1
                yield line


def _line(entry: Entry) -> bytes:
    try:
        return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # half of a surrogate pair, which a client may well send
        return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _read_line(line: bytes) -> Entry:
    """As `_line` wrote it: the faster reader does not take half of a surrogate pair."""
    try:
        read: Entry = orjson.loads(line)
    except ValueError:
        read = json.loads(line)
    return read


def _without_secrets(line: bytes) -> bytes:
    if not any(mark in line for mark in _MARKS_OF_SECRETS):
        return line
    entry = _read_line(line)
    return _line({name: value for name, value in entry.items() if name not in _SECRETS})
