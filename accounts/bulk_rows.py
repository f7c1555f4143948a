"""Inserting many rows that share most of their values: what is shared is prepared once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import connections, models, router

from accounts.bulk import defaults_of, insert_plan
from accounts.json_tables import (
    ROWS,
    has_values_tables,
    json_table,
    told,
    with_json,
    with_values,
)
from accounts.scope import ScopeError, require_scope
from accounts.tenancy import TenantModel

# Fewer rows that share a template are written value by value.
WORTH_A_TABLE = 8


@dataclass(slots=True, eq=False)
class Template:
    """What some rows share, as the driver takes it, and what each of them has of its own."""

    values: list[Any]
    rows: list[tuple[Any, ...]] = field(default_factory=list)


class Rows:
    """Rows of one model, each a template with a few values of its own, written in few statements.

    `own` names the columns (foreign keys by their `_id`) that differ from row to row. Their values
    are given as the driver takes them: numbers, text, UUIDs as 32 hex digits, or None.
    """

    def __init__(self, model: type[models.Model], own: Sequence[str], using: str | None = None):
        self._model = model
        self._alias = using or router.db_for_write(model)
        self._plan = insert_plan(model, self._alias)
        self._own = tuple(self._plan.names.index(name) for name in own)
        self._templates: list[Template] = []
        if self._plan.own:
            raise ValueError(f"{model._meta.label} has columns that make their own values")

    def __len__(self) -> int:
        return sum(len(template.rows) for template in self._templates)

    def template(self, **same: Any) -> Template:
        """What some rows share: these columns, and the defaults of those that nobody names.

        Add their own values to its `rows`, in the order of `own`. Raises ScopeError for another
        tenant than the one worked for.
        """
        if issubclass(self._model, TenantModel):
            _assert_own(self._model, same.get("tenant_id"))
        constants, made = defaults_of(self._model)
        unmade = {name for name, _ in made} - same.keys()
        missing = unmade - {self._plan.names[place] for place in self._own}
        if missing:
            raise ValueError(f"{self._model._meta.label} needs a value for {sorted(missing)}")
        given = constants | same
        values = [
            None if name in unmade else prepare(given.get(name))
            for name, prepare in zip(self._plan.names, self._plan.prepares, strict=True)
        ]
        template = Template(values)
        self._templates.append(template)
        return template

    def write(self) -> int:
        """Insert what was added; how many. Raises IntegrityError for a duplicate."""
        written, few = len(self), []
        templates, self._templates = self._templates, []
        with connections[self._alias].cursor() as cursor:
            for template in templates:
                if len(template.rows) < WORTH_A_TABLE:
                    few += [self._whole(template, row) for row in template.rows]
                    continue
                cursor.execute(*self._together(template))
            if few:
                cursor.executemany(self._plan.statement, few)
        return written

    def _together(self, template: Template) -> tuple[str, list[Any]]:
        """One statement for all rows of a template, and its parameters."""
        shared = [v for place, v in enumerate(template.values) if place not in self._own]
        table, connection = told(template.rows), connections[self._alias]
        if has_values_tables(connection):
            listed = _statement(self._model, self._own, self._alias, listed=True)
            statement = with_values(listed, table, len(template.rows))
            if statement is not None:
                return statement, shared
        return with_json(connection, _statement(self._model, self._own, self._alias), shared, table)

    def _whole(self, template: Template, row: Sequence[Any]) -> list[Any]:
        values = template.values.copy()
        for place, value in zip(self._own, row, strict=True):
            values[place] = value
        return values


@cache
def _statement(
    model: type[models.Model], own: tuple[int, ...], alias: str, *, listed: bool = False
) -> str:
    """An insert of many rows, each with the same values beside. `listed`: for `with_values`."""
    connection = connections[alias]
    quote = connection.ops.quote_name
    fields = [field for field in model._meta.local_concrete_fields if not field.generated]
    columns = ", ".join(quote(str(field.column)) for field in fields)
    cells = {place: cell for cell, place in enumerate(own)}
    values = ", ".join(f"j.c{cells[i]}" if i in cells else "%s" for i in range(len(fields)))
    insert = f"INSERT INTO {quote(model._meta.db_table)} ({columns})"
    if listed:
        names = ", ".join(f"c{cell}" for cell in range(len(own)))
        return f"{insert} WITH j ({names}) AS (VALUES {ROWS}) SELECT {values} FROM j"  # noqa: S608
    table = json_table(connection, [fields[place] for place in own])
    return f"{insert} SELECT {values} FROM {table} AS j"  # noqa: S608


def _assert_own(model: type[models.Model], tenant_id: int | None) -> None:
    scope = require_scope(f"write to {model._meta.label}")
    if tenant_id is None:
        raise ScopeError(f"{model._meta.label} has no tenant")
    if not scope.is_all and tenant_id != scope.tenant_id:
        raise ScopeError(f"{model._meta.label} belongs to another tenant")
