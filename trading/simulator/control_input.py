"""What is sent to the control API, read strictly, and the form of its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from trading.simulator.decimals import parse_whole
from trading.simulator.hub import Hub
from trading.simulator.requests import decode
from trading.simulator.wire import dump


class BadInputError(ValueError):
    """What was sent cannot be used; `field` names the part that is wrong."""

    def __init__(self, field: str, why: str) -> None:
        self.field = field
        super().__init__(why)


class NotThereError(LookupError):
    """The thing named in the path does not exist."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: `body` is the decoded object (numbers as their text), `name` the
    account key or fault id out of the path; `text` the body where it is a file."""

    body: dict[str, Any]
    query: dict[str, str]
    name: str = ""
    text: str = ""

    def number(self, name: str, most: int = 10**15) -> int | None:
        """A whole number of the query, or None when it is absent."""
        value = self.query.get(name, "")
        if not value:
            return None
        number = parse_whole(value, 15)
        if number is None or number > most:
            raise BadInputError(name, f"a whole number up to {most} is expected")
        return number


Handler = Callable[[Hub, Asked], Awaitable[dict[str, Any]]]
Handlers = dict[tuple[str, str], Handler]


def read_body(data: bytes) -> dict[str, Any]:
    """A JSON object; numbers arrive as their text."""
    try:
        body = decode(data)
    except ValueError as error:
        raise BadInputError("", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadInputError("", "an object is expected")
    return body


def whole(body: dict[str, Any], name: str, low: int, high: int, default: int | None = None) -> int:
    if name not in body and default is not None:
        return default
    value = body.get(name)
    text = value if isinstance(value, str) else ""
    size = parse_whole(text.removeprefix("-"), 11)
    if size is None:
        raise BadInputError(name, "a whole number is expected")
    number = -size if text.startswith("-") else size
    if not low <= number <= high:
        raise BadInputError(name, f"a number from {low} to {high} is expected")
    return number


def choice(
    body: dict[str, Any], names: tuple[str, ...], allowed: tuple[str, ...], current: str
) -> str:
    for name in names:
        if name in body:
            if body[name] not in allowed:
                raise BadInputError(name, f"one of {', '.join(allowed)} is expected")
            return str(body[name])
    return current


def only(body: dict[str, Any], *names: str) -> None:
    """Refuse a body with any other name."""
    unknown = sorted(set(body) - set(names))
    if unknown:
        raise BadInputError(unknown[0], "unknown name")


def respond(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=dump(value), status=status, content_type="application/json")
