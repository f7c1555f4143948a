"""A desk with a portal: one customer with real and paper money, and a neighbour of theirs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tenancy import tenant_scope
from customers.enums import Market
from customers.models import Customer, ExchangeAccount
from customers.portal import grant_portal_access
from tests import factories as make
from tests.factories import PASSWORD
from tests.world import World, make_world
from tests.world_day import CONTRACT, PRICES
from trading.models import Balance, Decision, EquitySnapshot, Order, Position

DAYS = 40
# Numbers as `trading.copying` stores them, so that the pages have everything to say.
TOLD: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("denied", "DAILY_LIMIT", {
        "leader_before": "0", "leader_after": "50", "wanted": "5", "lots": "5",
        "daily_notional": "0", "quantity": "0", "limit": "25000", "used": "21430.18",
        "order_value": "5562.03", "capped_by": "DAILY_LIMIT",
    }),
    ("copied", "CAPPED", {
        "leader_before": "0", "leader_after": "580", "wanted": "58", "lots": "58",
        "order_notional": "42", "quantity": "42", "limit": "8600", "order_value": "11923.64",
        "capped_by": "ORDER_NOTIONAL_ABOVE_LIMIT", "leverage": "2", "price": "205.58",
    }),
    ("skipped", "BELOW_MIN", {
        "leader_before": "0", "leader_after": "0.04", "wanted": "0.004", "lots": "0",
        "quantity": "0", "min_size": "0.01",
    }),
    ("skipped", "EXPIRED", {
        "leader_before": "0", "leader_after": "12", "signal_age_seconds": "71.2", "limit": "60",
    }),
    ("skipped", "CLOSE_ONLY", {"leader_before": "0", "leader_after": "12"}),
    ("copied", "", {
        "leader_before": "10", "leader_after": "65", "expected": "1", "target": "6.5",
        "wanted": "5.5", "lots": "5.5", "quantity": "5.5", "leverage": "3", "price": "4388.7",
    }),
)  # fmt: skip


@dataclass(frozen=True)
class Portal:
    """`me` is the customer's user; `neighbour` another customer's of the same desk."""

    world: World
    me: User
    customer: Customer
    real: ExchangeAccount
    paper: ExchangeAccount
    neighbour: User
    neighbours_account: ExchangeAccount

    def client(self, user: User | None = None) -> Client:
        client = Client()
        client.force_login(user or self.me)
        return client

    def mine(self, model: Any) -> Any:
        return model.objects.filter(account__customer=self.customer)


def make_portal(seed: int = 1, *, customers: int = 3, **tenant: Any) -> Portal:
    world = make_world(
        f"North desk {seed}" if seed > 1 else "North desk", seed, customers=customers
    )
    for inst_id in PRICES:
        value = Decimal(CONTRACT[inst_id])
        make.make_instrument(inst_id, market=Market.LIVE_GLOBAL, contract_value=value)
    for name, value in {"timezone": "Asia/Shanghai", **tenant}.items():
        setattr(world.tenant, name, value)
    world.tenant.save()
    customer, other = world.customers[0], world.customers[1]
    paper = world.accounts[0]
    with tenant_scope(world.tenant), transaction.atomic():
        me = portal_user(customer, f"alice-{seed}")
        neighbour = portal_user(other, f"bob-{seed}")
        real = make.make_account(
            customer, label="okx main", market=Market.LIVE_GLOBAL, initial_balance=Decimal(40_000)
        )
        _fill(paper, real)
    return Portal(world, me, customer, real, paper, neighbour, world.accounts[1])


def portal_user(customer: Customer, name: str) -> User:
    """A user who got in the way staff let them in, with the tests' password."""
    user = grant_portal_access(customer=customer, username=name, actor=None)
    user.set_password(PASSWORD)
    user.save()
    return user


def _fill(paper: ExchangeAccount, real: ExchangeAccount) -> None:
    now, chance = timezone.now(), random.Random(7)
    value, rows = Decimal(40_000), []
    for hours in range(DAYS * 24, 0, -6):
        value += Decimal(chance.randrange(-26_000, 32_000)) / 100
        at = now - timedelta(hours=hours)
        rows.append(EquitySnapshot(account=real, at=at, equity=value, unrealized_pnl=Decimal(0)))
    EquitySnapshot.objects.bulk_create(rows)
    for currency in (Balance.TOTAL, "USDT"):
        Balance(
            account=real, currency=currency, equity=value, cash=value,
            available=value * Decimal("0.7"), unrealized_pnl=Decimal("262.6"),
            exchange_updated_at=now, updated_at=now,
        ).save()  # fmt: skip
    Position(
        account=real, inst_id="BTC-USDT-SWAP", position_side="net", margin_mode="cross",
        quantity=Decimal("14.2"), average_price=Decimal("110482.3"), mark_price=Decimal("111240.6"),
        unrealized_pnl=Decimal("107.68"), leverage=Decimal(3), notional=Decimal("15796.17"),
        liquidation_price=Decimal("76904.1"), updated_at=now,
    ).save()  # fmt: skip
    Position(
        account=real, inst_id="SOL-USDT-SWAP", position_side="net", margin_mode="cross",
        quantity=Decimal(-42), average_price=Decimal("204.37"), mark_price=Decimal("205.61"),
        unrealized_pnl=Decimal("-52.08"), leverage=Decimal(2), notional=Decimal("8635.62"),
        liquidation_price=Decimal("298.44"), updated_at=now,
    ).save()  # fmt: skip
    # Half of the day's orders and decisions were the real account's.
    mine = list(Decision.objects.filter(account=paper).order_by("-decided_at"))
    for number, decision in enumerate(mine):
        outcome, reason, numbers = TOLD[number % len(TOLD)]
        account = real if number < len(mine) - 3 else paper
        Decision.objects.filter(pk=decision.pk).update(
            outcome=outcome, reason=reason, numbers=numbers, account=account
        )
        Order.objects.filter(decision=decision).update(account=account, market=account.market)
