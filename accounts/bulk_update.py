"""Changing many rows, each with values of its own, in one statement joined to a JSON table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connections, models, router

from accounts.prepared import Prepare, prepare_for
from accounts.scope import ScopeError, require_scope
from accounts.tenancy import AppendOnlyError, TenantModel

Row = Sequence[Any]


def update_many(
    model: type[models.Model],
    rows: Sequence[Row],
    *,
    match: Sequence[str],
    columns: Sequence[str],
    using: str | None = None,
) -> int:
    """Write `columns` of the rows that have the `match` values; return how many had.

    Each row lists its values in the order of `match`, then of `columns`. Values are stored as
    `update()` would store them; foreign keys cannot be changed. In a desk's scope other desks'
    rows do not match.
    """
    if not rows:
        return 0
    only = _tenant_bound(model)
    alias = using or router.db_for_write(model)
    plan = _plan(model, tuple(match), tuple(columns), alias, only is not None)
    table = json.dumps([plan.values(row) for row in rows], ensure_ascii=False)
    with connections[alias].cursor() as cursor:
        cursor.execute(plan.statement, [table] if only is None else [table, only])
        return int(cursor.rowcount)


def _tenant_bound(model: Any) -> int | None:
    """The desk whose rows alone may be changed; None for all."""
    if not issubclass(model, TenantModel):
        return None
    scope = require_scope(f"update of {model._meta.label}")
    if model.append_only:
        raise AppendOnlyError(f"{model._meta.label} is append-only")
    return None if scope.is_all else scope.tenant_id


@dataclass(frozen=True, slots=True)
class _Plan:
    statement: str
    prepares: tuple[Prepare, ...]

    def values(self, row: Row) -> list[Any]:
        return [prepare(value) for prepare, value in zip(self.prepares, row, strict=True)]


@cache
def _plan(
    model: Any, match: tuple[str, ...], columns: tuple[str, ...], alias: str, one_desk: bool
) -> _Plan:
    connection = connections[alias]
    fields = [model._meta.get_field(name) for name in (*match, *columns)]
    moved = [field for field in fields[len(match) :] if field.is_relation]
    if moved:
        raise ScopeError(f"update_many cannot change {moved[0]}")
    write = _mysql if connection.vendor == "mysql" else _sqlite
    statement = write(connection, model, fields, len(match))
    if one_desk:
        tenant = connection.ops.quote_name(model._meta.get_field("tenant").column)
        statement += f" AND t.{tenant} = %s"
    return _Plan(statement, tuple(prepare_for(field, connection) for field in fields))


def _sqlite(connection: Any, model: Any, fields: Sequence[Any], matched: int) -> str:
    quote = connection.ops.quote_name
    given = ", ".join(f"json_extract(value, '$[{i}]') AS c{i}" for i in range(len(fields)))
    same = " AND ".join(f"t.{quote(f.column)} = j.c{i}" for i, f in enumerate(fields[:matched]))
    new = ", ".join(
        f"{quote(f.column)} = j.c{i}" for i, f in enumerate(fields[matched:], start=matched)
    )
    table = quote(model._meta.db_table)
    return (
        f"UPDATE {table} AS t SET {new} FROM (SELECT {given} FROM json_each(%s)) AS j WHERE {same}"  # noqa: S608
    )


def _mysql(connection: Any, model: Any, fields: Sequence[Any], matched: int) -> str:
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    given = ", ".join(
        f"c{i} {_type(connection, f)} PATH '$[{i}]' NULL ON EMPTY ERROR ON ERROR"
        for i, f in enumerate(fields)
    )
    collations = _collations(connection.alias, model._meta.db_table)
    same = " AND ".join(
        f"t.{quote(f.column)} = j.c{i}{collations.get(f.column, '')}"
        for i, f in enumerate(fields[:matched])
    )
    new = ", ".join(
        f"t.{quote(f.column)} = j.c{i}" for i, f in enumerate(fields[matched:], start=matched)
    )
    # STRAIGHT_JOIN: each given row finds its own by key, never the other way round.
    return (
        f"UPDATE JSON_TABLE(%s, '$[*]' COLUMNS ({given})) AS j STRAIGHT_JOIN {table} AS t "  # noqa: S608
        f"SET {new} WHERE {same}"
    )


def _type(connection: Any, field: Any) -> str:
    """As wide as can be: a JSON table cuts off what does not fit, a column refuses it."""
    kind = str((field.target_field if field.is_relation else field).db_type(connection))
    if kind in ("uuid", "char(32)"):  # MariaDB has no UUIDs in a JSON table, but compares digits
        return "char(32)"
    if kind == "datetime(6)":
        return kind
    whole = "int" in kind or kind == "bool"
    return "bigint" if whole else "longtext"


@cache
def _collations(alias: str, table: str) -> dict[str, str]:
    """Text from a JSON table has a collation of its own, which MySQL will not compare."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT column_name, collation_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s AND collation_name IS NOT NULL",
            [table],
        )
        return {name: f" COLLATE {collation}" for name, collation in cursor.fetchall()}
