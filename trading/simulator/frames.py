"""WebSocket frames, encoded once however many connections they go to.

Compression keeps no state between messages (`server_no_context_takeover`, which a
server may ask of any client), so that one compressed frame fits every connection
with the same window and no connection carries a compressor of its own.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import Final

_TEXT: Final = 0x81
_COMPRESSED: Final = 0x40
_TAIL: Final = b"\x00\x00\xff\xff"
_SHORT: Final = 126
_MIDDLE: Final = 1 << 16
_WINDOW: Final = 15
_NO_TAKEOVER: Final = "server_no_context_takeover"
_SERVER_WINDOW: Final = re.compile(r"server_max_window_bits=(\d+)")


class Frame:
    """One text message; its bytes on the wire are made when first asked for."""

    __slots__ = ("_wires", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._wires: dict[int, bytes] = {}

    def wire(self, window: int) -> bytes:
        """The whole frame; `window` is what was negotiated in bits, 0 without compression."""
        made = self._wires.get(window)
        if made is None:
            made = self._wires[window] = _framed(self.text, window)
        return made


def offered(extensions: str) -> str:
    """The client's offers of permessage-deflate, each without state on our side."""
    offers = [each.strip() for each in extensions.split(",")]
    return ", ".join(each if _NO_TAKEOVER in each else f"{each}; {_NO_TAKEOVER}" for each in offers)


def negotiated_window(extensions: str) -> int:
    """The bits of our compression window in an accepted offer; 0 when none was accepted."""
    if not extensions:
        return 0
    found = _SERVER_WINDOW.search(extensions)
    return int(found[1]) if found else _WINDOW


def _framed(text: bytes, window: int) -> bytes:
    first = _TEXT
    if window:
        press = zlib.compressobj(zlib.Z_BEST_SPEED, zlib.DEFLATED, -window)
        text = (press.compress(text) + press.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
        first |= _COMPRESSED
    size = len(text)
    if size < _SHORT:
        return struct.pack("!BB", first, size) + text
    if size < _MIDDLE:
        return struct.pack("!BBH", first, 126, size) + text
    return struct.pack("!BBQ", first, 127, size) + text
