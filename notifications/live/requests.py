"""What a client may send, checked before anything is done about it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from notifications.enums import Stream
from notifications.live.audiences import streams_of
from notifications.live.codes import Close

MOST_BYTES = 16 * 1024
MOST_SEQ = 2**53
LAST_MOMENT = 4_000_000_000


class Refused(Exception):  # noqa: N818 - says what happened
    """The socket is closed with this code."""

    def __init__(self, code: Close) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """A message of a client: to take up streams, or to say what has arrived."""

    subscribe: dict[str, int | None] = field(default_factory=dict)
    rendered: float | None = None
    ack: dict[str, int] | None = None


def parse(text: str | None, audience: str) -> Asked:
    """Raises Refused for what is not in docs/live.md, and for streams that are not one's own."""
    body = _body(text)
    if set(body) == {"ack"}:
        return Asked(ack=_numbers(body["ack"]))
    if "subscribe" not in body or not set(body) <= {"subscribe", "rendered"}:
        raise Refused(Close.BAD_MESSAGE)
    wanted = body["subscribe"]
    if not isinstance(wanted, dict) or not wanted:
        raise Refused(Close.BAD_MESSAGE)
    for name in wanted:
        _check_stream(name, audience)
    numbers = _numbers({name: seq for name, seq in wanted.items() if seq is not None})
    subscribe: dict[str, int | None] = {name: numbers.get(name) for name in wanted}
    return Asked(subscribe=subscribe, rendered=_moment(body.get("rendered")))


def _body(text: str | None) -> dict[str, Any]:
    if text is None or len(text.encode()) > MOST_BYTES:
        raise Refused(Close.BAD_MESSAGE)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(Close.BAD_MESSAGE) from None
    if not isinstance(body, dict):
        raise Refused(Close.BAD_MESSAGE)
    return body


def _check_stream(name: str, audience: str) -> None:
    """A name that looks like somebody's group is not a mistake but an attempt."""
    if name in Stream.values:
        if Stream(name) not in streams_of(audience):
            raise Refused(Close.FORBIDDEN)
    elif "." in name:
        raise Refused(Close.FORBIDDEN)
    else:
        raise Refused(Close.BAD_MESSAGE)


def _numbers(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        raise Refused(Close.BAD_MESSAGE)
    for seq in value.values():
        if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= MOST_SEQ:
            raise Refused(Close.BAD_MESSAGE)
    return value


def _moment(value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Refused(Close.BAD_MESSAGE)
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(Close.BAD_MESSAGE)
    return float(min(max(value, 0), LAST_MOMENT))
