"""An HTTP request as it arrived: read from bytes, kept byte for byte."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from trading.simulator.requests import decode

UNREADABLE: Final = object()
LARGEST_BODY: Final = 1024 * 1024
_LETTERS: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_TOKEN: Final = re.compile(_LETTERS)
_FIELDS: Final = re.compile(rf"(?:{_LETTERS}:[^\r\n\0]*(?:\r\n|\Z))*")
_TARGET: Final = re.compile(r"[!-~\x80-\U0010ffff]+")
_ORIGIN: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_LINE_END: Final = b"\r\n"
_LONGEST_LINE: Final = 4096
_SINGLE: Final = frozenset(("content-length", "transfer-encoding", "host"))


class BadRequestError(ValueError):
    """Not HTTP, or too much of it; `status` is what the client is told."""

    def __init__(self, status: int = 400) -> None:
        self.status = status
        super().__init__(str(status))


@dataclass(slots=True)
class Received:
    """`headers` are named in lower case; of several with one name the first counts.

    `in_us` is the gateway time of arrival, set by who handles the request.
    """

    method: str
    raw_path: str
    headers: dict[str, str]
    keep_alive: bool
    ip: str = ""
    body: bytes = b""
    in_us: int = 0
    _read: Any = field(default=None, repr=False)

    @property
    def path(self) -> str:
        return self.raw_path.partition("?")[0]

    @property
    def signed(self) -> bytes:
        return f"{self.method}{self.raw_path}".encode("utf-8", "surrogateescape") + self.body

    @property
    def read(self) -> Any:
        """The body's JSON, or UNREADABLE."""
        if self._read is None:
            try:
                self._read = decode(self.body) if self.body else UNREADABLE
            except ValueError:
                self._read = UNREADABLE
        return self._read

    @property
    def items(self) -> list[Any]:
        """The items of a body that may be anything at all."""
        if not self.body or self.read is UNREADABLE:
            return []
        return self._read if isinstance(self._read, list) else [self._read]

    @property
    def is_upgrade(self) -> bool:
        return "upgrade" in self.headers.get("connection", "").lower() and (
            self.headers.get("upgrade", "").lower() == "websocket"
        )

    @property
    def is_chunked(self) -> bool:
        return "transfer-encoding" in self.headers

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", "0"))


class ChunkedBody:
    """A body that comes in chunks. What was read once is kept and not looked at again."""

    def __init__(self) -> None:
        self.is_whole = False
        self._kept = bytearray()
        self._missing = 0
        self._trailed: int | None = None

    @property
    def body(self) -> bytes:
        return bytes(self._kept)

    def take(self, data: bytes) -> bytes:
        """What is left of `data` after what belongs to this body and can be read by now."""
        at = 0
        while not self.is_whole:
            reached = self._piece(data, at) if self._missing else self._line(data, at)
            if reached == at:
                break
            at = reached
        return data[at:]

    def _line(self, data: bytes, at: int) -> int:
        """A chunk's size, or a trailer, which is skipped; an empty one ends the body."""
        end = data.find(_LINE_END, at)
        if end < 0:
            if len(data) - at > _LONGEST_LINE:
                raise BadRequestError
            return at
        if self._trailed is None:
            self._begin(_CHUNK_SIZE.fullmatch(data, at, end))
        else:
            self._trailed += end - at
            if self._trailed > _LONGEST_LINE:
                raise BadRequestError
            self.is_whole = end == at
        return end + len(_LINE_END)

    def _begin(self, size: re.Match[bytes] | None) -> None:
        if size is None:
            raise BadRequestError
        length = int(size[1], 16)
        if len(self._kept) + length > LARGEST_BODY:
            raise BadRequestError(413)
        if length:
            self._missing = length + len(_LINE_END)
        else:
            self._trailed = 0

    def _piece(self, data: bytes, at: int) -> int:
        """More of a chunk, whose end is taken as a whole with the line that closes it."""
        length = self._missing - len(_LINE_END)
        part = data[at : at + length]
        self._kept += part
        self._missing -= len(part)
        at += len(part)
        end = data[at : at + len(_LINE_END)]
        if len(part) < length or len(end) < len(_LINE_END):
            return at
        if end != _LINE_END:
            raise BadRequestError
        self._missing = 0
        return at + len(_LINE_END)


def read_head(data: bytes) -> Received:
    """The request line and headers, without the empty line that ends them."""
    line, _, text = data.decode("utf-8", "surrogateescape").partition("\r\n")
    method, raw_path, minor = _read_line(line)
    if not _FIELDS.fullmatch(text):
        raise BadRequestError
    headers: dict[str, str] = {}
    for each in text.split("\r\n") if text else ():
        name, _, value = each.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if name in _SINGLE and headers.get(name, value) != value:
            raise BadRequestError
        headers.setdefault(name, value)
    _check_framing(headers)
    wanted = headers.get("connection", "").lower()
    keep_alive = "close" not in wanted if minor else "keep-alive" in wanted
    return Received(method, raw_path, headers, keep_alive)


def _read_line(line: str) -> tuple[str, str, int]:
    """Method, raw path, and the minor version of HTTP/1."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):  # noqa: PLR2004
        raise BadRequestError
    method, target, version = parts
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise BadRequestError
    if not target.startswith("/"):
        target = _ORIGIN.sub("", target, count=1) or "/"
    return method, target, int(version[-1])


def _check_framing(headers: dict[str, str]) -> None:
    """Exactly one way to know where the body ends."""
    length, encoding = headers.get("content-length"), headers.get("transfer-encoding")
    if encoding is not None and (encoding.lower() != "chunked" or length is not None):
        raise BadRequestError
    if length is None:
        return
    if not length.isascii() or not length.isdigit():
        raise BadRequestError
    if len(length) > len(str(LARGEST_BODY)) or int(length) > LARGEST_BODY:
        raise BadRequestError(413)
