"""Many rows told to a statement at once: as one JSON text, or as a list of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

# Where the rows stand in a statement until they are told.
ROWS = "%(rows)s"


def told(rows: Sequence[Sequence[Any]]) -> str:
    """The rows as one text. Values are numbers, text, UUIDs as 32 hex digits, or None."""
    return orjson.dumps(rows).decode()


def json_table(connection: Any, fields: Sequence[Any]) -> str:
    """What to write after FROM for rows told with `with_json`: columns c0, c1, ... of these
    fields."""
    if connection.vendor == "mysql":
        given = ", ".join(
            f"c{i} {_type(connection, f)} PATH '$[{i}]' NULL ON EMPTY ERROR ON ERROR"
            for i, f in enumerate(fields)
        )
        return f"JSON_TABLE({ROWS}, '$[*]' COLUMNS ({given}))"
    given = ", ".join(f"json_extract(value, '$[{i}]') AS c{i}" for i in range(len(fields)))
    return f"(SELECT {given} FROM json_each({ROWS}))"  # noqa: S608


def with_json(
    connection: Any, statement: str, before: Sequence[Any], table: str, after: Sequence[Any] = ()
) -> tuple[str, list[Any]]:
    """A statement with its rows, and the parameters that stand before and after them.

    The driver for MySQL escapes a text letter by letter and copies it several times. Where there
    is nothing to escape, it is written into the statement.
    """
    if connection.vendor == "mysql" and _is_plain(table):
        return statement.replace(ROWS, f"'{_literal(table)}'"), [*before, *after]
    return statement.replace(ROWS, "%s"), [*before, table, *after]


def has_values_tables(connection: Any) -> bool:
    """MariaDB reads a list of values faster than JSON; MySQL writes it in another way."""
    return connection.vendor == "mysql" and bool(connection.mysql_is_mariadb)


def with_values(statement: str, table: str, rows: int) -> str | None:
    """A statement with so many rows as a list of values; None where that cannot tell them."""
    if not _is_plain(table) or table.count("],[") != rows - 1:
        return None
    values = table[2:-2].replace("],[", "),(").replace('"', "'")
    return statement.replace(ROWS, f"({_literal(values)})")


def _is_plain(table: str) -> bool:
    """Whatever could end or change a text between quotes, JSON tells with one of these."""
    return "\\" not in table and "'" not in table


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _type(connection: Any, field: Any) -> str:
    """As wide as can be: a JSON table cuts off what does not fit, a column refuses it."""
    kind = str((field.target_field if field.is_relation else field).db_type(connection))
    if kind in ("uuid", "char(32)"):  # MariaDB has no UUIDs in a JSON table, but compares digits
        return "char(32)"
    if kind == "datetime(6)":
        return kind
    whole = "int" in kind or kind == "bool"
    return "bigint" if whole else "longtext"
