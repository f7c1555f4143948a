"""Inserting many rows that share most of their values: what is shared is prepared once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, models, router

from accounts.bulk import defaults_of, insert_plan
from accounts.scope import ScopeError, require_scope
from accounts.tenancy import TenantModel

Template = list[Any]


class Rows:
    """Rows of one model, each a template with a few values of its own, written in one statement.

    `own` names the columns (foreign keys by their `_id`) that differ from row to row. Their values
    are given as the driver takes them: numbers, text, UUIDs as 32 hex digits, or None.
    """

    def __init__(self, model: type[models.Model], own: Sequence[str], using: str | None = None):
        self._model = model
        self._alias = using or router.db_for_write(model)
        self._plan = insert_plan(model, self._alias)
        self._own = tuple(self._plan.names.index(name) for name in own)
        self._rows: list[Template] = []
        if self._plan.own:
            raise ValueError(f"{model._meta.label} has columns that make their own values")

    def __len__(self) -> int:
        return len(self._rows)

    def template(self, **same: Any) -> Template:
        """What some rows share: these columns, and the defaults of those that nobody names.

        Raises ScopeError for another tenant than the one worked for.
        """
        if issubclass(self._model, TenantModel):
            _assert_own(self._model, same.get("tenant_id"))
        constants, made = defaults_of(self._model)
        unmade = {name for name, _ in made} - same.keys()
        missing = unmade - {self._plan.names[place] for place in self._own}
        if missing:
            raise ValueError(f"{self._model._meta.label} needs a value for {sorted(missing)}")
        values = constants | same
        return [
            None if name in unmade else prepare(values.get(name))
            for name, prepare in zip(self._plan.names, self._plan.prepares, strict=True)
        ]

    def add(self, template: Template, *own: Any) -> None:
        row = template.copy()
        for place, value in zip(self._own, own, strict=True):
            row[place] = value
        self._rows.append(row)

    def write(self) -> int:
        """Insert what was added; how many. Raises IntegrityError for a duplicate."""
        rows, self._rows = self._rows, []
        if rows:
            with connections[self._alias].cursor() as cursor:
                cursor.executemany(self._plan.statement, rows)
        return len(rows)


def _assert_own(model: type[models.Model], tenant_id: int | None) -> None:
    scope = require_scope(f"write to {model._meta.label}")
    if tenant_id is None:
        raise ScopeError(f"{model._meta.label} has no tenant")
    if not scope.is_all and tenant_id != scope.tenant_id:
        raise ScopeError(f"{model._meta.label} belongs to another tenant")
