"""Who comes in, and into which desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth import logout

from accounts import sessions
from accounts.enums import Role, TenantStatus

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import Membership, Tenant, User

SESSION_KEY = "tenant_id"


@dataclass(frozen=True)
class Entry:
    """The desk a request works for, if any, and the membership that opens it."""

    tenant: Tenant | None = None
    membership: Membership | None = None

    @property
    def role(self) -> Role | None:
        return None if self.membership is None else Role(self.membership.role)


def admit(request: HttpRequest) -> Entry:
    """Find the desk of the signed-in user and hang it on the request."""
    session = getattr(request, "session", {})
    user = getattr(request, "user", None)
    entry = entry_for(user, session.get(SESSION_KEY))
    if user is not None and user.is_authenticated and session and not _stays(request, entry):
        entry = Entry()
    request.tenant = entry.tenant  # type: ignore[attr-defined]
    request.membership = entry.membership  # type: ignore[attr-defined]
    request.role = entry.role  # type: ignore[attr-defined]
    return entry


def entry_for(user: Any, chosen_tenant_id: Any = None) -> Entry:
    """The desk this user enters: the chosen one, else for members their first.

    Superusers belong to no desk and enter only the one they chose.
    """
    if user is None or not user.is_authenticated or not user.is_active:
        return Entry()
    if user.is_superuser:
        return Entry(tenant=_tenant(chosen_tenant_id))
    memberships = active_memberships(user)
    for membership in memberships:
        if membership.tenant_id == chosen_tenant_id:
            return Entry(membership.tenant, membership)
    return Entry(memberships[0].tenant, memberships[0]) if memberships else Entry()


def active_memberships(user: User) -> list[Membership]:
    """The user's ways in, oldest first: active memberships of active desks."""
    from accounts.models import Membership

    memberships = Membership.objects.filter(
        user=user, is_active=True, tenant__status=TenantStatus.ACTIVE
    )
    return list(memberships.select_related("tenant").order_by("pk"))


def _stays(request: HttpRequest, entry: Entry) -> bool:
    """Whether this session opens a desk; it ends when it was idle or open for too long."""
    from accounts import signin
    from accounts.roles import Ability, may

    staff = entry.membership is None or may(entry.membership, Ability.VIEW_DESK)
    if sessions.is_over(request.session, staff=staff):
        logout(request)
        return False
    sessions.note_activity(request)
    # Whatever door opened this session: no desk of staff before the second factor.
    return not staff or signin.has_second_factor(request)


def _tenant(tenant_id: Any) -> Tenant | None:
    from accounts.models import Tenant

    return None if tenant_id is None else Tenant.objects.filter(pk=tenant_id).first()
