"""API tokens: made and shown once, found again by their digest, revoked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.crypto import create_token_string, hash_token

from accounts import audit
from accounts.entry import active_memberships
from accounts.enums import ApiScope, AuditLevel, Role
from accounts.models import ApiToken, Membership
from accounts.roles import scopes_of
from accounts.scope import all_tenants, current_tenant_id, tenant_scope

if TYPE_CHECKING:
    from accounts.models import User

# So that a token is recognised wherever it turns up: in a log, a repository, a mail.
MARK: Final = "cpd_"
_WRITTEN: Final = re.compile(rf"{MARK}[0-9a-f]{{16,}}")
PREFIX_LETTERS: Final = len(MARK) + 8
LONGEST: Final = timedelta(days=365)
USED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewToken:
    """`text` is shown once, to the person who asked; nobody can read it again."""

    row: ApiToken
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A token that opens the door, and the membership behind it."""

    token: ApiToken
    membership: Membership
    scopes: frozenset[ApiScope]


@transaction.atomic
def create_token(
    *,
    name: str,
    user: User,
    scopes: Sequence[str],
    lifetime: timedelta,
    actor: User | None,
) -> NewToken:
    """Let a program in as this member of the desk whose scope is open.

    Raises ValidationError by field: for someone who is no member or may not use the API, for
    scopes that the member could not use by hand, and for a lifetime beyond a year.
    """
    membership = _membership(user, current_tenant_id())
    chosen = _allowed_scopes(scopes, None if membership is None else Role(membership.role))
    if not timedelta(0) < lifetime <= LONGEST:
        raise ValidationError({"lifetime": _("From a moment to a year.")})
    text = MARK + create_token_string()
    now = timezone.now()
    row = ApiToken(  # type: ignore[misc] # no desk at hand: full_clean refuses
        tenant_id=current_tenant_id(),
        name=name.strip(),
        user=user,
        scopes=chosen,
        digest=hash_token(text),
        token_prefix=text[:PREFIX_LETTERS],
        created_by=actor,
        created_at=now,
        expires_at=now + lifetime,
    )
    row.full_clean()
    row.save()
    audit.record(
        action="api_token.created",
        obj=row,
        after={"name": row.name, "user": str(user), "scopes": chosen, "expires_at": row.expires_at},
        level=AuditLevel.NOTICE,
        actor=actor,
    )
    return NewToken(row, text)


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: User | None, reason: str = "") -> ApiToken:
    """Shut this way in at once. Repeating it changes nothing and writes nothing."""
    row: ApiToken = ApiToken.objects.select_for_update().get(pk=token.pk)
    if row.revoked_at is not None:
        return row
    row.revoked_at, row.revoked_by = timezone.now(), actor
    row.save(update_fields=["revoked_at", "revoked_by"])
    audit.record(
        action="api_token.revoked",
        obj=row,
        after={"name": row.name, "user": str(row.user)},
        level=AuditLevel.NOTICE,
        reason=reason,
        actor=actor,
    )
    return row


def entry_of(text: str, now: datetime) -> TokenEntry | None:
    """What this token opens; None for one that is unknown, expired, revoked or whose member,
    role or desk may no longer enter. The answer never tells which."""
    digest = hash_token(text)
    with all_tenants("a token names its desk"):
        rows = ApiToken.objects.filter(token_prefix=text[:PREFIX_LETTERS])
        found = [
            row
            for row in rows.select_related("user", "tenant")
            if compare_digest(row.digest, digest)
        ]
    if not found or not found[0].is_live(now):
        return None
    token = found[0]
    membership = _membership(token.user, token.tenant_id)
    allowed = scopes_of(None if membership is None else Role(membership.role))
    if membership is None or not allowed:
        return None
    # A role that was taken away takes its scopes along at once.
    return TokenEntry(token, membership, allowed & {ApiScope(scope) for scope in token.scopes})


def note_use(token: ApiToken, now: datetime) -> None:
    """Remember when it was last used: to the minute, so that reading seldom writes."""
    if token.last_used_at is not None and now - token.last_used_at < USED_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
    try:
        with tenant_scope(token.tenant_id):
            ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
    except DatabaseError:
        pass  # not worth an answer of another kind


def without_tokens(text: str) -> str:
    """The text with every token in it cut off behind its mark."""
    return _WRITTEN.sub(f"{MARK}***", text)


def _membership(user: Any, tenant_id: int | None) -> Membership | None:
    if user is None or not user.is_active or user.is_superuser:
        return None
    found = (m for m in active_memberships(user) if m.tenant_id == tenant_id)
    return next(found, None)


def _allowed_scopes(scopes: Sequence[str], role: Role | None) -> list[str]:
    allowed = scopes_of(role)
    if not allowed:
        raise ValidationError({"user": _("Not a member of this desk who may use the API.")})
    known = [scope for scope in ApiScope if scope.value in scopes]
    if not known or set(scopes) - set(ApiScope.values):
        raise ValidationError({"scopes": _("Choose at least one scope.")})
    for scope in known:
        if scope not in allowed:
            told = {"scope": scope.value}
            raise ValidationError(
                {"scopes": _("%(scope)s: this member may not do that by hand either.") % told}
            )
    return [scope.value for scope in known]
