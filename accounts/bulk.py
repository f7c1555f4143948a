"""Inserting many rows as one `executemany`, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, models, router

from accounts.ownership import claim_rows
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
    connection = connections[alias]
    fields = [field for field in model._meta.local_concrete_fields if not field.generated]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608
    rows = [_values(obj, fields, connection) for obj in objs]
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
    for obj in objs:
        obj._state.adding = False
        obj._state.db = alias
    return len(rows)


def _values(obj: models.Model, fields: Sequence[Any], connection: Any) -> list[Any]:
    if obj.pk is None:
        raise ValueError(f"insert_many needs a {obj._meta.label} with its key made already")
    return [field.get_db_prep_save(field.pre_save(obj, True), connection) for field in fields]
