"""One desk of a scenario: followers with money at the exchange, and what its source says."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from config.demo.http import Answer, call
from customers.models import ExchangeAccount
from signals.models import Signal, SignalSource
from strategies.models import Strategy
from tests import factories as make
from tests.chaos.wire import INSTRUMENT
from trading.models import Order

SECRET = make.SECRET
TRIES = 60
STORY: tuple[dict[str, Any], ...] = (
    {"intent": "open", "quantity": {"mode": "base", "value": "1"}, "leverage": "2"},
    {"intent": "add", "quantity": {"mode": "base", "value": "0.5"}, "leverage": "2"},
    {"intent": "reduce", "quantity": {"mode": "base", "value": "0.7"}},
    {
        "intent": "flip",
        "direction": "short",
        "quantity": {"mode": "base", "value": "0.9"},
        "leverage": "2",
    },
    {"intent": "close", "direction": "short"},
)


@dataclass
class Desk:
    """What it told is in `signals`; `answers` counts what the webhook said by status."""

    tenant: Tenant
    source: SignalSource
    strategy: Strategy
    accounts: list[ExchangeAccount]
    keys: dict[int, str]
    webhook: str
    signals: list[str] = field(default_factory=list)
    answers: dict[int, int] = field(default_factory=dict)
    # Accounts that a scenario made unable to finish, and the code of another deployment.
    excused: set[int] = field(default_factory=set)
    foreign: str = ""
    # Signals that a scenario meant to be set aside.
    poisoned: set[str] = field(default_factory=set)
    story: Iterator[dict[str, Any]] = field(default_factory=lambda: itertools.cycle(STORY))

    def body(self, **terms: Any) -> dict[str, Any]:
        """The next line of the story, or these terms."""
        return {
            "id": f"chaos-{secrets.token_hex(8)}",
            "time": datetime.now(UTC).isoformat(),
            "instrument": INSTRUMENT,
            "direction": "long",
            **(terms or next(self.story)),
        }

    def tell(self, **terms: Any) -> str:
        """Send a signal, again and again until it was taken."""
        body = self.body(**terms)
        for _ in range(TRIES):
            if self.take(body):
                return self.signals[-1]
            time.sleep(0.5)
        raise AssertionError("the webhook did not take the signal")

    def take(self, body: dict[str, Any]) -> bool:
        """One try; the id of what was taken, now or earlier, is kept."""
        answer = self.post(body)
        if answer.status in (400, 404):
            raise AssertionError((answer.status, answer.body[:300]))
        if answer.ok:
            self.signals.append(answer.json()["signal_id"])
        return answer.ok

    def post(self, body: dict[str, Any], base: str = "") -> Answer:
        text = json.dumps(body).encode()
        url = f"{base or self.webhook}{self.source.uid}/"
        answer = call("POST", url, text, signed(SECRET, text))
        self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
        return answer

    def is_busy(self) -> bool:
        """Is anything of what it told still to come?"""
        with tenant_scope(self.tenant):
            if Signal.objects.filter(source=self.source).waiting().exists():
                return True
            return bool(Order.objects.open().exclude(account_id__in=self.excused).exists())


def make_desk(control: str, webhook: str, followers: int, **terms: Any) -> Desk:
    """Followers whose keys the exchange knows, checked already."""
    with transaction.atomic():
        tenant = make.make_tenant()
        source = make.make_source(tenant)
        strategy = make.make_strategy(source, max_leverage=3, **terms)
        keys = [f"chaos-{secrets.token_hex(12)}" for _ in range(followers)]
        accounts = [_follower(control, tenant, strategy, key) for key in keys]
    named = {account.pk: key for account, key in zip(accounts, keys, strict=True)}
    return Desk(tenant, source, strategy, accounts, named, webhook)


def _follower(control: str, tenant: Tenant, strategy: Strategy, key: str) -> ExchangeAccount:
    body = {
        "key": key,
        "secret": "a-secret",
        "passphrase": "a-passphrase",
        "balances": {"USDT": "500000"},
        "pos_mode": "net_mode",
    }
    answer = call("POST", f"{control}/accounts", json.dumps(body).encode())
    assert answer.ok, answer
    account = make.make_account(
        make.make_customer(tenant),
        api_key=key,
        exchange_uid=str(answer.json()["uid"]),
    )
    make.subscribe(strategy, account)
    return account


def signed(secret: str, body: bytes) -> dict[str, str]:
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    text = f"{timestamp}.{nonce}.".encode() + body
    digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {
        "X-Copydesk-Timestamp": timestamp,
        "X-Copydesk-Nonce": nonce,
        "X-Copydesk-Signature": f"v1={digest}",
    }
