"""The role table, and who it lets in where."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from accounts.entry import admit
from accounts.enums import Role, TenantStatus
from accounts.models import User
from accounts.roles import ROLE_PERMISSIONS, Ability, may, may_enter_admin
from accounts.scope import tenant_scope
from tests.accounts.people import make_member, make_user
from tests.accounts.worlds import World, make_world

STAFF = {Role.OWNER, Role.TRADER, Role.RISK, Role.SUPPORT, Role.AUDITOR}

TABLE = {
    Ability.VIEW_DESK: STAFF,
    Ability.READ_ROWS: STAFF | {Role.INTEGRATOR},
    Ability.MANAGE_CUSTOMERS: {Role.OWNER, Role.SUPPORT},
    Ability.MANAGE_KEYS: {Role.OWNER, Role.SUPPORT},
    Ability.MANAGE_SOURCES: {Role.OWNER, Role.TRADER},
    Ability.MANAGE_STRATEGIES: {Role.OWNER, Role.TRADER},
    Ability.TRADE_MANUALLY: {Role.OWNER, Role.TRADER},
    Ability.OPERATE_ORDERS: {Role.OWNER, Role.TRADER, Role.RISK},
    Ability.TIGHTEN_SWITCH: {Role.OWNER, Role.TRADER, Role.RISK},
    Ability.LOOSEN_SWITCH: {Role.OWNER, Role.RISK},
    Ability.CHANGE_LIMITS: {Role.OWNER, Role.RISK},
    Ability.APPROVE: {Role.OWNER, Role.RISK},
    Ability.VIEW_AUDIT: {Role.OWNER, Role.RISK, Role.AUDITOR},
    Ability.MANAGE_STAFF: {Role.OWNER},
    Ability.MANAGE_DESK: {Role.OWNER},
    Ability.MANAGE_NOTIFICATIONS: {Role.OWNER, Role.SUPPORT},
    Ability.MANAGE_TOKENS: {Role.OWNER},
    Ability.READ_PORTAL: {Role.CUSTOMER},
    Ability.USE_API: set(Role) - {Role.AUDITOR},
}


@pytest.mark.parametrize("ability", Ability)
def test_each_ability_belongs_to_these_roles(ability: Ability) -> None:
    assert {role for role in Role if may(role, ability)} == TABLE[ability]


def test_the_table_names_every_role() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)


def test_the_auditor_only_reads() -> None:
    assert ROLE_PERMISSIONS[Role.AUDITOR] == {
        Ability.VIEW_DESK,
        Ability.READ_ROWS,
        Ability.VIEW_AUDIT,
    }


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def request_of(user: object, **session: object) -> object:
    request = RequestFactory().get("/")
    request.user, request.session = user, session
    admit(request)
    return request


@pytest.mark.parametrize("role", Role)
def test_customers_and_integrators_never_enter_the_admin(world: World, role: Role) -> None:
    user = make_member(world.a.tenant, role)
    request = request_of(user)

    assert user.is_staff
    assert may_enter_admin(request) is (role in STAFF)
    with tenant_scope(world.a.tenant):
        assert may_enter_admin(user) is (role in STAFF)


def test_a_role_holds_in_its_own_desk_only(world: World) -> None:
    user = make_member(world.a.tenant, Role.OWNER)

    with tenant_scope(world.a.tenant):
        assert may(user, Ability.CHANGE_LIMITS)
    with tenant_scope(world.b.tenant):
        assert not may(user, Ability.CHANGE_LIMITS)
    assert not may(user, Ability.CHANGE_LIMITS)


def test_a_superuser_may_do_everything_once_inside_a_desk(world: World) -> None:
    root = make_user("root", is_superuser=True)

    outside, inside = request_of(root), request_of(root, tenant_id=world.b.tenant.pk)

    assert may_enter_admin(outside)
    assert not may(outside, Ability.VIEW_DESK)
    assert may(inside, Ability.CHANGE_LIMITS)
    assert inside.tenant == world.b.tenant
    assert inside.membership is None


def test_who_is_switched_off_may_nothing(world: World) -> None:
    user = make_member(world.a.tenant, Role.OWNER)
    membership = user.memberships.get()
    membership.is_active = False
    assert not may(membership, Ability.VIEW_DESK)
    membership.save()
    assert not may(request_of(user), Ability.VIEW_DESK)

    membership.is_active = True
    membership.save()
    assert may(request_of(user), Ability.VIEW_DESK)
    world.a.tenant.status = TenantStatus.SUSPENDED
    world.a.tenant.save()
    assert not may(request_of(user), Ability.VIEW_DESK)

    world.a.tenant.status = TenantStatus.ACTIVE
    world.a.tenant.save()
    User.objects.update(is_active=False)
    assert not may(request_of(User.objects.get(pk=user.pk)), Ability.VIEW_DESK)


@pytest.mark.parametrize("nobody", [None, AnonymousUser(), object()])
def test_nobody_may_nothing(nobody: object) -> None:
    assert not may(nobody, Ability.VIEW_DESK)
    assert not may_enter_admin(nobody)
