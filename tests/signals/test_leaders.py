"""Leader accounts as sources: added with a key, given another, never shown again."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.enums import Role
from accounts.models import AuditEntry, Tenant
from accounts.tenancy import tenant_scope
from customers.enums import KeyStatus, Market
from customers.models import UsedKey
from customers.services import clear_keys, set_keys
from signals.enums import ApprovalRule, LeaderLink, SourceKind
from signals.leaders import create_leader_source, recheck_leader_keys, set_leader_keys
from signals.models import LeaderAccount, SignalSource
from tests.factories import make_account, make_customer, make_tenant, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]

KEYS = {"api_key": "key-of-a-leader", "api_secret": "s3cret-of-it", "passphrase": "p4ss-of-it"}


def add(tenant: Tenant, name: str = "Wei", **keys: str) -> LeaderAccount:
    with tenant_scope(tenant):
        return create_leader_source(
            name=name, market=Market.SIMULATOR, keys=KEYS | keys, actor=None
        )


def test_a_leader_is_a_source_that_waits_for_its_key_to_be_checked() -> None:
    tenant = make_tenant()

    leader = add(tenant)

    assert leader.source.kind == SourceKind.LEADER
    assert (leader.key_status, leader.link) == (KeyStatus.PENDING, LeaderLink.WAITING)
    assert leader.key_last4 == "ader"
    assert leader.snapshot_at is None
    with tenant_scope(tenant):
        stored = LeaderAccount.objects.get(pk=leader.pk)
        assert stored.api_key.reveal() == "key-of-a-leader"
        diary = list(AuditEntry.objects.order_by("at").values_list("action", flat=True))
        said = " ".join(str(e.after) for e in AuditEntry.objects.all())
    assert diary[-2:] == ["source.created", "leader.keys_set"]
    assert "s3cret" not in said
    assert "key-of" not in said


@pytest.mark.parametrize("missing", ["api_key", "api_secret", "passphrase"])
def test_all_three_parts_of_a_key_are_needed(missing: str) -> None:
    tenant = make_tenant()

    with pytest.raises(ValidationError) as refusal:
        add(tenant, **{missing: " "})

    assert list(refusal.value.message_dict) == [missing]
    with tenant_scope(tenant):
        assert not SignalSource.objects.filter(kind=SourceKind.LEADER).exists()


def test_a_key_of_another_leader_is_refused_at_every_desk() -> None:
    add(make_tenant())

    with pytest.raises(ValidationError, match="already in use"):
        add(make_tenant())


def test_a_key_that_is_traded_with_is_no_leaders_key() -> None:
    make_account(api_key="key-of-a-leader")

    with pytest.raises(ValidationError, match="already in use"):
        add(make_tenant())


def test_a_leaders_key_is_not_traded_with() -> None:
    add(make_tenant())
    account = make_account(make_customer(), verified=False)

    with tenant_scope(account.tenant_id), pytest.raises(ValidationError, match="already in use"):
        set_keys(account=account, **KEYS, actor=None)

    with tenant_scope(account.tenant_id):
        account.refresh_from_db()
    assert account.key_status == KeyStatus.MISSING


def test_a_key_that_was_given_up_may_be_used_elsewhere() -> None:
    account = make_account(make_customer(), verified=False)
    with tenant_scope(account.tenant_id):
        account = set_keys(account=account, **KEYS, actor=None)
        clear_keys(account=account, actor=None)

    assert add(make_tenant()).key_status == KeyStatus.PENDING
    assert UsedKey.objects.count() == 1


def test_another_key_takes_the_place_of_the_first() -> None:
    tenant = make_tenant()
    leader = add(tenant)
    with tenant_scope(tenant):
        LeaderAccount.objects.update(key_status=KeyStatus.VERIFIED, link=LeaderLink.CONNECTED)

        changed = set_leader_keys(
            leader=leader, keys=KEYS | {"api_key": "a-second-key"}, actor=None
        )

    assert (changed.key_status, changed.key_version) == (KeyStatus.PENDING, 2)
    assert (changed.key_last4, changed.link) == ("-key", LeaderLink.WAITING)
    assert UsedKey.objects.count() == 1
    assert add(make_tenant()).key_last4 == "ader"


def test_a_stored_key_can_be_checked_again() -> None:
    tenant = make_tenant()
    leader = add(tenant)
    with tenant_scope(tenant):
        LeaderAccount.objects.update(key_status=KeyStatus.REFUSED, key_reason="no")

        again = recheck_leader_keys(leader=leader, actor=None)

    assert (again.key_status, again.key_reason, again.key_version) == (KeyStatus.PENDING, "", 2)


# The pages.


def signed_in(tenant: Tenant, role: Role = Role.OWNER) -> Client:
    client = Client()
    client.force_login(make_user(role, tenant=tenant))
    return client


FORM = {
    "name": "Wei",
    "market": "simulator",
    "approval": "openings",
    "approval_seconds": "120",
    "new_api_key": "key-of-a-leader",
    "new_api_secret": "s3cret-of-it",
    "new_passphrase": "p4ss-of-it",
}


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:signals_leaderaccount_{name}", args=args)


def test_a_leader_is_added_in_the_back_office_and_its_key_is_never_shown() -> None:
    tenant = make_tenant()
    client = signed_in(tenant)

    answer = client.post(page("add"), FORM, follow=True)

    with tenant_scope(tenant):
        leader = LeaderAccount.objects.select_related("source").get()
    assert leader.source.name == "Wei"
    assert leader.source.approval == ApprovalRule.OPENINGS
    assert leader.source.approval_seconds == 120
    text = answer.content.decode()
    assert page("key", leader.pk) in text
    assert "••••ader" in text
    for secret in ("key-of-a-leader", "s3cret-of-it", "p4ss-of-it"):
        assert secret not in text


def test_a_refused_form_names_the_field_and_adds_nothing() -> None:
    tenant = make_tenant()
    make_account(api_key="key-of-a-leader")
    client = signed_in(tenant)

    answer = client.post(page("add"), FORM)

    assert "This key is already in use" in answer.content.decode()
    with tenant_scope(tenant):
        assert not LeaderAccount.objects.exists()
        assert not SignalSource.objects.filter(kind=SourceKind.LEADER).exists()


def test_an_empty_form_keeps_the_key() -> None:
    tenant = make_tenant()
    leader = add(tenant)
    client = signed_in(tenant)

    empty = {"new_api_key": "", "new_api_secret": "", "new_passphrase": ""}
    client.post(page("change", leader.pk), empty)

    with tenant_scope(tenant):
        assert LeaderAccount.objects.get().key_version == 1


@pytest.mark.parametrize("role", [Role.TRADER, Role.RISK, Role.AUDITOR])
def test_who_may_not_manage_keys_may_look_only(role: Role) -> None:
    tenant = make_tenant()
    leader = add(tenant)
    client = signed_in(tenant, role)

    shown = client.get(page("change", leader.pk))
    changed = client.post(page("change", leader.pk), FORM)

    assert shown.status_code == 200
    assert "new_api_key" not in shown.content.decode()
    assert changed.status_code == 403
    assert client.get(page("add")).status_code == 403


def test_a_refusal_is_shown_with_its_reason() -> None:
    tenant = make_tenant()
    leader = add(tenant)
    with tenant_scope(tenant):
        LeaderAccount.objects.update(
            key_status=KeyStatus.REFUSED, key_reason="The key may withdraw.", link=LeaderLink.ERROR
        )
    client = signed_in(tenant, Role.AUDITOR)

    assert "The key may withdraw." in client.get(page("change", leader.pk)).content.decode()
    assert "hx-trigger" not in client.get(page("key", leader.pk)).content.decode()
    assert "Refused by the exchange" in client.get(page("changelist")).content.decode()
    dashboard = client.get(reverse("admin:index")).content.decode()
    assert "Nothing is heard of leader Wei" in dashboard
