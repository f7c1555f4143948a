"""Row tenancy that fails closed: no scope, no SQL; one tenant's scope, that tenant's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from django.core import checks
from django.db import models
from django.db.models import sql
from django.http import HttpRequest
from django.http.response import HttpResponseBase, StreamingHttpResponse

from accounts.ownership import assert_own, assert_values, claim_rows
from accounts.queries import ScopedQuery
from accounts.scope import (
    Scope,
    ScopeError,
    all_tenants,
    current_scope,
    current_tenant_id,
    is_all_tenants,
    require_scope,
    tenant_scope,
)

__all__ = [
    "AppendOnlyError",
    "PartitionedTenantModel",
    "Scope",
    "ScopeError",
    "SystemTenantManager",
    "SystemTenantModel",
    "TenantManager",
    "TenantModel",
    "TenantQuerySet",
    "TenantScopeMiddleware",
    "all_tenants",
    "current_scope",
    "current_tenant_id",
    "is_all_tenants",
    "require_scope",
    "tenant_scope",
]

_M = TypeVar("_M", bound=models.Model)


class AppendOnlyError(RuntimeError):
    """A row that is only ever added was about to be changed or deleted."""


class TenantQuerySet(models.QuerySet[_M]):
    """Closed with no scope open; within one, other tenants' rows do not exist."""

    def __init__(
        self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None
    ) -> None:
        query = ScopedQuery(model) if query is None else _scoped(query)
        super().__init__(model, query, using, hints)
        self._fetched_in: Scope | None = None

    @property
    def query(self) -> Any:
        return models.QuerySet.query.fget(self)  # type: ignore[attr-defined]

    @query.setter
    def query(self, value: Any) -> None:
        models.QuerySet.query.fset(self, _scoped(value))  # type: ignore[attr-defined]

    def raw(self, raw_query: Any, *args: Any, **kwargs: Any) -> Any:
        """Only under `all_tenants`: hand-written SQL cannot be narrowed to one tenant."""
        if not require_scope(f"raw() on {self._label()}").is_all:
            raise ScopeError(f"raw() on {self._label()} would read every tenant")
        return super().raw(raw_query, *args, **kwargs)

    def bulk_create(
        self,
        objs: Iterable[_M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> list[_M]:
        """Without `update_conflicts`: the row it overwrites could be another tenant's."""
        require_scope(f"bulk_create() on {self._label()}")
        if update_conflicts:
            raise ScopeError("bulk_create(update_conflicts=True) could overwrite a foreign row")
        objs = list(objs)
        claim_rows(objs)
        return super().bulk_create(objs, batch_size, ignore_conflicts, False, *args, **kwargs)

    def bulk_update(
        self, objs: Iterable[_M], fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> int:
        require_scope(f"bulk_update() on {self._label()}")
        objs, names = list(objs), list(fields)
        claim_rows(objs, names)
        return super().bulk_update(objs, names, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        scope = require_scope(f"update() on {self._label()}")
        self._refuse_change()
        assert_values(self.model, kwargs, scope)
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        require_scope(f"delete() on {self._label()}")
        self._refuse_change()
        return super().delete()

    # Django copies these two markers with its own methods; managers must not offer delete().
    update.alters_data = True  # type: ignore[attr-defined]
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def _raw_delete(self, using: str | None) -> int:
        self._refuse_change()
        query = self.query.chain(sql.DeleteQuery)
        return int(query.get_compiler(using).execute_sql("row count"))

    def _update(self, values: Any) -> int:
        self._refuse_change()
        return int(super()._update(values))  # type: ignore[misc]

    def _insert(self, objs: Any, fields: Any, **kwargs: Any) -> Any:
        scope = require_scope(f"insert into {self._label()}")
        for obj in objs:
            assert_own(obj, scope)
        return super()._insert(objs, fields, **kwargs)  # type: ignore[misc]

    _insert.queryset_only = False  # type: ignore[attr-defined]
    _update.queryset_only = False  # type: ignore[attr-defined]

    def _fetch_all(self) -> None:
        if self._result_cache:
            scope = self.query.checked_scope()
            if self._fetched_in is not None and not self._fetched_in.same_rows(scope):
                raise ScopeError(f"rows of {self._label()} were read in another tenant's scope")
        self._fetched_in = current_scope()
        super()._fetch_all()

    def _refuse_change(self) -> None:
        if self.model.append_only:  # type: ignore[attr-defined]
            raise AppendOnlyError(f"{self._label()} is append-only")

    def _label(self) -> str:
        return str(self.model._meta.label)


def _scoped(query: Any) -> Any:
    if not isinstance(query, ScopedQuery):
        raise ScopeError("a plain query would read every tenant")
    return query


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """The only kind of manager a tenant's table may have."""


class SystemTenantManager(TenantManager):
    """The same; the model decides, by `reads_system_rows`, that system rows are read too."""


class TenantModel(models.Model):
    """A row that belongs to one tenant, as do all rows it points to."""

    reads_system_rows: ClassVar[bool] = False
    append_only: ClassVar[bool] = False

    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.PROTECT, editable=False, related_name="+"
    )

    objects = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Fill in the tenant and refuse a row, or parents, of another. The one override of save."""
        update_fields = kwargs.get("update_fields")
        if self.append_only and not self._state.adding:
            raise AppendOnlyError(f"{self._meta.label} is append-only")
        claim_rows([self], update_fields)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        scope = require_scope(f"delete() of a {self._meta.label}")
        if self.append_only:
            raise AppendOnlyError(f"{self._meta.label} is append-only")
        assert_own(self, scope)
        if not type(self)._base_manager.filter(pk=self.pk).exists():
            raise ScopeError(f"{self._meta.label} {self.pk} is not in this scope")
        return super().delete(*args, **kwargs)

    @classmethod
    def check(cls, **kwargs: Any) -> list[checks.CheckMessage]:
        from accounts.checks import check_tenant_model

        return [*super().check(**kwargs), *check_tenant_model(cls)]


class SystemTenantModel(TenantModel):
    """Rows of one tenant beside system rows (tenant NULL), which every tenant may only read."""

    reads_system_rows: ClassVar[bool] = True

    tenant = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Tenant",
        on_delete=models.PROTECT,
        editable=False,
        related_name="+",
        null=True,
        blank=True,
    )

    objects = SystemTenantManager()  # type: ignore[misc]

    class Meta:
        abstract = True
        base_manager_name = "objects"


class PartitionedTenantModel(TenantModel):
    """A tenant's rows in a table partitioned by month, where MySQL allows no foreign keys.

    A table whose rows are listed by tenant has an index for that, by tenant and time.
    """

    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.PROTECT,
        editable=False,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )

    class Meta:
        abstract = True
        base_manager_name = "objects"


class TenantScopeMiddleware:
    """Open the scope of the signed-in user's desk for the whole request, rendering included.

    Sets `request.tenant`, `request.membership` and `request.role` (each may be None).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        from accounts.entry import admit

        entry = admit(request)
        if entry.tenant is None:
            return self.get_response(request)
        with tenant_scope(entry.tenant):
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse) and not response.is_async:
            chunks: Any = response.streaming_content
            response.streaming_content = _in_scope(chunks, entry.tenant.pk)
        return response


def _in_scope(chunks: Iterable[bytes], tenant_id: int) -> Iterator[bytes]:
    """Produce each chunk inside the scope, without leaving it open between chunks."""
    iterator = iter(chunks)
    while True:
        with tenant_scope(tenant_id):
            chunk = next(iterator, None)
        if chunk is None:
            return
        yield chunk
