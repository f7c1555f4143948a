"""The rule that a row, and every row it points to, belongs to the tenant worked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.db import models
from django.db.models import Case
from django.db.models.functions import Cast

from accounts.scope import Scope, ScopeError, require_scope


def claim_rows(
    objs: Sequence[models.Model],
    fields: Collection[str] | None = None,
    *,
    loaded_only: bool = False,
) -> None:
    """Give new rows the scope's tenant; raise unless they and their parents belong to it.

    Parents not yet loaded cost one query per foreign key, not per row; `loaded_only` trusts
    them instead.
    """
    if not objs:
        return
    scope = require_scope(f"write to {objs[0]._meta.label}")
    for obj in objs:
        if obj._state.adding and obj.tenant_id is None and not scope.is_all:  # type: ignore[attr-defined]
            obj.tenant_id = scope.tenant_id  # type: ignore[attr-defined]
        assert_own(obj, scope)
    if loaded_only and not any("fields_cache" in obj._state.__dict__ for obj in objs):
        return  # no parent is loaded
    for field in _parent_fields(type(objs[0])):
        if fields is None or field.name in fields or field.attname in fields:
            _assert_parents(objs, field, loaded_only)


def assert_own(obj: Any, scope: Scope) -> None:
    if obj.tenant_id is None and not type(obj)._meta.get_field("tenant").null:
        raise ScopeError(f"{obj._meta.label} has no tenant")
    if not scope.is_all and obj.tenant_id != scope.tenant_id:
        raise ScopeError(f"{obj._meta.label} belongs to another tenant")


def _parent_fields(model: type[models.Model]) -> Iterator[Any]:
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and hasattr(
            field.related_model, "reads_system_rows"
        ):
            yield field


def _assert_parents(objs: Sequence[Any], field: Any, loaded_only: bool) -> None:
    unseen: dict[Any, set[Any]] = {}
    for obj in objs:
        if field.is_cached(obj):
            parent = field.get_cached_value(obj)
            if parent is not None:
                _assert_same_tenant(obj, field, parent.tenant_id)
        elif getattr(obj, field.attname) is not None:
            unseen.setdefault(getattr(obj, field.attname), set()).add(obj.tenant_id)
    if unseen and not loaded_only:
        _assert_unseen_parents(field, unseen)


def _assert_unseen_parents(field: Any, unseen: dict[Any, set[Any]]) -> None:
    target = field.target_field.attname
    parents = field.related_model._base_manager.filter(**{f"{target}__in": list(unseen)})
    tenants = dict(parents.order_by().values_list(target, "tenant_id"))
    for value, expected in unseen.items():
        key = field.target_field.to_python(value)
        if key not in tenants or (expected != {tenants[key]} and tenants[key] is not None):
            raise ScopeError(f"{field} points to another tenant's row")


def _assert_same_tenant(obj: Any, field: Any, tenant_id: int | None) -> None:
    system_parent = tenant_id is None and field.related_model.reads_system_rows
    if tenant_id != obj.tenant_id and not system_parent:
        raise ScopeError(f"{field} points to another tenant's row")


def assert_values(model: type[models.Model], values: dict[str, Any], scope: Scope) -> None:
    """Refuse an update() that would move rows, or point them, to another tenant."""
    if scope.is_all:
        return
    parents = set(_parent_fields(model))
    for name, value in values.items():
        field: Any = model._meta.get_field(name)
        if field.name == "tenant" and _key(value, field) != scope.tenant_id:
            raise ScopeError("update() cannot move a row to another tenant")
        # Case is what bulk_update makes of rows it has checked already.
        if field not in parents or value is None or isinstance(value, (Case, Cast)):
            continue
        if hasattr(value, "resolve_expression"):
            raise ScopeError(f"update() cannot compute {field}: its tenant is not known")
        _assert_unseen_parents(field, {_key(value, field): {scope.tenant_id}})


def _key(value: Any, field: Any) -> Any:
    if isinstance(value, models.Model):
        return getattr(value, field.target_field.attname)
    return value
