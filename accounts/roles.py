"""What each role may do: the one table that code, docs and tests read."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser

from accounts.enums import ApiScope, Role
from accounts.models import Membership, User
from accounts.scope import current_tenant_id


class Ability(StrEnum):
    """Coarse things a person may do in a desk."""

    VIEW_DESK = "view_desk"  # enter the back office
    READ_ROWS = "read_rows"  # read every row of the desk, through whichever door
    MANAGE_CUSTOMERS = "manage_customers"
    MANAGE_KEYS = "manage_keys"
    MANAGE_SOURCES = "manage_sources"
    MANAGE_STRATEGIES = "manage_strategies"
    TRADE_MANUALLY = "trade_manually"
    OPERATE_ORDERS = "operate_orders"
    TIGHTEN_SWITCH = "tighten_switch"
    LOOSEN_SWITCH = "loosen_switch"
    CHANGE_LIMITS = "change_limits"
    APPROVE = "approve"
    VIEW_AUDIT = "view_audit"
    MANAGE_STAFF = "manage_staff"
    MANAGE_DESK = "manage_desk"
    MANAGE_NOTIFICATIONS = "manage_notifications"
    MANAGE_TOKENS = "manage_tokens"  # let programs in
    READ_PORTAL = "read_portal"
    USE_API = "use_api"


_A = Ability
_STAFF: Final = frozenset({_A.VIEW_DESK, _A.READ_ROWS, _A.USE_API})

ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Ability]]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Ability) - {_A.READ_PORTAL},
        Role.TRADER: _STAFF
        | {
            _A.MANAGE_SOURCES,
            _A.MANAGE_STRATEGIES,
            _A.TRADE_MANUALLY,
            _A.OPERATE_ORDERS,
            _A.TIGHTEN_SWITCH,
        },
        Role.RISK: _STAFF
        | {
            _A.OPERATE_ORDERS,
            _A.TIGHTEN_SWITCH,
            _A.LOOSEN_SWITCH,
            _A.CHANGE_LIMITS,
            _A.APPROVE,
            _A.VIEW_AUDIT,
        },
        Role.SUPPORT: _STAFF | {_A.MANAGE_CUSTOMERS, _A.MANAGE_KEYS, _A.MANAGE_NOTIFICATIONS},
        Role.AUDITOR: frozenset({_A.VIEW_DESK, _A.READ_ROWS, _A.VIEW_AUDIT}),
        Role.CUSTOMER: frozenset({_A.READ_PORTAL, _A.USE_API}),
        Role.INTEGRATOR: frozenset({_A.READ_ROWS, _A.USE_API}),
    }
)


# What a member of staff must be able to do by hand before a token may do it for them.
SCOPE_NEEDS: Final[Mapping[ApiScope, frozenset[Ability]]] = MappingProxyType(
    {
        ApiScope.READ: frozenset({_A.USE_API}),
        ApiScope.SIGNALS_WRITE: frozenset({_A.USE_API, _A.TRADE_MANUALLY}),
        ApiScope.TRADE: frozenset({_A.USE_API, _A.TRADE_MANUALLY, _A.MANAGE_STRATEGIES}),
    }
)


def scopes_of(role: Role | None) -> frozenset[ApiScope]:
    """The scopes that a token of a member in this role may have.

    Integrators are programs: they have no hands, so their scopes alone say what they may.
    """
    if role is None or _A.USE_API not in ROLE_PERMISSIONS[role]:
        return frozenset()
    if role == Role.INTEGRATOR:
        return frozenset(ApiScope)
    return frozenset(s for s, needs in SCOPE_NEEDS.items() if needs <= ROLE_PERMISSIONS[role])


def may(subject: Any, ability: Ability | str) -> bool:
    """Whether a request, membership, role or user may do this in the desk at hand.

    A user is judged by the membership in the open scope; a superuser may do everything a
    desk's owner may, once inside a desk.
    """
    role = role_of(subject)
    return role is not None and Ability(ability) in ROLE_PERMISSIONS[role]


def may_enter_admin(subject: Any) -> bool:
    """Staff of a desk and superusers; never customers and integrators, whatever `is_staff` says."""
    user = getattr(subject, "user", subject)
    if isinstance(user, User) and user.is_active and user.is_superuser:
        return True
    return may(subject, Ability.VIEW_DESK)


def role_of(subject: Any) -> Role | None:  # noqa: PLR0911 (one line per kind of subject)
    """The role in the desk at hand, or None: outside every desk nobody has one."""
    match subject:
        case None | AnonymousUser():
            return None
        case Role():
            return subject
        case Membership():
            active = subject.is_active and subject.user.is_active and subject.tenant.is_active
            return Role(subject.role) if active else None
        case User():
            return _role_of_user(subject)
    if getattr(subject, "membership", None) is not None:
        return role_of(subject.membership)
    user = getattr(subject, "user", None)
    if isinstance(user, User) and user.is_superuser and getattr(subject, "tenant", None):
        return Role.OWNER
    return None


def _role_of_user(user: User) -> Role | None:
    tenant_id = current_tenant_id()
    if tenant_id is None or not user.is_active:
        return None
    if user.is_superuser:
        return Role.OWNER
    found = Membership.objects.filter(user=user, tenant_id=tenant_id).select_related(
        "tenant", "user"
    )
    return role_of(found.first())
