"""A key is asked about at the exchange itself, and trades only after a good answer."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import KeyStatus
from customers.models import ExchangeAccount
from customers.services import set_keys
from tests.factories import make_account, make_customer
from tests.trading.sync.rows import make_order
from trading.events import account_verified
from trading.exchange.runner import stop_exchange_loop
from trading.models import Fill
from trading.verification import verify_account, verify_pending_accounts

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


@dataclass
class Exchange:
    """The simulator as a program of its own."""

    rest: str
    control: str

    def tell(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(
            self.control + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def key(self, **changes: Any) -> dict[str, str]:
        name = uuid.uuid4().hex
        keys = {"api_key": f"key-{name}", "api_secret": f"s-{name}", "passphrase": f"p-{name}"}
        body = {
            "key": keys["api_key"],
            "secret": keys["api_secret"],
            "passphrase": keys["passphrase"],
            "balances": {"USDT": "12345.5"},
        }
        self.tell("/accounts", **(body | changes))
        return keys


@pytest.fixture(scope="module")
def program() -> Iterator[Exchange]:
    command = [sys.executable, "-m", "trading.simulator", "--no-market", "--limits", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        yield Exchange(addresses["rest"], addresses["control"])
        process.terminate()


@pytest.fixture
def exchange(program: Exchange, settings: Any) -> Iterator[Exchange]:
    here = {"rest": program.rest, "ws": program.rest.replace("http", "ws") + "/ws/v5"}
    settings.MARKETS = {**settings.MARKETS, "simulator": here, "demo": here}
    yield program
    urllib.request.urlopen(
        urllib.request.Request(program.control + "/faults", method="DELETE"), timeout=10
    ).close()
    stop_exchange_loop()


def pending(keys: dict[str, str], **fields: Any) -> ExchangeAccount:
    return make_account(verified=False, **keys, **fields)


def checked(account: ExchangeAccount) -> ExchangeAccount:
    verify_account(account.pk)
    with tenant_scope(account.tenant_id):
        return ExchangeAccount.objects.get(pk=account.pk)


def diary(account: ExchangeAccount) -> list[tuple[str, str]]:
    with tenant_scope(account.tenant_id):
        entries = AuditEntry.objects.filter(object_id=str(account.pk), action__contains="keys_")
        return list(entries.order_by("at").values_list("action", "level"))


def test_a_good_key_is_verified(
    exchange: Exchange, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[int] = []

    def hear(account_id: int, **_: Any) -> None:
        heard.append(account_id)

    account_verified.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            account = checked(pending(exchange.key(ip="127.0.0.1")))
    finally:
        account_verified.disconnect(hear)

    assert (account.key_status, account.key_reason) == (KeyStatus.VERIFIED, "")
    assert (account.account_level, account.position_mode) == ("2", "net")
    assert account.key_permissions == ["read_only", "trade"]
    assert account.key_warnings == []
    assert account.initial_balance is not None
    assert Decimal(12345) < account.initial_balance < Decimal(12346)
    assert account.exchange_uid
    assert account.verified_at is not None
    assert diary(account) == [("account.keys_verified", "notice")]
    assert heard == [account.pk]


def test_a_key_for_every_address_is_a_warning(exchange: Exchange) -> None:
    account = checked(pending(exchange.key(pos_mode="long_short_mode")))

    assert account.key_status == KeyStatus.VERIFIED
    assert account.position_mode == "long_short"
    assert account.key_warnings == ["The key is not bound to an IP address."]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"perm": "read_only,trade,withdraw"}, "withdraw"),
        ({"perm": "read_only"}, "may not trade"),
        ({"acct_lv": "1"}, "spot mode"),
        ({"ip": "10.9.8.7"}, "50110"),
        ({"env": "demo"}, "50101"),
    ],
    ids=["withdraw", "read only", "spot mode", "another address", "another environment"],
)
def test_a_key_that_must_not_trade_is_refused(
    exchange: Exchange, changes: dict[str, str], words: str
) -> None:
    account = checked(pending(exchange.key(**changes)))

    assert account.key_status == KeyStatus.REFUSED
    assert words in account.key_reason
    assert (account.verified_at, account.exchange_uid) == (None, "")
    assert diary(account) == [("account.keys_refused", "warning")]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [("api_key", "501"), ("api_secret", "50113"), ("passphrase", "50105")],
)
def test_wrong_credentials_are_refused_in_the_exchanges_words(
    exchange: Exchange, wrong: str, code: str
) -> None:
    keys = exchange.key() | {wrong: "something-else"}

    account = checked(pending(keys))

    assert account.key_status == KeyStatus.REFUSED
    assert code in account.key_reason
    assert not any(secret in account.key_reason for secret in keys.values())


def test_a_demo_key_of_the_demo_market_is_verified(exchange: Exchange) -> None:
    account = checked(pending(exchange.key(env="demo"), market="demo"))

    assert account.key_status == KeyStatus.VERIFIED


def test_an_exchange_that_is_away_refuses_nothing(exchange: Exchange, settings: Any) -> None:
    account = pending(exchange.key())
    reachable = settings.MARKETS
    settings.MARKETS = {**reachable, "simulator": {"rest": "http://127.0.0.1:9", "ws": "ws://x"}}

    waiting = checked(account)
    settings.MARKETS = reachable
    asked = verify_pending_accounts()
    with tenant_scope(account.tenant_id):
        account = ExchangeAccount.objects.get(pk=account.pk)

    assert waiting.key_status == KeyStatus.PENDING
    assert "could not be asked" in waiting.key_reason
    assert asked == 1
    assert (account.key_status, account.key_reason) == (KeyStatus.VERIFIED, "")
    assert len(diary(account)) == 1


def test_keys_that_changed_meanwhile_are_not_judged_by_the_old_answer(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trading import verification

    account = pending(exchange.key())
    newer = exchange.key()

    def change_then_write(
        question: Any, answer: Any, write: Any = verification._write_down
    ) -> None:
        with tenant_scope(account.tenant_id):
            set_keys(account=account, **newer, actor=None)
        write(question, answer)

    monkeypatch.setattr(verification, "_write_down", change_then_write)
    account = checked(account)

    assert (account.key_status, account.key_version) == (KeyStatus.PENDING, 2)
    assert account.verified_at is None


def test_two_accounts_of_one_user_are_a_warning(exchange: Exchange) -> None:
    first = checked(pending(exchange.key()))
    second = pending(exchange.key(), market="simulator")
    with all_tenants("a test makes them the same user"):
        verify_account(second.pk)
        uid = ExchangeAccount.objects.get(pk=second.pk).exchange_uid
        ExchangeAccount.objects.filter(pk=first.pk).update(exchange_uid=uid)
        ExchangeAccount.objects.filter(pk=second.pk).update(key_status=KeyStatus.PENDING)

    assert "Another exchange account trades for the same OKX user." in checked(second).key_warnings


def test_the_key_of_another_user_cannot_take_over_a_history(exchange: Exchange) -> None:
    account = checked(pending(exchange.key()))
    first_uid = account.exchange_uid
    with tenant_scope(account.tenant_id):
        Fill.objects.create(
            tenant_id=account.tenant_id,
            account=account,
            filled_at=timezone.now(),
            received_at=timezone.now(),
            inst_id="BTC-USDT-SWAP",
            trade_id="1",
            exchange_order_id="1",
            side="buy",
            position_side="net",
            quantity=Decimal(1),
            price=Decimal(1),
        )
        set_keys(account=account, **exchange.key(), actor=None)

    account = checked(account)

    assert account.key_status == KeyStatus.REFUSED
    assert "another OKX user" in account.key_reason
    assert account.exchange_uid == first_uid


def test_only_pending_keys_are_asked_about(exchange: Exchange) -> None:
    make_account(make_customer())
    make_account(verified=False)

    assert verify_pending_accounts() == 0


def test_a_typed_host_never_gets_a_key(exchange: Exchange) -> None:
    account = pending(exchange.key(), api_host="evil.example")

    assert checked(account).key_status == KeyStatus.VERIFIED


def test_the_key_of_another_user_cannot_take_over_what_was_sent(exchange: Exchange) -> None:
    """Nothing has filled yet, but an order may be on its way under the first user."""
    account = checked(pending(exchange.key()))
    make_order(account, state="unknown")
    with tenant_scope(account.tenant_id):
        set_keys(account=account, **exchange.key(), actor=None)

    assert checked(account).key_status == KeyStatus.REFUSED
