"""Inserting many rows as one `executemany`, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from operator import is_, itemgetter
from typing import Any

from django.db import connections, models, router
from django.db.models.fields import NOT_PROVIDED

from accounts.ownership import claim_rows
from accounts.prepared import Prepare, makes_own_value, prepare_for
from accounts.tenancy import TenantModel


def insert_many(objs: Sequence[models.Model], *, using: str | None = None) -> int:
    """Insert rows of one model whose keys are made already; return how many were written.

    One statement to the driver where `bulk_create` splits by parameters. Tenants are filled in
    and checked as in `save()`, sealed fields are sealed. Raises IntegrityError for a duplicate,
    having written nothing if in a transaction.
    """
    if not objs:
        return 0
    model = type(objs[0])
    if issubclass(model, TenantModel):
        claim_rows(objs, loaded_only=True)
    alias = using or router.db_for_write(model)
    plan = insert_plan(model, alias)
    rows = plan.rows(objs)
    with connections[alias].cursor() as cursor:
        cursor.executemany(plan.statement, rows)
    for obj in objs:
        obj._state.adding = False
        obj._state.db = alias
    return len(rows)


@cache
def defaults_of(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """The default of every column, and what makes those that are new for every row."""
    fields = model._meta.local_concrete_fields
    made = [f for f in fields if callable(f.default) and f.default is not NOT_PROVIDED]
    constants = {f.attname: f.get_default() for f in fields if f not in made}
    return constants, [(f.attname, f.get_default) for f in made]


@dataclass(frozen=True, slots=True)
class InsertPlan:
    """How rows of one model are inserted: the statement, and what makes each column's value."""

    statement: str
    names: tuple[str, ...]
    items: Callable[[dict[str, Any]], tuple[Any, ...]]
    prepares: tuple[Prepare, ...]
    own: tuple[tuple[int, Any], ...]
    key: int
    label: str

    def rows(self, objs: Sequence[models.Model]) -> list[tuple[Any, ...]]:
        """Column by column: most columns of a batch are the same all the way down."""
        columns = list(zip(*map(self._raw, objs), strict=True))
        for place, field in self.own:
            columns[place] = tuple(field.pre_save(obj, True) for obj in objs)
        if None in columns[self.key]:
            raise ValueError(f"insert_many needs a {self.label} with its key made already")
        return list(zip(*map(_prepared, self.prepares, columns), strict=True))

    def _raw(self, obj: models.Model) -> tuple[Any, ...]:
        try:
            return self.items(obj.__dict__)
        except KeyError:  # a column that was not loaded
            return tuple(getattr(obj, name) for name in self.names)


def _prepared(prepare: Prepare, values: tuple[Any, ...]) -> Iterable[Any]:
    first = values[0]
    if all(map(is_, values, repeat(first))):
        return repeat(prepare(first), len(values))
    return map(prepare, values)


@cache
def insert_plan(model: type[models.Model], alias: str) -> InsertPlan:
    """How rows of this model are inserted into this database."""
    connection = connections[alias]
    fields = [field for field in model._meta.local_concrete_fields if not field.generated]
    names = tuple(field.attname for field in fields)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return InsertPlan(
        statement=f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})",  # noqa: S608
        names=names,
        items=itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],),
        prepares=tuple(prepare_for(field, connection) for field in fields),
        own=tuple((i, f) for i, f in enumerate(fields) if makes_own_value(f)),
        key=next(i for i, field in enumerate(fields) if field.primary_key),
        label=model._meta.label,
    )
