"""Moving sealed columns to the first key of the ring, row by row and repeatably."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, models

from accounts.fields import EncryptedTextField
from accounts.keyring import SecretUnreadable, key_ids
from accounts.scope import all_tenants
from accounts.sealed import Secret, SecretMoved


@dataclass(frozen=True)
class Rotation:
    """How many texts were moved, and how many could not be read."""

    rotated: int
    failed: int


def sealed_fields() -> Iterator[tuple[type[models.Model], EncryptedTextField]]:
    """Every sealed column of the project."""
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedTextField) and not model._meta.proxy:
                yield model, field


def count_by_key(model: type[models.Model], field: EncryptedTextField) -> dict[str, int]:
    """How many texts of this column each key holds."""
    quote = connection.ops.quote_name
    column = quote(str(field.column))
    statement = (
        f"SELECT SUBSTR({column}, 1, INSTR({column}, ':') - 1), COUNT(*) "  # noqa: S608
        f"FROM {quote(model._meta.db_table)} WHERE LENGTH({column}) > 0 GROUP BY 1"
    )
    counts: Counter[str] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        for key_id, count in cursor.fetchall():
            counts[key_id if isinstance(key_id, str) else bytes(key_id).decode()] += count
    return dict(counts)


def rotate(model: type[models.Model], field: EncryptedTextField, *, batch_size: int) -> Rotation:
    """Re-encrypt this column's texts under the first key; those already there are passed over."""
    rotated = failed = 0
    with all_tenants("rotate field keys"):
        for batch in _batches(model, field, batch_size):
            for row in batch:
                try:
                    rotated += _rotate_row(row, field)
                except (SecretUnreadable, SecretMoved):
                    failed += 1
    return Rotation(rotated, failed)


def _batches(
    model: type[models.Model], field: EncryptedTextField, batch_size: int
) -> Iterator[list[Any]]:
    last = None
    while True:
        rows = model._base_manager.exclude(**{f"{field.name}__isnull": True}).order_by("pk")
        if last is not None:
            rows = rows.filter(pk__gt=last)
        batch = list(rows[:batch_size])
        if not batch:
            return
        yield batch
        last = batch[-1].pk


def _rotate_row(row: Any, field: EncryptedTextField) -> bool:
    old = getattr(row, field.attname)
    if old is None or old.key_id == key_ids()[0]:
        return False
    text = old.reveal()
    new = Secret(plain=text).seal(field.context_of(row))
    if new.sealed is None or old.sealed is None or new.reveal() != text:
        raise SecretUnreadable("the text did not survive its re-encryption")
    return _replace(row, field, old.sealed, new.sealed)


def _replace(row: Any, field: EncryptedTextField, old: bytes, new: bytes) -> bool:
    """Conditional on the old text, so that a secret changed meanwhile is never put back."""
    quote = connection.ops.quote_name
    column, key = quote(str(field.column)), row._meta.pk
    statement = (
        f"UPDATE {quote(row._meta.db_table)} SET {column} = %s "  # noqa: S608
        f"WHERE {quote(key.column)} = %s AND {column} = %s"
    )
    binary = connection.Database.Binary  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        pk = key.get_db_prep_value(row.pk, connection)
        cursor.execute(statement, [binary(new), pk, binary(old)])
        return bool(cursor.rowcount == 1)
