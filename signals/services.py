"""What is done to sources: made, given new secrets, switched off and on."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.enums import AuditLevel
from accounts.fields import hash_identity
from accounts.tenancy import current_tenant_id, tenant_scope
from customers.enums import Market
from signals.enums import ApprovalRule, Dialect, SourceKind, SourceStatus
from signals.models import SignalSource

if TYPE_CHECKING:
    from accounts.models import Tenant, User

MANUAL_SOURCE = "Manual trades"
SYSTEM_SOURCE = "System"
# 256 bits each, as text that survives being pasted anywhere.
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewSecrets:
    """Shown once, to the person who asked. `token` makes the address /hooks/t/<token>/."""

    source: SignalSource
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of a source waits for approval, and how long its openings do at most."""

    rule: ApprovalRule = ApprovalRule.NONE
    seconds: int = 300


@transaction.atomic
def create_source(  # noqa: PLR0913 - the fields of a form
    *,
    name: str,
    market: Market,
    actor: User | None,
    dialect: Dialect = Dialect.COPYDESK,
    with_token: bool = False,
    rate_per_second: int | None = None,
    waiting: Waiting = Waiting(),
) -> NewSecrets:
    """Add a webhook source to the desk whose scope is open. Its secrets cannot be read again."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    token = secrets.token_urlsafe(SECRET_BYTES) if with_token else None
    source = SignalSource(  # type: ignore[misc] # no desk at hand: full_clean refuses
        tenant_id=current_tenant_id(),
        name=name.strip(),
        kind=SourceKind.WEBHOOK,
        dialect=dialect,
        market=market,
        secret=secret,
        token_hash=None if token is None else hash_identity(token),
        rate_per_second=rate_per_second or settings.WEBHOOK_RATE_PER_SECOND,
        approval=waiting.rule,
        approval_seconds=waiting.seconds,
    )
    source.full_clean()
    source.save()
    after = {"name": source.name, "market": source.market, "has_address": with_token}
    audit.record(action="source.created", obj=source, after=after, actor=actor)
    return NewSecrets(source, secret, token)


@transaction.atomic
def create_api_source(
    *,
    name: str,
    market: Market,
    actor: User | None,
    rate_per_second: int | None = None,
    waiting: Waiting = Waiting(),
) -> SignalSource:
    """Add a source for programs with a token of the scope `signals:write`. It has no secret."""
    source = SignalSource(  # type: ignore[misc] # no desk at hand: full_clean refuses
        tenant_id=current_tenant_id(),
        name=name.strip(),
        kind=SourceKind.API,
        market=market,
        rate_per_second=rate_per_second or settings.WEBHOOK_RATE_PER_SECOND,
        approval=waiting.rule,
        approval_seconds=waiting.seconds,
    )
    source.full_clean()
    source.save()
    after = {"name": source.name, "market": source.market, "kind": source.kind}
    audit.record(action="source.created", obj=source, after=after, actor=actor)
    return source


@transaction.atomic
def rotate_source_secret(*, source: SignalSource, actor: User | None) -> NewSecrets:
    """Give a source a new secret. The old one is accepted too until it is cleared."""
    source = SignalSource.objects.select_for_update().get(pk=source.pk)
    if source.kind != SourceKind.WEBHOOK:
        raise ValidationError(_("Only webhook sources have a secret."))
    source.previous_secret = source.secret.reveal() if source.secret else ""
    source.secret = secret = secrets.token_urlsafe(SECRET_BYTES)
    source.save(update_fields=["secret", "previous_secret", "updated_at"])
    audit.record(action="source.secret_rotated", obj=source, level=AuditLevel.NOTICE, actor=actor)
    return NewSecrets(source, secret)


@transaction.atomic
def clear_previous_secret(*, source: SignalSource, actor: User | None) -> SignalSource:
    """End the time in which two secrets are accepted."""
    source = SignalSource.objects.select_for_update().get(pk=source.pk)
    source.previous_secret = ""
    source.save(update_fields=["previous_secret", "updated_at"])
    audit.record(
        action="source.previous_secret_cleared", obj=source, level=AuditLevel.NOTICE, actor=actor
    )
    return source


@transaction.atomic
def rotate_source_token(*, source: SignalSource, actor: User | None) -> str:
    """Give a source a new address /hooks/t/<token>/. The old one is dead at once."""
    source = SignalSource.objects.select_for_update().get(pk=source.pk)
    if source.kind != SourceKind.WEBHOOK:
        raise ValidationError(_("Only webhook sources have an address."))
    token = secrets.token_urlsafe(SECRET_BYTES)
    source.token_hash = hash_identity(token)
    source.save(update_fields=["token_hash", "updated_at"])
    audit.record(action="source.token_rotated", obj=source, level=AuditLevel.NOTICE, actor=actor)
    return token


@transaction.atomic
def set_source_status(
    *, source: SignalSource, status: SourceStatus, actor: User | None, reason: str = ""
) -> SignalSource:
    """Enable or disable a source. Repeating it changes nothing and writes nothing."""
    source = SignalSource.objects.select_for_update().get(pk=source.pk)
    before = source.status
    if before == status:
        return source
    source.status = status
    source.save(update_fields=["status", "updated_at"])
    audit.record(
        action=f"source.{SourceStatus(status).value}",
        obj=source,
        before={"status": before},
        after={"status": status},
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=actor,
    )
    return source


def manual_source(tenant: Tenant) -> SignalSource:
    """The source of what the desk's people enter by hand."""
    return _built_in(tenant, MANUAL_SOURCE, SourceKind.MANUAL)


def system_source(tenant: Tenant) -> SignalSource:
    """The source of what the product itself must trade: repairs and flattening."""
    return _built_in(tenant, SYSTEM_SOURCE, SourceKind.SYSTEM)


def ensure_builtin_sources(tenant: Tenant) -> None:
    """May be repeated; called when a desk was opened."""
    manual_source(tenant)
    system_source(tenant)


def _built_in(tenant: Tenant, name: str, kind: SourceKind) -> SignalSource:
    # The market is a formality: these signals take the market of their account.
    with tenant_scope(tenant):
        source: SignalSource
        source, _created = SignalSource.objects.get_or_create(
            tenant=tenant,
            name=name,
            defaults={"kind": kind, "market": settings.DEFAULT_MARKET},
        )
    return source
