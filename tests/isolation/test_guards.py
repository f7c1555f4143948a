"""Each guard is needed: with it taken away, an attack of this folder succeeds and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from accounts import admin_base, entry, ownership, queries, tenancy
from accounts.admin import MembershipAdmin, UserAdmin
from accounts.admin_base import TenantModelAdmin
from accounts.entry import Entry
from accounts.enums import Role
from accounts.models import Membership, Tenant, User
from accounts.scope import Scope
from accounts.tenancy import tenant_scope
from config.backoffice import desks as desk_pages
from customers.models import Customer
from signals import views, webhooks
from strategies.models import Subscription
from tests.isolation import attacks, test_admin
from tests.isolation.tripwire import tripwire
from tests.isolation.worlds import Desks, digest, signed_in, staff_client, unscoped
from trading.admin.processes import StreamLeaseAdmin
from trading.models import StreamLease

pytestmark = pytest.mark.django_db
Attack = Callable[[Desks], Any]


def as_owner(attack: Callable[..., Any], *args: Any) -> Attack:
    return lambda desks: attack(staff_client(desks, Role.OWNER), desks, *args)


def everything(self: Any, *args: Any) -> Any:
    """What an admin class shows whose rows somebody fetched past the managers."""
    return unscoped(self.model).order_by("pk")


def foreign_digest(attack: Attack) -> Attack:
    def attacked(desks: Desks) -> None:
        before = digest(desks.b.tenant)
        attack(desks)
        assert digest(desks.b.tenant) == before

    return attacked


def pages_ask_for_their_desk(desks: Desks) -> None:
    client = staff_client(desks, Role.OWNER)
    with tripwire(desks.a.tenant.pk) as wire:
        client.get(attacks.page(Customer, "changelist"))
    assert wire.caught == []


def updates_stay_inside(desks: Desks) -> None:
    with tenant_scope(desks.a.tenant):
        Customer.objects.filter(pk=desks.b.customers[0].pk).update(notes="mine")


def deletes_stay_inside(desks: Desks) -> None:
    from signals.models import SignalNonce

    with tenant_scope(desks.a.tenant):
        rows = SignalNonce.objects.filter(pk=attacks.foreign_pk(desks, SignalNonce))
        rows._raw_delete(rows.db)


def people_of_another_desk_are_no_choice(desks: Desks) -> None:
    with tenant_scope(desks.a.tenant):
        offered = admin_base.choices_in_scope(User)
        assert not offered.filter(pk=desks.b.owner.pk).exists()


def nobody_chooses_a_foreign_desk(desks: Desks) -> None:
    test_admin.test_nobody_enters_a_foreign_desk(desks, Role.OWNER)


def chooser_shows_own_desks(desks: Desks) -> None:
    page = staff_client(desks, Role.OWNER).get(reverse("admin:choose_desk"))
    assert not desks.leaks(page.content.decode())


def trusting(user: Any, chosen_tenant_id: Any = None) -> Entry:
    """An entry that takes the session's word for the desk, and anyone's role there."""
    tenant = Tenant.objects.get(pk=chosen_tenant_id or user.memberships.get().tenant_id)
    return Entry(tenant, tenant.memberships.get(role=Role.OWNER))


def forgetting(user: User) -> list[Membership]:
    return list(Membership.objects.filter(user=user).select_related("tenant"))


def members_switched_off_are_out(desks: Desks) -> None:
    user = desks.a.people[Role.SUPPORT]
    client = signed_in(user, desks.a.tenant)
    user.memberships.update(is_active=False)

    assert client.get(reverse("admin:index")).status_code == 302


def forged_session(desks: Desks) -> None:
    test_admin.test_a_forged_session_does_not_change_the_desk(desks)


def another_desk(tenant_id: int) -> Tenant:
    """The desk that a caller might have named."""
    return Tenant.objects.exclude(pk=tenant_id).get()


def no_scope(self: Any) -> Any:
    return self


def no_claim(*args: Any, **kwargs: Any) -> None:
    return None


OPEN_QUERY = (queries.ScopedQuery, "_restricted", no_scope)
# label, what is taken away, and the attack that must then succeed
GUARDS: list[tuple[str, list[tuple[Any, str, Any]], Attack]] = [
    ("manager scope, lists", [OPEN_QUERY], as_owner(attacks.list_shows_own, Customer)),
    ("manager scope, objects", [OPEN_QUERY], as_owner(attacks.objects_are_absent, Customer)),
    ("manager scope, SQL", [OPEN_QUERY], pages_ask_for_their_desk),
    ("manager scope, updates", [OPEN_QUERY], foreign_digest(updates_stay_inside)),
    ("manager scope, deletes", [OPEN_QUERY], foreign_digest(deletes_stay_inside)),
    (
        "admin rows, lists",
        [(TenantModelAdmin, "get_queryset", everything)],
        as_owner(attacks.list_shows_own, Subscription),
    ),
    (
        "admin rows, actions",
        [(TenantModelAdmin, "get_queryset", everything), OPEN_QUERY],
        foreign_digest(as_owner(attacks.actions_touch_own_only, Customer, "deactivate")),
    ),
    (
        "admin rows, autocomplete",
        [(TenantModelAdmin, "get_queryset", everything), OPEN_QUERY],
        as_owner(attacks.suggestions_are_own, Subscription),
    ),
    (
        "choices of foreign keys, desk's rows",
        [("accounts.admin_base", "choices_in_scope", unscoped)],
        as_owner(attacks.foreign_choices_are_refused, Subscription),
    ),
    (
        "choices of foreign keys, people",
        [("accounts.admin_base", "choices_in_scope", unscoped)],
        people_of_another_desk_are_no_choice,
    ),
    (
        "look-ups in the address",
        [(TenantModelAdmin, "lookup_allowed", lambda self, lookup, value, request=None: True)],
        as_owner(attacks.hidden_fields_cannot_be_probed, Customer),
    ),
    (
        "people of the desk",
        [(UserAdmin, "get_queryset", everything)],
        as_owner(attacks.list_shows_own, User),
    ),
    (
        "members of the desk",
        [(MembershipAdmin, "get_queryset", everything)],
        as_owner(attacks.list_shows_own, Membership),
    ),
    (
        "sockets of the desk",
        [(StreamLeaseAdmin, "get_queryset", everything)],
        as_owner(attacks.objects_are_absent, StreamLease),
    ),
    (
        "save() looks at the parents",
        [(tenancy, "claim_rows", no_claim)],
        attacks.rows_keep_to_their_desk,
    ),
    (
        "update() looks at the values",
        [(tenancy, "assert_values", no_claim)],
        attacks.rows_keep_to_their_desk,
    ),
    (
        "rows are asked for their desk",
        [(tenancy, "assert_own", no_claim), (ownership, "assert_own", no_claim)],
        attacks.rows_keep_to_their_desk,
    ),
    ("membership of the request", [(entry, "entry_for", trusting)], forged_session),
    ("membership when choosing", [(entry, "entry_for", trusting)], nobody_chooses_a_foreign_desk),
    (
        "memberships that ended",
        [
            (entry, "active_memberships", forgetting),
            ("accounts.roles", "role_of", lambda s: Role.OWNER),
        ],
        members_switched_off_are_out,
    ),
    (
        "desks to choose from",
        [(desk_pages, "desks_of", lambda user: list(Tenant.objects.all()))],
        chooser_shows_own_desks,
    ),
    (
        "webhooks compare the secret",
        [(webhooks, "_is_one_of", lambda *args: True)],
        attacks.webhooks_serve_their_own_desk,
    ),
    (
        "webhooks work in the source's desk",
        [(views, "tenant_scope", lambda tenant_id: tenant_scope(another_desk(tenant_id)))],
        attacks.webhooks_serve_their_own_desk,
    ),
]


@pytest.mark.parametrize(("label", "taken", "attack"), GUARDS, ids=[g[0] for g in GUARDS])
def test_without_the_guard_the_attack_succeeds(
    desks: Desks,
    monkeypatch: pytest.MonkeyPatch,
    label: str,
    taken: list[tuple[Any, str, Any]],
    attack: Attack,
) -> None:
    for owner, name, instead in taken:
        if isinstance(owner, str):
            monkeypatch.setattr(f"{owner}.{name}", instead)
        else:
            monkeypatch.setattr(owner, name, instead)

    with pytest.raises(AssertionError):
        attack(desks)


@pytest.mark.parametrize(("label", "taken", "attack"), GUARDS, ids=[g[0] for g in GUARDS])
def test_with_the_guard_it_fails(
    desks: Desks, label: str, taken: list[tuple[Any, str, Any]], attack: Attack
) -> None:
    attack(desks)


def test_the_scope_is_one_desk_or_all() -> None:
    assert not Scope(1).same_rows(Scope(2))
    assert not Scope(1).same_rows(Scope(None, "all"))
