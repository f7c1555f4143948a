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


def take_chunked(data: bytes) -> tuple[bytes, bytes] | None:
    """The whole body and what follows it, or None while chunks are missing."""
    parts: list[bytes] = []
    at = total = 0
    while True:
        end = data.find(_LINE_END, at)
        if end < 0:
            _check_line(data, at)
            return None
        size = _CHUNK_SIZE.fullmatch(data, at, end)
        if size is None:
            raise BadRequestError
        length, at = int(size[1], 16), end + 2
        if not length:
            return _after_trailers(data, at, b"".join(parts))
        total += length
        if total > LARGEST_BODY:
            raise BadRequestError(413)
        if len(data) < at + length + 2:
            return None
        if data[at + length : at + length + 2] != _LINE_END:
            raise BadRequestError
        parts.append(data[at : at + length])
        at += length + 2


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


def _after_trailers(data: bytes, at: int, body: bytes) -> tuple[bytes, bytes] | None:
    """Trailers are skipped; an empty line ends them."""
    while True:
        end = data.find(_LINE_END, at)
        if end < 0:
            _check_line(data, at)
            return None
        if end == at:
            return body, data[end + 2 :]
        at = end + 2


def _check_line(data: bytes, at: int) -> None:
    """Lines around chunks are short, whatever is still missing of this one."""
    if len(data) - at > _LONGEST_LINE:
        raise BadRequestError
