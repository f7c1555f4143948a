"""Values as a database takes them, prepared once per column instead of once per value.

Django's own way asks a field several questions for every value, which is most of the cost of
writing thousands of rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from django.db import models

from accounts.fields import ExactDecimalField, UUID7Field

Prepare = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = (models.CharField, models.TextField, models.EmailField, models.SlugField)
_NUMBERS = (
    models.IntegerField,
    models.BigIntegerField,
    models.SmallIntegerField,
    models.PositiveIntegerField,
    models.PositiveBigIntegerField,
    models.PositiveSmallIntegerField,
    models.AutoField,
    models.BigAutoField,
)


def prepare_for(field: Any, connection: Any) -> Prepare:
    """What makes a value of this field one that the driver takes. UUIDs become 32 hex digits."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    kind = type(field)
    if kind in _TEXT:
        return _text
    if kind in _NUMBERS:
        return _number
    if kind in (models.UUIDField, UUID7Field):
        return _hex
    if kind is models.DateTimeField:
        return partial(_moment, lru_cache(1024)(partial(_by_field, field, connection)))
    if kind is ExactDecimalField:
        return lru_cache(4096)(partial(_by_field, field, connection))
    return partial(_by_field, field, connection)


def _by_field(field: Any, connection: Any, value: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def _moment(prepare: Prepare, value: Any) -> Any:
    """Times of our own are in UTC, as the databases keep them: the text needs no conversion."""
    if type(value) is datetime and value.tzinfo is UTC:
        since = value - _EPOCH
        text = _second(since.days, since.seconds)
        return f"{text}.{since.microseconds:06}" if since.microseconds else text
    return prepare(value)


@lru_cache(64)
def _second(days: int, seconds: int) -> str:
    """Moments of one batch lie close together, and to write one out is slow."""
    return (_EPOCH + timedelta(days, seconds)).isoformat(" ")[:-6]


def _text(value: Any) -> Any:
    return value if value is None or type(value) is str else str(value)


def _number(value: Any) -> Any:
    return value if value is None or type(value) is int else int(value)


def _hex(value: Any) -> Any:
    if value is None:
        return None
    return value.hex if isinstance(value, uuid.UUID) else uuid.UUID(str(value)).hex


def makes_own_value(field: Any) -> bool:
    """Does the field make or change its value when its row is saved?"""
    if isinstance(field, models.DateField):
        return bool(field.auto_now or field.auto_now_add)
    return bool(type(field).pre_save is not models.Field.pre_save)
