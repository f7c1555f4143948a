"""Which tenant the running code works for: one context variable, closed by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from accounts.models import Tenant


class ScopeError(RuntimeError):
    """Tenant data was touched with no scope open, or with the wrong one."""


@dataclass(frozen=True)
class Scope:
    """One tenant, or all of them (`tenant_id` None) for a stated reason."""

    tenant_id: int | None
    reason: str = ""

    @property
    def is_all(self) -> bool:
        return self.tenant_id is None

    def same_rows(self, other: Scope) -> bool:
        return self.tenant_id == other.tenant_id


_scope: Final[ContextVar[Scope | None]] = ContextVar("tenant_scope", default=None)


@contextmanager
def tenant_scope(tenant: Tenant | int) -> Iterator[None]:
    """Work for one tenant. Refuses None and unsaved tenants; restores the outer scope."""
    tenant_id = tenant if isinstance(tenant, int) else getattr(tenant, "pk", None)
    if not isinstance(tenant_id, int) or isinstance(tenant_id, bool):
        raise ScopeError(f"tenant_scope needs a saved tenant, not {tenant!r}")
    token = _scope.set(Scope(tenant_id))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def all_tenants(reason: str) -> Iterator[None]:
    """Work over every tenant. Only for jobs that cannot be done otherwise; say why."""
    if not reason.strip():
        raise ScopeError("all_tenants needs a reason")
    token = _scope.set(Scope(None, reason))
    try:
        yield
    finally:
        _scope.reset(token)


def current_scope() -> Scope | None:
    return _scope.get()


def require_scope(what: str) -> Scope:
    scope = _scope.get()
    if scope is None:
        raise ScopeError(f"no tenant scope is open: {what}")
    return scope


def current_tenant_id() -> int | None:
    """The tenant worked for, or None with no scope and under `all_tenants`."""
    scope = _scope.get()
    return None if scope is None else scope.tenant_id


def is_all_tenants() -> bool:
    scope = _scope.get()
    return scope is not None and scope.is_all
