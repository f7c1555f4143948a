"""Two persons: who asks never decides, and a decision is taken once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.approvals import (
    AlreadyDecidedError,
    NotAllowedError,
    SamePersonError,
    approve,
    expire_approvals,
    refuse,
    request_approval,
)
from accounts.enums import APPROVAL_NEXT, ApprovalStatus, Role
from accounts.models import Approval, AuditEntry, User
from accounts.scope import ScopeError, tenant_scope
from accounts.tasks import expire_overdue_approvals
from tests.accounts.people import make_member
from tests.accounts.worlds import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def owner(world: World) -> User:
    return make_member(world.a.tenant, Role.OWNER)


@pytest.fixture
def risk(world: World) -> User:
    return make_member(world.a.tenant, Role.RISK)


def ask(world: World, owner: User, **values: object) -> Approval:
    with tenant_scope(world.a.tenant):
        return request_approval(
            action="limit.raise", requested_by=owner, obj=world.a.shelf, **values
        )


def status(world: World) -> tuple[str, object]:
    with tenant_scope(world.a.tenant):
        approval = Approval.objects.get()
        return approval.status, approval.approved_by


@pytest.mark.parametrize(("decide", "word"), [(approve, "approved"), (refuse, "refused")])
def test_a_second_person_decides(
    world: World, owner: User, risk: User, decide: object, word: str
) -> None:
    approval = ask(world, owner, payload={"limit": "5", "api_key": "CANARY"}, reason="growth")

    with tenant_scope(world.a.tenant):
        decided = decide(approval=approval, by=risk, reason="fine")
        actions = list(AuditEntry.objects.order_by("id").values_list("action", "actor__username"))

    assert (decided.status, decided.approved_by) == (word, risk)
    assert decided.decided_at is not None
    assert decided.payload == {"limit": "5", "api_key": "••••"}
    assert actions == [
        ("approval.requested", owner.username),
        (f"approval.{word}", risk.username),
    ]


def test_who_asks_cannot_decide(world: World, owner: User) -> None:
    approval = ask(world, owner)

    for decide in (approve, refuse):
        with tenant_scope(world.a.tenant), pytest.raises(SamePersonError):
            decide(approval=approval, by=owner)
    assert status(world) == ("pending", None)


def test_the_requester_in_memory_does_not_matter(world: World, owner: User, risk: User) -> None:
    approval = ask(world, owner)
    approval.requested_by = risk

    with tenant_scope(world.a.tenant), pytest.raises(SamePersonError):
        approve(approval=approval, by=owner)
    assert status(world) == ("pending", None)


def test_the_database_refuses_one_person_too(world: World, owner: User) -> None:
    approval = ask(world, owner)

    with tenant_scope(world.a.tenant), pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(approved_by=owner)


@pytest.mark.parametrize("role", [Role.TRADER, Role.SUPPORT, Role.AUDITOR, Role.CUSTOMER])
def test_other_roles_cannot_decide(world: World, owner: User, role: Role) -> None:
    approval = ask(world, owner)
    user = make_member(world.a.tenant, role)

    with tenant_scope(world.a.tenant), pytest.raises(NotAllowedError):
        approve(approval=approval, by=user)
    assert status(world) == ("pending", None)


def test_another_desk_cannot_see_or_decide(world: World, owner: User) -> None:
    approval = ask(world, owner)
    foreign = make_member(world.b.tenant, Role.OWNER)

    with tenant_scope(world.b.tenant), pytest.raises(Approval.DoesNotExist):
        approve(approval=approval, by=foreign)
    with tenant_scope(world.a.tenant), pytest.raises(NotAllowedError):
        approve(approval=approval, by=foreign)
    with pytest.raises(ScopeError):
        approve(approval=approval, by=foreign)
    assert status(world) == ("pending", None)


def test_a_decision_is_taken_once(world: World, owner: User, risk: User) -> None:
    approval = ask(world, owner)

    with tenant_scope(world.a.tenant):
        refuse(approval=approval, by=risk)
        with pytest.raises(AlreadyDecidedError):
            approve(approval=approval, by=risk)
    assert status(world) == ("refused", risk)


def test_an_expired_request_cannot_be_approved(world: World, owner: User, risk: User) -> None:
    approval = ask(world, owner, lifetime=timedelta(0))

    with tenant_scope(world.a.tenant):
        with pytest.raises(AlreadyDecidedError):
            approve(approval=approval, by=risk)
        assert approval.is_expired(timezone.now())
        assert expire_approvals(now=timezone.now()) == 1
        assert expire_approvals(now=timezone.now()) == 0
    assert status(world) == ("expired", None)


def test_overdue_requests_are_closed_by_the_clock(world: World, owner: User) -> None:
    ask(world, owner, lifetime=timedelta(0))

    expire_overdue_approvals()

    assert status(world) == ("expired", None)


def test_decided_requests_stay_decided() -> None:
    final = set(ApprovalStatus) - {ApprovalStatus.PENDING}

    for status in ApprovalStatus:
        assert APPROVAL_NEXT[status] == (final if status == "pending" else set())
    assert Approval(status="pending").may_become(ApprovalStatus.APPROVED)
    assert not Approval(status="approved").may_become(ApprovalStatus.REFUSED)
