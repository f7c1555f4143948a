"""A file of lines that only grows, read from any line without holding it in memory."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_EVERY: Final = 512
_PIECE: Final = 1024 * 1024


class Pages:
    """Lines are numbered from `first`; every 512th line's place is remembered.

    Without a path the file has no name and ends with the process.
    """

    def __init__(self, path: Path | None = None, first: int = 1) -> None:
        self.first = first
        self.count = 0
        self.size = 0
        self._places: list[int] = []
        self._file = _open(path) if path else _open_nameless()
        self._scan()

    @property
    def descriptor(self) -> int:
        return self._file

    def write(self, lines: list[bytes]) -> None:
        """Append lines that end with a newline: all of them, or none and OSError."""
        data = b"".join(lines)
        try:
            _write_all(self._file, data, self.size)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        for line in lines:
            self._note(line)

    def read(self, first: int, limit: int | None = None) -> Iterator[bytes]:
        """Lines from this number on, as they are at the time of the call."""
        skipped = max(first - self.first, 0)
        if skipped >= self.count:
            return
        left = self.count - skipped if limit is None else min(limit, self.count - skipped)
        start = skipped - skipped % _EVERY
        for number, line in enumerate(_lines(self._file, self._places[start // _EVERY])):
            if not left:
                return
            if start + number >= skipped:
                left -= 1
                yield line

    def close(self) -> None:
        os.close(self._file)

    def _scan(self) -> None:
        """Count what an earlier run left, and drop a line that was cut off by a crash."""
        for line in _lines(self._file, 0):
            self._note(line)
        os.ftruncate(self._file, self.size)

    def _note(self, line: bytes) -> None:
        if self.count % _EVERY == 0:
            self._places.append(self.size)
        self.count += 1
        self.size += len(line)


def _write_all(descriptor: int, data: bytes, place: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, place)
        data, place = data[written:], place + written


def _lines(descriptor: int, place: int) -> Iterator[bytes]:
    """Whole lines from this place on."""
    rest = b""
    while piece := os.pread(descriptor, _PIECE, place):
        place += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line + b"\n"


def _open(path: Path) -> int:
    """For its owner only, and for this process only: BlockingIOError when another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _open_nameless() -> int:
    descriptor, name = tempfile.mkstemp(prefix="copydesk-ledger-")
    os.unlink(name)
    return descriptor
