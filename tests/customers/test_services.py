"""Customers and accounts: what is done leaves a line in the diary, and no secret anywhere."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from accounts.models import AuditEntry, Tenant
from accounts.tenancy import TenantQuerySet, all_tenants, tenant_scope
from customers import services
from customers.enums import AccountStatus, CustomerStatus, KeyStatus, Market
from customers.events import exchange_account_changed
from customers.models import Customer, ExchangeAccount
from tests.factories import make_account, make_customer, make_tenant, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]

KEYS = {"api_key": "abcd-1234-efgh-5678", "api_secret": "S3CRET", "passphrase": "Pa55!"}


@pytest.fixture
def desk() -> Tenant:
    return make_tenant()


def diary(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant):
        return list(AuditEntry.objects.order_by("at", "id").values_list("action", flat=True))


def current(account: ExchangeAccount) -> ExchangeAccount:
    with tenant_scope(account.tenant_id):
        return ExchangeAccount.objects.get(pk=account.pk)


def set_keys(account: ExchangeAccount, **changes: str) -> ExchangeAccount:
    with tenant_scope(account.tenant_id):
        return services.set_keys(account=account, actor=None, **(KEYS | changes))


def test_a_customer_is_created_in_the_desk_at_hand(desk: Tenant) -> None:
    user = make_user(tenant=desk)

    with tenant_scope(desk):
        customer = services.create_customer(name="  Alice ", actor=user, email="a@example.com")

    assert (customer.name, customer.tenant_id, customer.status) == ("Alice", desk.pk, "active")
    assert diary(desk) == ["customer.created"]


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"name": ""}, "name"),
        ({"name": "Alice"}, "__all__"),
        ({"name": "Bob", "email": "nobody"}, "email"),
    ],
)
def test_a_refused_customer_leaves_nothing(
    desk: Tenant, fields: dict[str, Any], at_fault: str
) -> None:
    make_customer(desk, name="Alice")

    with tenant_scope(desk), pytest.raises(ValidationError) as refusal:
        services.create_customer(actor=None, **fields)

    assert at_fault in refusal.value.message_dict
    assert diary(desk) == []


def test_two_desks_may_have_customers_of_one_name(desk: Tenant) -> None:
    make_customer(name="Alice")

    with tenant_scope(desk):
        assert services.create_customer(name="Alice", actor=None).pk


def test_an_archived_customer_is_kept_and_not_traded_for(desk: Tenant) -> None:
    account = make_account(make_customer(desk))
    with tenant_scope(desk):
        services.archive_customer(customer=account.customer, actor=None, reason="left")

        assert Customer.objects.get().status == CustomerStatus.ARCHIVED
        assert not ExchangeAccount.objects.tradable().exists()
        with pytest.raises(ValidationError):
            services.set_customer_status(
                customer=account.customer, status=CustomerStatus.ACTIVE, actor=None
            )
        with pytest.raises(Exception, match="protected"):
            account.customer.delete()
    assert diary(desk) == ["customer.archived"]


def test_an_account_begins_without_a_key(desk: Tenant) -> None:
    customer = make_customer(desk)

    with tenant_scope(desk):
        account = services.create_exchange_account(
            customer=customer, label="main", market=Market.DEMO, actor=None
        )

    assert (account.key_status, account.api_key) == (KeyStatus.MISSING, None)
    assert diary(desk) == ["account.created"]


@pytest.mark.parametrize(
    "host", ["evil.example", "okx.com.evil.example", "www.okx.com/x", "www.okx.com\n", "okx.com"]
)
def test_an_account_is_reached_at_okx_or_not_at_all(desk: Tenant, host: str) -> None:
    customer = make_customer(desk)

    with tenant_scope(desk), pytest.raises(ValidationError, match="api_host"):
        services.create_exchange_account(
            customer=customer, label="main", market=Market.DEMO, actor=None, api_host=host
        )


def test_keys_are_stored_sealed_and_checked_anew(
    desk: Tenant, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[int] = []

    def hear(account_id: int, **_: Any) -> None:
        heard.append(account_id)

    account = make_account(make_customer(desk), verified=True)
    exchange_account_changed.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            set_keys(account, api_key="  abcd-1234-efgh-5678\n", passphrase=" Pa55! ")
    finally:
        exchange_account_changed.disconnect(hear)

    stored = current(account)
    assert stored.api_key is not None
    assert stored.passphrase is not None
    assert (stored.api_key.reveal(), stored.passphrase.reveal()) == (
        "abcd-1234-efgh-5678",
        "Pa55!",
    )
    assert (stored.key_last4, stored.key_status, stored.key_version) == ("5678", "pending", 2)
    assert stored.verified_at is None
    assert heard == [account.pk]
    with tenant_scope(desk):
        entry = AuditEntry.objects.get(action="account.keys_set")
    written = json.dumps([entry.before, entry.after, entry.reason, entry.object_label])
    assert "5678" in written
    assert not any(secret in written for secret in KEYS.values())


@pytest.mark.parametrize("missing", list(KEYS))
@pytest.mark.parametrize("value", ["", "   ", "two\nlines", "x" * 201])
def test_all_three_parts_of_a_key_are_needed(desk: Tenant, missing: str, value: str) -> None:
    account = make_account(make_customer(desk), verified=False)

    with pytest.raises(ValidationError) as refusal:
        set_keys(account, **{missing: value})

    assert list(refusal.value.message_dict) == [missing]
    assert current(account).key_status == KeyStatus.MISSING
    assert diary(desk) == []


@pytest.mark.parametrize("same_desk", [True, False])
def test_a_key_used_anywhere_is_a_field_error(desk: Tenant, same_desk: bool) -> None:
    set_keys(make_account(make_customer(desk if same_desk else make_tenant()), verified=False))
    account = make_account(make_customer(desk), verified=False)

    with pytest.raises(ValidationError) as refusal:
        set_keys(account)

    assert refusal.value.message_dict == {"api_key": ["This key is already in use"]}
    assert current(account).key_status == KeyStatus.MISSING


def test_the_loser_of_a_race_gets_the_same_field_error(desk: Tenant) -> None:
    set_keys(make_account(make_customer(desk), verified=False))
    account = make_account(make_customer(desk), verified=False)

    with (
        patch.object(TenantQuerySet, "exists", return_value=False),
        patch.object(ExchangeAccount, "save", side_effect=IntegrityError),
        pytest.raises(ValidationError, match="already in use"),
    ):
        set_keys(account)

    assert current(account).key_status == KeyStatus.MISSING


def test_an_accounts_own_key_may_be_saved_again(desk: Tenant) -> None:
    account = make_account(make_customer(desk), verified=False)
    set_keys(account)

    assert set_keys(account, passphrase="another").key_version == 2


def test_cleared_keys_may_be_used_elsewhere(desk: Tenant) -> None:
    account, other = (make_account(make_customer(desk), verified=False) for _ in range(2))
    set_keys(account)
    with tenant_scope(desk):
        services.clear_keys(account=account, actor=None)

    set_keys(other)

    assert (current(account).api_key, current(account).key_last4) == (None, "")
    assert current(account).key_status == KeyStatus.MISSING


def test_a_recheck_stops_trading_until_it_ended(desk: Tenant) -> None:
    account = make_account(make_customer(desk))
    with tenant_scope(desk):
        services.recheck_keys(account=account, actor=None)

        assert not ExchangeAccount.objects.tradable().exists()
    assert current(account).key_status == KeyStatus.PENDING
    bare = make_account(make_customer(desk), verified=False)
    with tenant_scope(desk), pytest.raises(ValidationError):
        services.recheck_keys(account=bare, actor=None)


def test_a_paused_account_is_watched_and_not_traded(desk: Tenant) -> None:
    account = make_account(make_customer(desk))
    with tenant_scope(desk):
        services.pause_account(account=account, reason="key leaked?", actor=None)
        services.pause_account(account=account, reason="again", actor=None)

        assert not ExchangeAccount.objects.tradable().exists()
        assert ExchangeAccount.objects.streamed().exists()
    assert (current(account).status, current(account).paused_reason) == ("paused", "key leaked?")

    with tenant_scope(desk):
        services.resume_account(account=account, actor=None)
    assert (current(account).status, current(account).paused_reason) == ("active", "")
    assert diary(desk) == ["account.paused", "account.active"]


def test_an_archived_account_takes_no_key_and_does_not_just_resume(desk: Tenant) -> None:
    account = make_account(make_customer(desk), verified=False)
    with tenant_scope(desk):
        services.set_account_status(account=account, status=AccountStatus.ARCHIVED, actor=None)
        with pytest.raises(ValidationError):
            services.resume_account(account=account, actor=None)
    with pytest.raises(ValidationError, match="archived"):
        set_keys(account)


def test_another_desks_account_cannot_be_touched(desk: Tenant) -> None:
    account = make_account(make_customer(make_tenant()), verified=False)

    with tenant_scope(desk), pytest.raises(ExchangeAccount.DoesNotExist):
        services.set_keys(account=account, actor=None, **KEYS)

    with all_tenants("looking in a test"):
        assert ExchangeAccount.objects.get(pk=account.pk).key_status == KeyStatus.MISSING
