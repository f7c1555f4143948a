"""A row as label and value, for the pages of those who may only read it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts import display
from accounts.fields import EncryptedTextField
from accounts.structures import readable


def facts(row: models.Model) -> list[tuple[str, Any]]:
    """Every column that has a name for people. Secrets, hashes and claims have none."""
    return [
        (capfirst(str(field.verbose_name)), shown(row, field))
        for field in row._meta.concrete_fields
        if _is_for_people(field)
    ]


def shown(row: models.Model, field: Any) -> Any:
    """One value in the product's way of writing it."""
    value = getattr(row, field.attname)
    if value is None or value == "":
        return display.DASH
    if isinstance(field, models.ForeignKey):
        return _link(row, field, value)
    if field.choices:
        return getattr(row, f"get_{field.name}_display")()
    if isinstance(value, (dict, list)):
        return readable(value, row._meta.label_lower)
    return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case bool():
            return _("Yes") if value else _("No")
        case Decimal():
            return display.figure(value)
        case datetime():
            return display.exact_time(value)
    return value


def _link(row: models.Model, field: Any, key: Any) -> Any:
    target = field.related_model._meta
    label = f"{target.app_label}_{target.model_name}"
    return display.link_to(label, key, getattr(row, field.name))


def _is_for_people(field: Any) -> bool:
    if isinstance(field, EncryptedTextField) or field.name in {"tenant", "password"}:
        return False
    named = getattr(field, "_verbose_name", None) is not None
    return named or (field.primary_key and isinstance(field, models.UUIDField))
