"""Many rows told to a statement as one JSON text: a list of lists of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def json_table(connection: Any, fields: Sequence[Any]) -> str:
    """What to write after FROM for the rows of one parameter: columns c0, c1, ... of these fields.

    Values are numbers, text, UUIDs as 32 hex digits, or null.
    """
    if connection.vendor == "mysql":
        given = ", ".join(
            f"c{i} {_type(connection, f)} PATH '$[{i}]' NULL ON EMPTY ERROR ON ERROR"
            for i, f in enumerate(fields)
        )
        return f"JSON_TABLE(%s, '$[*]' COLUMNS ({given}))"
    given = ", ".join(f"json_extract(value, '$[{i}]') AS c{i}" for i in range(len(fields)))
    return f"(SELECT {given} FROM json_each(%s))"  # noqa: S608


def _type(connection: Any, field: Any) -> str:
    """As wide as can be: a JSON table cuts off what does not fit, a column refuses it."""
    kind = str((field.target_field if field.is_relation else field).db_type(connection))
    if kind in ("uuid", "char(32)"):  # MariaDB has no UUIDs in a JSON table, but compares digits
        return "char(32)"
    if kind == "datetime(6)":
        return kind
    whole = "int" in kind or kind == "bool"
    return "bigint" if whole else "longtext"
