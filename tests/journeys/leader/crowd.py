"""A leader and those who follow it: every way of sizing, margining and holding a position."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from config.demo.http import call
from customers.enums import Market, PositionMode
from customers.models import ExchangeAccount
from signals.leaders import create_leader_source
from signals.models import LeaderAccount, SignalSource
from strategies.enums import MarginChoice, OpenOrders, SizingMode
from strategies.models import Strategy
from tests import factories as make

LEADER_USDT = "1000000"
FOLLOWER_USDT = "200000"
FOLLOWERS = 50
LIMIT_COPIERS = 5
REVERSED = 3
SHADOWS = 5

# What each account does differently; they take turns.
WAYS: tuple[dict[str, Any], ...] = (
    {"follow_ratio": Decimal("0.1")},
    {"follow_ratio": Decimal("0.037")},
    {"sizing_mode": SizingMode.EQUITY_PROPORTIONAL},
    {"sizing_mode": SizingMode.MARGIN_PROPORTIONAL},
    {"sizing_mode": SizingMode.FIXED_NOTIONAL, "fixed_notional": Decimal(3_000)},
    {"sizing_mode": SizingMode.FIXED_MARGIN, "fixed_margin": Decimal(1_500)},
    {"sizing_mode": SizingMode.FIXED_QTY, "fixed_quantity": Decimal("7.31")},
    {"sizing_mode": SizingMode.PCT_AVAILABLE, "available_ratio": Decimal("0.02")},
    {"sizing_mode": SizingMode.FIXED_RISK, "risk_ratio": Decimal("0.01")},
    {"follow_ratio": Decimal("0.25"), "allocated_capital": Decimal(60_000)},
)


# What each of these holds in the end of BTC and of ETH, following as told. Of fixed risk nobody
# follows: the leader sets no stop. What depends on equity and price may differ by a little.
ENDS: tuple[tuple[str, str] | None, ...] = (
    ("0.72", "15"),
    ("0.26", "5.55"),
    ("1.44", "30"),
    ("1.44", "30"),
    ("0.57", "9.83"),
    ("0.86", "14.75"),
    ("0.83", "7.31"),
    ("2.23", "39.2"),
    None,
    ("1.8", "37.5"),
)
END_INSTRUMENTS = ("BTC-USDT-SWAP", "ETH-USDT-SWAP")
A_LITTLE = Decimal("0.02")


@dataclass
class Crowd:
    """`keys` are those of the followers at the exchange, by account."""

    tenant: Tenant
    leader: LeaderAccount
    leader_key: str
    strategies: list[Strategy]
    accounts: list[ExchangeAccount]
    keys: dict[int, str]
    limit_copiers: set[int] = field(default_factory=set)
    reversed: set[int] = field(default_factory=set)
    shadows: set[int] = field(default_factory=set)

    @property
    def source(self) -> SignalSource:
        return self.leader.source

    def ends(self) -> dict[tuple[int, str], Decimal]:
        """By account and instrument, for those who must hold something in the end; signed.

        Limit copiers hold what the market gave them.
        """
        found: dict[tuple[int, str], Decimal] = {}
        for place, account in enumerate(self.accounts):
            end = ENDS[place // 2 % len(ENDS)]
            if end is None or account.pk in self.limit_copiers:
                continue
            sign = -1 if account.pk in self.reversed else 1
            for inst_id, quantity in zip(END_INSTRUMENTS, end, strict=True):
                found[account.pk, inst_id] = sign * Decimal(quantity)
        return found


def make_crowd(control: str, followers: int = FOLLOWERS) -> Crowd:
    """Their keys are known to the exchange, the followers' checked already."""
    with transaction.atomic():
        tenant = make.make_tenant()
        leader_key = f"leader-{secrets.token_hex(8)}"
        _open_account(control, leader_key, LEADER_USDT, PositionMode.NET)
        parts = {"api_key": leader_key, "api_secret": "a-secret", "passphrase": "a-passphrase"}
        with tenant_scope(tenant):
            leader = create_leader_source(
                name="The leader", market=Market.SIMULATOR, keys=parts, actor=None
            )
        plain = _strategy(leader, "At once", OpenOrders.IOC)
        resting = _strategy(
            leader, "At a discount", OpenOrders.LIMIT,
            discount_min=Decimal("0.01"), discount_max=Decimal("0.03"), rungs=3, max_orders=30,
        )  # fmt: skip
        crowd = Crowd(tenant, leader, leader_key, [plain, resting], [], {})
        for number in range(followers):
            _follower(crowd, control, number)
    return crowd


def _strategy(leader: LeaderAccount, name: str, orders: OpenOrders, **terms: Any) -> Strategy:
    return make.make_strategy(
        leader.source, name=name, open_orders=orders, max_leverage=Decimal(10),
        max_slippage=Decimal("0.02"), **terms,
    )  # fmt: skip


def _follower(crowd: Crowd, control: str, number: int) -> None:
    mode = (PositionMode.NET, PositionMode.LONG_SHORT)[number % 2]
    key = f"follower-{secrets.token_hex(8)}"
    uid = _open_account(control, key, FOLLOWER_USDT, mode)
    account = make.make_account(
        make.make_customer(crowd.tenant), api_key=key, exchange_uid=uid, position_mode=mode
    )
    crowd.accounts.append(account)
    crowd.keys[account.pk] = key
    terms = dict(WAYS[number // 2 % len(WAYS)])
    terms["margin_mode"] = (MarginChoice.CROSS, MarginChoice.ISOLATED)[number // 2 % 2]
    plain, resting = crowd.strategies
    kind = number % (FOLLOWERS // LIMIT_COPIERS)
    if kind == 0 and len(crowd.limit_copiers) < LIMIT_COPIERS:
        crowd.limit_copiers.add(account.pk)
        make.subscribe(resting, account, follow_ratio=Decimal("0.1"))
        return
    if kind == 1 and len(crowd.reversed) < REVERSED:
        crowd.reversed.add(account.pk)
        terms["reverse"] = True
    if kind == 2 and len(crowd.shadows) < SHADOWS:
        crowd.shadows.add(account.pk)
        terms["is_shadow"] = True
    make.subscribe(plain, account, **terms)


def _open_account(control: str, key: str, usdt: str, mode: PositionMode) -> str:
    words = {PositionMode.NET: "net_mode", PositionMode.LONG_SHORT: "long_short_mode"}
    body = {
        "key": key,
        "secret": "a-secret",
        "passphrase": "a-passphrase",
        "balances": {"USDT": usdt},
        "pos_mode": words[mode],
    }
    answer = call("POST", f"{control}/accounts", json.dumps(body).encode())
    assert answer.ok, answer
    return str(answer.json()["uid"])
