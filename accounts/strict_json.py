"""JSON without its traps: no duplicate keys, no NaN, no floats, no bombs."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
MAX_NUMBER_LETTERS = 80
MAX_EXPONENT = 60

# A string (even one that never ends, so that a scan stays linear), a bracket or a comma.
_PART = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class JsonError(ValueError):
    """Not JSON we read: `field` is the path of the key at fault or "body", `reason` why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, duplicates and all."""


class _NotANumber:
    """Stands where NaN or Infinity was written."""


class _OutOfBounds:
    """Stands where a number was written that nobody means."""


def loads(raw: bytes, most_parts: int = MAX_BYTES) -> dict[str, Any]:
    """The top-level object of a payload, numbers as Decimal; raises only `JsonError`.

    A leading byte order mark is ignored (Windows senders add it), everything else is UTF-8.
    At most 64 KiB, 8 levels deep and of `most_parts` strings, brackets and commas: 64 KiB of the
    smallest values cost a hundred times what as long a text does. A fault is named by the path of
    its key.
    """
    if len(raw) > MAX_BYTES:
        raise JsonError("body", "larger than 64 KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise JsonError("body", "not UTF-8") from None
    _check_size(text, most_parts)
    try:
        parsed = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise JsonError("body", "not valid JSON") from None
    if not isinstance(parsed, _Pairs):
        raise JsonError("body", "must be a JSON object")
    return _object(parsed, "")


def shown_key(key: str) -> str:
    """A key as it may appear in an answer or a log line."""
    if not key:
        return '""'
    return key[:64].encode("ascii", "backslashreplace").decode("ascii").replace("\n", " ")


def _check_size(text: str, most_parts: int) -> None:
    depth = 0
    for number, token in enumerate(_PART.finditer(text), start=1):
        if number > most_parts:
            raise JsonError("body", f"of more than {most_parts} parts")
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        if depth > MAX_DEPTH:
            raise JsonError("body", f"nested deeper than {MAX_DEPTH} levels")


def _number(token: str) -> Decimal | _OutOfBounds:
    _, _, exponent = token.lower().partition("e")
    if len(token) > MAX_NUMBER_LETTERS or (exponent and abs(int(exponent)) > MAX_EXPONENT):
        return _OutOfBounds()
    try:
        return Decimal(token)
    except InvalidOperation:
        return _OutOfBounds()


def _constant(_name: str) -> _NotANumber:
    return _NotANumber()


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_number, parse_float=_number, parse_constant=_constant
)


def _object(pairs: _Pairs, path: str) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, value in pairs:
        child = f"{path}.{shown_key(key)}" if path else shown_key(key)
        if key in checked:
            raise JsonError(child, "duplicate key")
        checked[key] = _value(value, child)
    return checked


def _value(value: object, path: str) -> object:
    if isinstance(value, _Pairs):
        return _object(value, path)
    if isinstance(value, list):
        return [_value(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, _NotANumber):
        raise JsonError(path, "not a number")
    if isinstance(value, _OutOfBounds):
        raise JsonError(path, "number out of bounds")
    if isinstance(value, str) and _SURROGATE.search(value):
        raise JsonError(path, "not valid Unicode")
    return value
