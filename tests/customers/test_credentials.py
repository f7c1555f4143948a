"""Keys in the clear: told once in the diary, never printed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from customers import credentials
from customers.credentials import NoKey, credentials_for
from customers.models import ExchangeAccount
from tests.factories import make_account

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def a_process_that_has_read_nothing() -> Iterator[None]:
    credentials._noted.clear()
    yield
    credentials._noted.clear()


def stored(account: ExchangeAccount) -> ExchangeAccount:
    with tenant_scope(account.tenant_id):
        return ExchangeAccount.objects.get(pk=account.pk)


def test_the_keys_of_an_account_are_its_own() -> None:
    account = make_account(api_key="k-1", api_secret="s-1", passphrase="p-1")

    keys = credentials_for(stored(account), purpose="send")

    assert (keys.api_key, keys.secret, keys.passphrase) == ("k-1", "s-1", "p-1")


def test_keys_never_print() -> None:
    keys = credentials_for(make_account(api_secret="hidden"), purpose="send")

    assert "hidden" not in f"{keys} {keys!r}"


def test_the_diary_says_once_per_purpose_that_keys_are_read() -> None:
    for _ in range(3):
        account = stored(make_account())
        credentials_for(account, purpose="send")
        credentials_for(account, purpose="streams")

    with all_tenants("entries of the installation"):
        entries = AuditEntry.objects.filter(action="keys.read")
        assert sorted(entry.after["purpose"] for entry in entries) == ["send", "streams"]
        assert {entry.tenant_id for entry in entries} == {None}


def test_no_key_is_said_so() -> None:
    with pytest.raises(NoKey):
        credentials_for(make_account(verified=False), purpose="send")
