"""Changing many rows, each with values of its own, in one statement joined to a JSON table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import repeat
from operator import is_
from typing import Any

from django.db import connections, models, router

from accounts.json_tables import json_table, told, with_json
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
    given = list(zip(*rows, strict=True))
    same = tuple(map(_is_same, given))
    if all(same[: len(match)]):  # the rows would be one: each must find its own
        same = (False, *same[1:])
    plan = _plan(model, tuple(match), tuple(columns), same, alias, only is not None)
    cells, shared = plan.values(given)
    new, old = shared
    before, after = ([], [*new, *old]) if plan.table_first else (new, old)
    after = after if only is None else [*after, only]
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(*with_json(connection, plan.statement, before, told(cells), after))
        return int(cursor.rowcount)


def _is_same(column: tuple[Any, ...]) -> bool:
    """Is it one value all the way down? It need not be repeated in every row then."""
    first = column[0]
    return all(map(is_, column, repeat(first))) or column.count(first) == len(column)


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
    """One statement; `same` tells which columns are parameters of it instead of the table's."""

    statement: str
    prepares: tuple[Prepare, ...]
    same: tuple[bool, ...]
    matched: int
    table_first: bool

    def values(self, columns: Sequence[tuple[Any, ...]]) -> tuple[list[Any], list[list[Any]]]:
        """The rows of the table, and the shared values: those to write, those to match."""
        apart, new, old = [], list[Any](), list[Any]()
        for place, (column, prepare) in enumerate(zip(columns, self.prepares, strict=True)):
            if self.same[place]:
                (old if place < self.matched else new).append(prepare(column[0]))
            else:
                apart.append([prepare(value) for value in column])
        return list(zip(*apart, strict=True)), [new, old]


@lru_cache(512)
def _plan(
    model: Any,
    match: tuple[str, ...],
    columns: tuple[str, ...],
    same: tuple[bool, ...],
    alias: str,
    one_desk: bool,
) -> _Plan:
    connection = connections[alias]
    fields = [model._meta.get_field(name) for name in (*match, *columns)]
    moved = [field for field in fields[len(match) :] if field.is_relation]
    if moved:
        raise ScopeError(f"update_many cannot change {moved[0]}")
    mysql = connection.vendor == "mysql"
    write = _mysql if mysql else _sqlite
    statement = write(connection, model, fields, same, len(match))
    if one_desk:
        tenant = connection.ops.quote_name(model._meta.get_field("tenant").column)
        statement += f" AND t.{tenant} = %s"
    prepares = tuple(prepare_for(field, connection) for field in fields)
    return _Plan(statement, prepares, same, len(match), table_first=mysql)


def _cells(fields: Sequence[Any], same: Sequence[bool]) -> tuple[list[Any], dict[int, str]]:
    """The fields that the table has, and what stands for each field in the statement."""
    apart = [place for place in range(len(fields)) if not same[place]]
    names = {place: f"j.c{cell}" for cell, place in enumerate(apart)}
    return [fields[place] for place in apart], names


def _sqlite(
    connection: Any, model: Any, fields: Sequence[Any], same: Sequence[bool], matched: int
) -> str:
    quote = connection.ops.quote_name
    apart, names = _cells(fields, same)
    # The plus keeps an index of what all rows share from being used: each row has its own key.
    equal = " AND ".join(
        f"t.{quote(f.column)} = {names[i]}" if i in names else f"+t.{quote(f.column)} = %s"
        for i, f in enumerate(fields[:matched])
    )
    new = ", ".join(
        f"{quote(f.column)} = {names.get(i, '%s')}"
        for i, f in enumerate(fields[matched:], start=matched)
    )
    table = quote(model._meta.db_table)
    return f"UPDATE {table} AS t SET {new} FROM {json_table(connection, apart)} AS j WHERE {equal}"  # noqa: S608


def _mysql(
    connection: Any, model: Any, fields: Sequence[Any], same: Sequence[bool], matched: int
) -> str:
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    apart, names = _cells(fields, same)
    collations = _collations(connection.alias, model._meta.db_table)
    equal = " AND ".join(
        f"t.{quote(f.column)} = "
        + (f"{names[i]}{collations.get(f.column, '')}" if i in names else "%s")
        for i, f in enumerate(fields[:matched])
    )
    new = ", ".join(
        f"t.{quote(f.column)} = {names.get(i, '%s')}"
        for i, f in enumerate(fields[matched:], start=matched)
    )
    # STRAIGHT_JOIN: each given row finds its own by key, never the other way round.
    return (
        f"UPDATE {json_table(connection, apart)} AS j STRAIGHT_JOIN {table} AS t "  # noqa: S608
        f"SET {new} WHERE {equal}"
    )


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
