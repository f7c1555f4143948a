"""Queries that are asked many times a second: built and compiled once, then only given values.

Django builds and compiles a query anew each time, and prepares each value of an IN by itself,
which costs more than the database's answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.db import connections
from django.db.models import Expression, Field, ForeignKey, Lookup, Model

from accounts.rows import Convert, converted, converters_of
from accounts.scope import all_tenants, require_scope, tenant_scope

# Django's own cannot be subscripted while it runs.
if TYPE_CHECKING:
    _Lookup = Lookup[Any]
else:
    _Lookup = Lookup
# No tenant has it: where it stands in a compiled query, the tenant worked for is put.
_SOME_TENANT = -1


class Given(Expression):
    """Stands in a query for a value that is named when the question is asked."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, _compiler: Any, _connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


class Among(_Lookup):
    """`column__among=Given(name)`: the column is one of several values, told as one."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, values = self.process_lhs(compiler, connection)
        mysql = connection.vendor == "mysql"
        among = _place_of(self.rhs) if mysql else "(SELECT value FROM json_each(%s))"
        return f"{column} IN {among}", [*values, self.rhs]


Field.register_lookup(Among)
ForeignKey.register_lookup(Among)


def columns_of(model: type[Model]) -> tuple[str, ...]:
    """What `values_list` must name for `Question.objects`."""
    return tuple(field.attname for field in model._meta.concrete_fields)


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    parameters: tuple[Any, ...]
    converters: list[tuple[int, Convert]]


class Question:
    """A `values_list` queryset with `Given` values in it; it is asked within a scope as any other.

    `build` makes it. Values are numbers, text, times, UUIDs, None, or collections for `among`.
    """

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build
        self._compiled: dict[tuple[str, bool], _Compiled] = {}
        self._model: Any = None

    def ask(self, **values: Any) -> list[tuple[Any, ...]]:
        """The rows. Nothing is asked when a collection is empty: nothing is among nothing."""
        scope = require_scope("a prepared question")
        if any(isinstance(value, Collection) and not value for value in values.values()):
            return []
        connection = connections["default"]
        compiled = self._compiled.get((connection.vendor, scope.is_all))
        if compiled is None:
            compiled = self._compile(connection, is_all=scope.is_all)
        told = {name: _told(value, connection) for name, value in values.items()}
        sql, given = _with_lists(compiled, told)
        parameters = [_fill(one, told, scope.tenant_id) for one in given]
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return converted(cursor.fetchall(), compiled.converters)

    def objects(self, **values: Any) -> list[Any]:
        """The rows as instances: of a queryset whose values are `columns_of` its model."""
        model = self._model
        if model is None:
            with all_tenants("look at a question"):
                model = self._model = self._build().model
        names = columns_of(model)
        return [model.from_db("default", names, row) for row in self.ask(**values)]

    def _compile(self, connection: Any, *, is_all: bool) -> _Compiled:
        with all_tenants("compile a question") if is_all else tenant_scope(_SOME_TENANT):
            compiler = self._build().query.get_compiler(connection.alias)
            sql, parameters = compiler.as_sql()
            converters = converters_of(compiler, connection)
        compiled = _Compiled(sql, tuple(parameters), converters)
        self._compiled[connection.vendor, is_all] = compiled
        return compiled


def _place_of(given: Given) -> str:
    """Where MySQL's list of these values stands in a statement until they are known."""
    return f"%({given.name})s"


def _with_lists(compiled: _Compiled, told: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    """The statement with its lists in it, and the parameters that are left.

    The driver for MySQL escapes one value after the other, which costs more than anything else
    about the question. Where there is nothing to escape, a list is written into the statement.
    """
    sql, left = compiled.sql, list[Any]()
    for one in compiled.parameters:
        values = told[one.name] if isinstance(one, Given) else None
        if not isinstance(values, tuple):
            left.append(one)
            continue
        text = _listed(values)
        if text is None:
            left.append(one)
        sql = sql.replace(_place_of(one), text or "%s", 1)
    return sql, left


def _listed(values: Collection[Any]) -> str | None:
    """The values between brackets; None where one of them has to be escaped."""
    text = orjson.dumps(values).decode()
    # Whatever could end or change a text between quotes, JSON tells with one of these; the last
    # is what the driver looks for.
    if "\\" in text or "'" in text or "%" in text:
        return None
    quoted = text[1:-1].replace('"', "'")
    return f"({quoted})"


def _fill(parameter: Any, told: Mapping[str, Any], tenant_id: int | None) -> Any:
    if isinstance(parameter, Given):
        return told[parameter.name]
    return tenant_id if parameter == _SOME_TENANT else parameter


def _told(value: Any, connection: Any) -> Any:
    """The value as the driver takes it."""
    if isinstance(value, str) or value is None or isinstance(value, int):
        return value
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, Collection):
        plain = [one.hex if isinstance(one, UUID) else one for one in value]
        return tuple(plain) if connection.vendor == "mysql" else json.dumps(plain)
    raise TypeError(f"{type(value).__name__} cannot be told to a prepared question")
