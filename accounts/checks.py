"""System checks: tenant tables stay behind their manager, sealed texts keep their keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models


def check_tenant_model(model: type[models.Model]) -> Iterator[checks.CheckMessage]:
    """What would open a way around the tenant filter, found when the project starts."""
    from accounts.tenancy import TenantManager

    for manager in {*model._meta.managers, model._base_manager, model._default_manager}:
        if not isinstance(manager, TenantManager):
            message = f"The manager {manager.name!r} of a tenant's table is not a TenantManager."
            yield checks.Error(message, obj=model, id="accounts.E001")
    if model._meta.parents and not model._meta.proxy:
        message = "A tenant's table cannot use multi-table inheritance."
        yield checks.Error(message, obj=model, id="accounts.E002")
    yield from _check_foreign_keys(model)
    yield from _check_many_to_many(model)


@checks.register(checks.Tags.database)
def check_field_keys(databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """With `check --database default`: every stored text has its key in FIELD_KEYS."""
    from accounts.keyring import key_ids
    from accounts.rotation import count_by_key, sealed_fields

    if "default" not in (databases or ()):
        return []
    tables = set(connection.introspection.table_names())
    found: list[checks.CheckMessage] = []
    for model, field in sealed_fields():
        if model._meta.db_table not in tables:
            continue
        for key_id in sorted(set(count_by_key(model, field)) - set(key_ids())):
            message = f"{model._meta.label}.{field.name} holds texts under the absent key {key_id}."
            hint = "Put the key back into FIELD_KEYS, run rotate_field_keys, then remove it."
            found.append(checks.Error(message, hint=hint, id="accounts.E011"))
    return found


@checks.register(checks.Tags.security)
def check_key_ring(**kwargs: Any) -> list[checks.CheckMessage]:
    """FIELD_KEYS can be read."""
    from accounts.keyring import key_ids

    try:
        key_ids()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="accounts.E012")]
    return []


def _check_foreign_keys(model: type[models.Model]) -> Iterator[checks.CheckMessage]:
    from accounts.tenancy import TenantModel

    for field in model._meta.local_fields:
        parent: Any = field.related_model
        if not isinstance(field, models.ForeignKey) or issubclass(parent, TenantModel):
            continue
        if not field.remote_field.hidden:
            message = "A foreign key from a tenant's table to a global one needs related_name='+'."
            hint = "Otherwise queries of the global table could join other tenants' rows."
            yield checks.Error(message, hint=hint, obj=field, id="accounts.E003")


def _check_many_to_many(model: type[models.Model]) -> Iterator[checks.CheckMessage]:
    from accounts.tenancy import TenantModel

    for link in model._meta.local_many_to_many:
        through: Any = link.remote_field.through
        if not issubclass(through, TenantModel):
            message = "A many-to-many relation of a tenant's table needs a TenantModel between."
            yield checks.Error(message, obj=link, id="accounts.E004")
