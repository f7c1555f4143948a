"""The diary and the outbox: `record` writes both in the transaction of the change."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from django.db import connection, models, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.bulk import insert_many
from accounts.enums import AuditLevel
from accounts.events import audit_recorded
from accounts.models import AuditEntry, AuditPending, Tenant, User
from accounts.redaction import without_secrets
from accounts.scope import all_tenants, current_tenant_id


class NotInTransactionError(RuntimeError):
    """A diary entry outside the transaction of its change could lie."""


class _Here:
    """Marks "the desk of the object, else of the open scope"; None means the installation."""


HERE: Final = _Here()


@dataclass(frozen=True, kw_only=True)
class Note:
    """One entry to be written; see `record` for the fields."""

    action: str
    obj: models.Model | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    level: AuditLevel = AuditLevel.INFO
    reason: str = ""
    actor: User | None = None
    tenant: Tenant | int | _Here | None = field(default=HERE)


@dataclass(frozen=True)
class Origin:
    """Who acts, through what, and in answer to which request."""

    actor: User | None = None
    label: str = ""
    request_id: str = ""
    via: str = ""


_origin: Final[ContextVar[Origin]] = ContextVar("audit_origin", default=Origin())  # noqa: B039 (frozen)


def record(  # noqa: PLR0913 (what a diary line consists of)
    *,
    action: str,
    obj: models.Model | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    level: AuditLevel = AuditLevel.INFO,
    reason: str = "",
    actor: User | None = None,
    tenant: Tenant | int | _Here | None = HERE,
) -> AuditEntry:
    """Write one entry and its outbox row. Raises outside a transaction.

    Without `tenant` the entry belongs to the object's desk, else to the open scope's, else to
    the installation; `tenant=None` says the installation. Without `actor` it is the person of
    the current request. Values under secret-sounding names are replaced.
    """
    note = Note(
        action=action,
        obj=obj,
        before=before,
        after=after,
        level=level,
        reason=reason,
        actor=actor,
        tenant=tenant,
    )
    return record_many([note])[0]


def record_many(notes: Iterable[Note]) -> list[AuditEntry]:
    """Write several entries, in two statements however many they are."""
    if not connection.in_atomic_block:
        raise NotInTransactionError("audit.record needs the transaction of the change it describes")
    entries = [_entry(note) for note in notes]
    if not entries:
        return []
    with all_tenants("the diary names each entry's desk itself"):
        insert_many(entries)
    insert_many([AuditPending(entry_id=entry.pk) for entry in entries])
    ids = [str(entry.pk) for entry in entries]
    transaction.on_commit(partial(audit_recorded.send_robust, AuditEntry, entry_ids=ids))
    return entries


@contextmanager
def acting(
    *, actor: User | None = None, label: str = "", request_id: str = "", via: str = ""
) -> Iterator[None]:
    """Name who acts in this block: a request's user, or a job ("reconcile").

    `via` names the program that acts for the user: the diary tells the two apart.
    """
    token = _origin.set(Origin(actor, label, request_id, via))
    try:
        yield
    finally:
        _origin.reset(token)


def current_request_id() -> str:
    return _origin.get().request_id


def _entry(note: Note) -> AuditEntry:
    origin = _origin.get()
    actor = note.actor or origin.actor
    return AuditEntry(
        tenant_id=_tenant_id(note),
        action=note.action,
        level=note.level,
        actor=actor,
        actor_label=_done_by(actor, origin)[:200],
        object_type="" if note.obj is None else note.obj._meta.label_lower,
        object_id="" if note.obj is None else str(note.obj.pk),
        object_label="" if note.obj is None else str(note.obj)[:200],
        before=without_secrets(note.before or {}),
        after=without_secrets(note.after or {}),
        reason=note.reason,
        request_id=origin.request_id,
    )


def _done_by(actor: User | None, origin: Origin) -> str:
    name = str(actor) if actor else origin.label or "system"
    return f"{name} ({origin.via})" if origin.via else name


def _tenant_id(note: Note) -> int | None:
    if isinstance(note.tenant, Tenant):
        return note.tenant.pk
    if not isinstance(note.tenant, _Here):
        return note.tenant
    if isinstance(note.obj, Tenant):
        return note.obj.pk
    if note.obj is not None and hasattr(note.obj, "tenant_id"):
        tenant_id: int | None = note.obj.tenant_id
        return tenant_id
    return current_tenant_id()


_SANE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


class AuditMiddleware:
    """Name the request and its user to the diary; answer with the request's id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = getattr(request, "request_id", None) or _request_id(request)
        request.request_id = request_id  # type: ignore[attr-defined]
        user = getattr(request, "user", None)
        actor = user if isinstance(user, User) else None
        with acting(actor=actor, label="anonymous", request_id=request_id):
            response = self.get_response(request)
        response.headers.setdefault("X-Request-ID", request_id)
        return response


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if _SANE_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
