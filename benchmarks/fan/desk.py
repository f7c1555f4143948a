"""A desk with many followers, made in seconds, and set back to the same state before a round."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.bulk import insert_many
from accounts.fields import fingerprint
from accounts.models import AuditEntry, AuditPending, Installation
from accounts.tenancy import all_tenants, tenant_scope
from benchmarks.fan import keys
from customers.enums import KeyStatus, Market, PositionMode
from customers.models import Customer, ExchangeAccount
from signals.enums import SourceKind, Unit
from signals.models import LeaderPosition, Signal, SignalNonce, SignalSource
from strategies.models import Subscription
from tests import factories
from trading.models import Cycle, Decision, Fill, Order, OrderAttempt, OrderEvent

PRICE = 60_000
# What a round writes; what points to others first.
WRITTEN = (
    AuditPending,
    AuditEntry,
    OrderEvent,
    OrderAttempt,
    Fill,
    Order,
    Decision,
    Cycle,
    LeaderPosition,
    SignalNonce,
    Signal,
)


def desk_of(accounts: int) -> SignalSource:
    """The desk in this database, made when there is none yet."""
    with all_tenants("find the desk of an earlier cell"):
        found: SignalSource | None = SignalSource.objects.filter(kind=SourceKind.WEBHOOK).first()
    return found or make_desk(accounts)


def make_desk(accounts: int) -> SignalSource:
    """One source, one strategy following it at a tenth, and so many accounts following that."""
    Installation.objects.get_or_create(pk=1)
    factories.make_instrument(keys.INST_ID)
    tenant = factories.make_tenant()
    source = factories.make_source(tenant, rate_per_second=1000)
    strategy = factories.make_strategy(source)
    now = timezone.now()
    with tenant_scope(tenant):
        numbers = range(accounts)
        customers = [
            Customer(pk=n + 1, tenant=tenant, name=f"Customer {n:06d}", created_at=now)
            for n in numbers
        ]
        insert_many(customers)
        held = [_account(n, customer, now) for n, customer in enumerate(customers)]
        insert_many(held)
        insert_many(
            [
                Subscription(
                    pk=n + 1, tenant=tenant, strategy=strategy, account=account, created_at=now
                )
                for n, account in enumerate(held)
            ]
        )
    return source


def _account(number: int, customer: Customer, now: Any) -> ExchangeAccount:
    key = keys.api_key(number)
    return ExchangeAccount(
        pk=number + 1,
        tenant_id=customer.tenant_id,
        customer=customer,
        market=Market.SIMULATOR,
        api_key=key,
        api_secret=keys.secret(number),
        passphrase=keys.PASSPHRASE,
        key_last4=key[-4:],
        key_fingerprint=fingerprint(key),
        key_version=1,
        key_status=KeyStatus.VERIFIED,
        key_permissions=["read_only", "trade"],
        account_level="2",
        exchange_uid=str(10_000 + number),
        position_mode=PositionMode.NET,
        initial_balance=Decimal(10_000),
        verified_at=now,
        created_at=now,
    )


def forget_the_round() -> None:
    """Nobody holds anything and nothing was ever sent; prices are fresh."""
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SET FOREIGN_KEY_CHECKS=0")
        emptying = "TRUNCATE TABLE" if connection.vendor == "mysql" else "DELETE FROM"
        for model in WRITTEN:
            cursor.execute(f"{emptying} {model._meta.db_table}")
        if connection.vendor == "mysql":
            cursor.execute("SET FOREIGN_KEY_CHECKS=1")
    with all_tenants("a new round"):
        paused = ExchangeAccount.objects.exclude(status="active")
        if paused.exists():
            paused.update(status="active", paused_reason="", key_status=KeyStatus.VERIFIED)
    factories.set_price(keys.INST_ID, PRICE)


def new_signal(source: SignalSource) -> Signal:
    """An accepted signal that opens: ten contracts for the leader, one for each follower."""
    now = timezone.now()
    with tenant_scope(source.tenant_id):
        return Signal.objects.create(
            source=source,
            external_id=uuid.uuid4().hex,
            inst_id=keys.INST_ID,
            intent="open",
            direction="long",
            quantity_mode="contracts",
            quantity=Decimal(10),
            quantity_value=Decimal(10),
            reference_price=Decimal(PRICE),
            unit=Unit.CONTRACTS,
            signal_at=now,
            received_at=now,
        )


def outcomes() -> dict[str, int]:
    """How many orders ended up in which state, with the reason."""
    counted: dict[str, int] = {}
    with all_tenants("count the orders of a round"):
        for state, reason in Order.objects.values_list("state", "reason"):
            name = f"{state} {reason}".strip()
            counted[name] = counted.get(name, 0) + 1
    return counted
