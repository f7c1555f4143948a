"""The shape of a JSON object: names of its members and their types."""

from __future__ import annotations

from typing import Any

_TYPES = {str: "string", bool: "boolean", int: "integer", list: "list", dict: "object"}


def shape(row: dict[str, Any]) -> dict[str, str]:
    return {name: _TYPES[type(value)] for name, value in sorted(row.items())}
