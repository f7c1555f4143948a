"""System checks: tenant tables stay behind their manager, sealed texts keep their keys."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks
from django.db import models


def check_tenant_model(model: type[models.Model]) -> Iterator[checks.CheckMessage]:
    """What would open a way around the tenant filter, found when the project starts."""
    from accounts.tenancy import TenantManager, TenantModel

    for manager in {*model._meta.managers, model._base_manager, model._default_manager}:
        if not isinstance(manager, TenantManager):
            message = f"The manager {manager.name!r} of a tenant's table is not a TenantManager."
            yield checks.Error(message, obj=model, id="accounts.E001")
    if model._meta.parents and not model._meta.proxy:
        message = "A tenant's table cannot use multi-table inheritance."
        yield checks.Error(message, obj=model, id="accounts.E002")
    for field in model._meta.local_fields:
        if not isinstance(field, models.ForeignKey) or issubclass(field.related_model, TenantModel):
            continue
        if not field.remote_field.hidden:
            message = "A foreign key from a tenant's table to a global one needs related_name='+'."
            hint = "Otherwise queries of the global table could join other tenants' rows."
            yield checks.Error(message, hint=hint, obj=field, id="accounts.E003")
