"""Opening desks and letting people into them."""

from __future__ import annotations

from functools import partial

from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel, Language, Role
from accounts.events import tenant_created
from accounts.models import ApiToken, Membership, Tenant, User
from accounts.scope import tenant_scope
from accounts.tokens import revoke_token


@transaction.atomic
def create_tenant(*, name: str, slug: str, timezone: str = "UTC", day_starts_at: int = 0) -> Tenant:
    """Open a desk and announce it. Raises ValidationError for a taken or malformed slug."""
    tenant = Tenant(name=name, slug=slug, timezone=timezone, day_starts_at=day_starts_at)
    tenant.full_clean()
    tenant.save()
    audit.record(
        action="tenant.created",
        obj=tenant,
        after={"name": name, "slug": slug, "timezone": timezone, "day_starts_at": day_starts_at},
        level=AuditLevel.NOTICE,
    )
    transaction.on_commit(partial(tenant_created.send_robust, Tenant, tenant_id=tenant.pk))
    return tenant


@transaction.atomic
def add_member(*, user: User, tenant: Tenant, role: Role) -> Membership:
    """Give a person this role in the desk; an earlier membership is changed and revived."""
    if user.is_superuser:
        raise ValueError("superusers belong to no desk")
    membership, created = Membership.objects.get_or_create(
        user=user, tenant=tenant, defaults={"role": Role(role)}
    )
    before = {} if created else {"role": membership.role, "is_active": membership.is_active}
    membership.role, membership.is_active = Role(role), True
    membership.save(update_fields=["role", "is_active"])
    audit.record(
        action="membership.granted",
        obj=membership,
        before=before,
        after={"user": str(user), "role": membership.role, "is_active": True},
        level=AuditLevel.NOTICE,
    )
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, reason: str = "") -> Membership:
    """Close this way in at once, for the member's tokens for good. Repeating it changes nothing."""
    if not Membership.objects.filter(pk=membership.pk, is_active=True).update(is_active=False):
        return membership
    membership.is_active = False
    with tenant_scope(membership.tenant_id):
        for token in ApiToken.objects.filter(user=membership.user, revoked_at__isnull=True):
            revoke_token(token=token, actor=None, reason=reason)
    audit.record(
        action="membership.revoked",
        obj=membership,
        before={"is_active": True},
        after={"is_active": False},
        reason=reason,
        level=AuditLevel.NOTICE,
    )
    return membership


@transaction.atomic
def choose_language(*, user: User, language: Language) -> User:
    """Show this person every page in this language. Repeating it changes nothing."""
    before = user.language
    if not User.objects.filter(pk=user.pk).exclude(language=language).update(language=language):
        return user
    user.language = language
    audit.record(
        action="user.language_chosen",
        obj=user,
        before={"language": before},
        after={"language": language},
        actor=user,
    )
    return user
