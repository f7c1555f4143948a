"""The shape of a JSON object: names of its members and their types."""

from __future__ import annotations

from typing import Any

Shapes = dict[str, dict[str, str]]

_TYPES = {str: "string", bool: "boolean", int: "integer", list: "list", dict: "object"}


def shape(row: dict[str, Any]) -> dict[str, str]:
    return {name: _TYPES[type(value)] for name, value in sorted(row.items())}


def check_row(shapes: Shapes, name: str, row: dict[str, Any]) -> None:
    """The row is as documented under `name`, and the objects inside it under `name member`."""
    assert shape(row) == shapes[name], name
    for member, value in row.items():
        inner = value if isinstance(value, list) else [value]
        for each in inner:
            if isinstance(each, dict) and each:
                check_row(shapes, f"{name} {member}", each)
