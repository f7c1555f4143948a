"""JSON without its traps, with the faults of a payload."""

from __future__ import annotations

from typing import Any

from accounts import strict_json
from accounts.strict_json import MAX_BYTES, MAX_DEPTH, shown_key
from signals.parsing.normal import ParseError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_PARTS", "loads", "shown_key", "text_at"]

# Strings, brackets and commas: what no dialect comes near to. Strangers' payloads are read too,
# for the secret they name, and the calls of every desk wait until they have been.
MAX_PARTS = 1000


def loads(raw: bytes) -> dict[str, Any]:
    """The top-level object of a payload, numbers as Decimal; raises only `ParseError`."""
    try:
        return strict_json.loads(raw, MAX_PARTS)
    except strict_json.JsonError as error:
        raise ParseError(error.field, error.reason) from None


def text_at(raw: bytes, name: str) -> str:
    """The text under a name; empty where there is none, or no object to look in."""
    try:
        value = loads(raw).get(name)
    except ParseError:
        return ""
    return value if isinstance(value, str) else ""
