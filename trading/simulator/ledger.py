"""The append-only record of everything that was received and everything that happened."""

from __future__ import annotations

import asyncio
import json
import os
from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Final

from trading.simulator.state import Entry

_SECRETS: Final = ("secret", "passphrase")
_READS_KEPT: Final = 50_000


class Ledger:
    """Entries in memory, and in a file of JSON lines when a path is given.

    Entries of many requests are written together: `flush` writes everything
    appended so far in one call and returns when it is in the file. Requests that
    only read are many and change nothing: memory keeps the newest, the file all.
    """

    def __init__(self, path: Path | None = None, *, fsync: bool = False) -> None:
        self.entries: list[Entry] = []
        self.last_seq = 0
        self._reads = 0
        self._fsync = fsync
        self._waiting: list[bytes] = []
        self._file = self._open(path) if path else None
        self._lock = asyncio.Lock()

    def append(self, entry: Entry) -> Entry:
        stamped = {"seq": self.last_seq + 1, **entry}
        self._keep(stamped)
        if self._file is not None:
            self._waiting.append(json.dumps(stamped, separators=(",", ":")).encode() + b"\n")
        return stamped

    def after(self, seq: int, limit: int | None) -> Iterator[Entry]:
        """Entries with a greater number, in order, without secrets."""
        start = bisect_right(self.entries, max(seq, 0), key=itemgetter("seq"))
        stop = None if limit is None else start + limit
        for entry in self.entries[start:stop]:
            yield {name: value for name, value in entry.items() if name not in _SECRETS}

    async def flush(self) -> None:
        """Return when every entry appended before this call is in the file."""
        if self._file is None:
            return
        if not self._fsync:
            self._write()
        elif self._waiting or self._lock.locked():
            await self._write_through()

    def _keep(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.last_seq = entry["seq"]
        self._reads += _is_read(entry)
        if self._reads >= 2 * _READS_KEPT:
            oldest = [each["seq"] for each in self.entries if _is_read(each)][-_READS_KEPT]
            self.entries = [
                each for each in self.entries if each["seq"] >= oldest or not _is_read(each)
            ]
            self._reads = _READS_KEPT

    async def _write_through(self) -> None:
        """Whoever waits for the lock finds its entries written by the one before."""
        async with self._lock:
            if self._write() and self._file is not None:
                await asyncio.to_thread(os.fsync, self._file)

    def close(self) -> None:
        if self._file is None:
            return
        self._write()
        os.close(self._file)
        self._file = None

    def _write(self) -> bool:
        if not self._waiting or self._file is None:
            return False
        data, self._waiting = b"".join(self._waiting), []
        while data:
            data = data[os.write(self._file, data) :]
        return True

    def _open(self, path: Path) -> int:
        """Read what an earlier run left, dropping a line that was cut off by a crash."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        whole = 0
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._keep(json.loads(line))
                whole += len(line)
        os.ftruncate(descriptor, whole)
        return descriptor


def _is_read(entry: Entry) -> bool:
    return bool(entry["kind"] == "request" and entry["method"] == "GET")
