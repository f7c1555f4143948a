"""An HTTP answer read from bytes as they come, strictly. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LARGEST_HEAD: Final = 32 * 1024
LARGEST_BODY: Final = 16 * 1024 * 1024
_LONGEST_CHUNK_LINE: Final = 256
_MOST_INTERIM: Final = 8

_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?"
    rb"(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*)*\r\n\r\n"
)
# Of a head in lower case.
_FIELDS: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding|content-encoding|connection|keep-alive|retry-after)"
    rb":[ \t]*([^\r\n]*)"
)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_KEPT_S: Final = re.compile(rb"timeout=(\d{1,6})")
_LENGTH: Final = b"content-length"
_LONGEST_LENGTH: Final = len(str(LARGEST_BODY))
_BEGINNING: Final = b"HTTP/1."
_INTERIM: Final = range(100, 200)
_SWITCHING: Final = 101
_BODILESS: Final = frozenset({204, 304})
_WITH_BODY: Final = frozenset(range(200, 600)) - _BODILESS
Fields = list[tuple[bytes, bytes]]


class BadReply(Exception):  # noqa: N818 - says what it is
    """Not HTTP, or not an answer that we can be sure to have read whole."""


@dataclass(slots=True)
class Reply:
    """One whole answer. `reusable` is False when the connection must not carry another request;
    `kept_s` is how long the server says it keeps an idle one."""

    status: int
    body: bytes
    retry_after: str
    reusable: bool
    kept_s: int | None


class ReplyReader:
    """Reads one answer after another; `feed` gives each when its last byte is there.

    Bytes after a whole answer are BadReply: nothing more was asked for, so nobody can say to
    which request either belongs.
    """

    __slots__ = ("_body", "_buffer", "_chunked", "_interim", "_kept", "_left", "_reply")

    def __init__(self) -> None:
        self._buffer = b""
        self._reply: Reply | None = None
        self._body: list[bytes] = []
        self._chunked = False
        # Bytes still to come; -1 until the connection closes.
        self._left = 0
        self._kept = 0
        self._interim = 0

    def feed(self, data: bytes) -> Reply | None:
        buffer = self._buffer + data if self._buffer else data
        self._buffer = b""
        while self._reply is None:
            head = _HEAD.match(buffer)
            if head is None:
                self._wait_for_head(buffer)
                return None
            fields = _FIELDS.findall(head[0].lower())
            usual = _usual(head, fields, buffer)
            if usual is not None:
                self._interim = 0
                return usual
            self._read_head(head, fields)
            buffer = buffer[head.end() :]
        return self._read_chunks(buffer) if self._chunked else self._read_body(buffer)

    def end(self) -> Reply:
        """The other side has closed: whole only if nothing else says where the answer ends."""
        if self._reply is None or self._chunked or self._left >= 0:
            raise BadReply("closed before the end of the answer")
        return self._finish()

    def _read_head(self, head: re.Match[bytes], fields: Fields) -> None:
        """Of the final answer, or one that says that it is still to come."""
        if head.end() > LARGEST_HEAD:
            raise BadReply("head too long")
        status = int(head[2])
        if status not in _INTERIM:
            self._understand(status, head[1] == b"1", fields)
            return
        self._interim += 1
        if status == _SWITCHING or self._interim > _MOST_INTERIM:
            raise BadReply("never asked for another protocol")

    def _wait_for_head(self, buffer: bytes) -> None:
        if len(buffer) > LARGEST_HEAD or b"\r\n\r\n" in buffer:
            raise BadReply("not a head of an answer")
        if not (buffer.startswith(_BEGINNING) or _BEGINNING.startswith(buffer)):
            raise BadReply("not HTTP")
        self._buffer = buffer

    def _understand(self, status: int, current: bool, fields: Fields) -> None:
        found: dict[bytes, bytes] = {}
        for name, value in fields:
            if name in found and name != b"connection":
                raise BadReply("a field twice")
            found[name] = found[name] + b"," + value if name in found else value
        if found.get(b"content-encoding", b"identity").strip() not in (b"", b"identity"):
            raise BadReply("compressed, which was not asked for")
        kept = _KEPT_S.search(found.get(b"keep-alive", b""))
        self._reply = Reply(
            status,
            b"",
            found.get(b"retry-after", b"").decode("latin-1").strip(),
            current and b"close" not in found.get(b"connection", b""),
            int(kept[1]) if kept else None,
        )
        self._measure(status, self._reply, found)

    def _measure(self, status: int, reply: Reply, found: dict[bytes, bytes]) -> None:
        coding = found.get(b"transfer-encoding")
        length = found.get(_LENGTH)
        if coding is not None:
            if coding.strip() != b"chunked" or length is not None:
                raise BadReply("two ways to tell where the answer ends")
            self._chunked = True
        elif status in _BODILESS:
            self._left = 0
        elif length is not None:
            self._left = _length(length.strip())
        else:
            self._left = -1
            reply.reusable = False

    def _read_body(self, data: bytes) -> Reply | None:
        if self._left < 0:
            self._keep(data)
            return None
        if len(data) > self._left:
            raise BadReply("more than one answer")
        self._left -= len(data)
        self._body.append(data)
        return None if self._left else self._finish()

    def _read_chunks(self, data: bytes) -> Reply | None:
        """Chunk by chunk; half of one waits for its other half."""
        while True:
            line = _CHUNK_SIZE.match(data)
            if line is None:
                if len(data) > _LONGEST_CHUNK_LINE or b"\r\n" in data:
                    raise BadReply("not a chunk")
                self._buffer = data
                return None
            size, begin = int(line[1], 16), line.end()
            if size > LARGEST_BODY:
                raise BadReply("body too long")
            if not size:
                return self._end_chunks(data, begin)
            if len(data) < begin + size + 2:
                self._buffer = data
                return None
            if data[begin + size : begin + size + 2] != b"\r\n":
                raise BadReply("a chunk without an end")
            self._keep(data[begin : begin + size])
            data = data[begin + size + 2 :]

    def _end_chunks(self, data: bytes, begin: int) -> Reply | None:
        """The empty line after the last chunk; trailers were not asked for."""
        rest = data[begin:]
        if rest == b"\r\n":
            return self._finish()
        if rest not in (b"", b"\r"):
            raise BadReply("something after the last chunk")
        self._buffer = data
        return None

    def _keep(self, data: bytes) -> None:
        self._body.append(data)
        self._kept += len(data)
        if self._kept > LARGEST_BODY:
            raise BadReply("body too long")

    def _finish(self) -> Reply:
        reply = self._reply
        if reply is None:
            raise BadReply("no answer")
        reply.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._reply, self._body, self._chunked = None, [], False
        self._left = self._kept = self._interim = 0
        return reply


def _usual(head: re.Match[bytes], fields: Fields, buffer: bytes) -> Reply | None:
    """What nearly every answer is: all of it at hand, and nothing to think about."""
    left = -1
    for name, value in fields:
        if name == _LENGTH and left < 0 and value.isdigit() and len(value) <= _LONGEST_LENGTH:
            left = int(value)
        elif name != b"connection" or value != b"keep-alive":
            return None
    end, status = head.end(), int(head[2])
    if left != len(buffer) - end or end > LARGEST_HEAD or status not in _WITH_BODY:
        return None
    return Reply(status, buffer[end:], "", head[1] == b"1", None)


def _length(text: bytes) -> int:
    if not text.isdigit() or len(text) > _LONGEST_LENGTH or int(text) > LARGEST_BODY:
        raise BadReply("no length, or too long")
    return int(text)
