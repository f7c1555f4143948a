"""A desk as it looks on a working day: customers, signals, decisions, orders in every state.

`make_world` is deterministic for a seed. Every text that a person may type contains
`canary`, so that a test can search another desk's pages for it.
"""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel, Role
from accounts.models import Installation
from accounts.tenancy import tenant_scope
from customers.enums import AccountStatus, CustomerStatus, KeyStatus
from customers.models import Customer, ExchangeAccount
from signals.enums import Direction, SourceStatus
from signals.models import LeaderPosition
from strategies.enums import StrategyStatus, SubscriptionStatus
from tests import factories as make
from tests.world_day import CONTRACT, PRICES, World, trading_day
from tests.world_leaders import leaders
from tests.world_notifications import tell_people
from tests.world_stops import bound_losses
from trading.enums import (
    LimitKind,
    PositionSide,
    Scope,
    TradingMode,
)
from trading.models import (
    Balance,
    Cycle,
    EquitySnapshot,
    ExternalOrder,
    Heartbeat,
    LedgerAudit,
    Position,
    Protection,
    QuarantinedReport,
    ReconcileRun,
    Repair,
    StreamLease,
)
from trading.switch import set_limit, set_mode

FAMILIES = "Abel,Chen,Costa,Duarte,Eriksen,Fischer,Garcia,Haas,Ito,Jansen,Kaya,Lindqvist,Moreau"
FAMILIES += ",Novak,Okafor,Petrov,Quispe,Rossi,Sato,Tanaka,Ueda,Vargas,Weber,Xu,Yilmaz"
FIRST = "Ana,Bo,Carl,Dora,Emil,Fay,Gus,Hana,Ivo,Jun,Kai,Lea,Max,Nia,Ole,Pia,Rui,Sam"


def make_world(
    tenant_name: str = "North desk", seed: int = 1, canary: str = "", *, customers: int = 25
) -> World:
    """Fill a new desk. Global rows (instruments, prices, processes) are shared by all worlds."""
    Installation.objects.get_or_create(pk=1)
    # The seed makes invented figures repeatable; nothing secret comes from it.
    chance = random.Random(seed)
    slug = f"world-{seed}"
    tenant = make.make_tenant(tenant_name, slug=slug)
    roles = (Role.OWNER, Role.TRADER, Role.RISK, Role.SUPPORT, Role.AUDITOR)
    people = {r: make.make_user(r, tenant=tenant, username=f"{r.value}-{seed}") for r in roles}
    world = World(tenant, people)
    for inst_id, price in PRICES.items():
        make.make_instrument(inst_id, contract_value=Decimal(CONTRACT[inst_id]))
        make.set_price(inst_id, price)
    with tenant_scope(tenant), transaction.atomic(), audit.acting(actor=world.owner):
        _people_and_strategies(world, chance, canary, customers)
        trading_day(world, chance, canary)
        _holdings(world, chance)
        leaders(world, canary)
        _safety(world, canary)
        tell_people(world, canary)
    _processes(world)
    return world


def _people_and_strategies(world: World, chance: random.Random, canary: str, count: int) -> None:
    tenant = world.tenant
    given, families = FIRST.split(","), FAMILIES.split(",")
    for number in range(count):
        first = chance.choice(given)
        name = f"{first} {families[number % len(families)]}"
        name += f" {number // len(families) + 1}" if number >= len(families) else ""
        customer = make.make_customer(
            tenant,
            name=f"{name} {canary}".strip(),
            email=f"{first.lower()}{number}@example.org",
            notes=canary,
            status=CustomerStatus.INACTIVE if number == 3 else CustomerStatus.ACTIVE,
        )
        world.customers.append(customer)
        world.accounts.append(_account(customer, number, chance, canary))
    names = ("Momentum alerts", "Trend leader", "Range signals")
    for number, name in enumerate(names):
        source = make.make_source(
            tenant,
            name=f"{name} {canary}".strip(),
            refused_count=chance.randrange(20),
            duplicate_count=chance.randrange(40),
            status=SourceStatus.QUARANTINED if number == 2 else SourceStatus.ENABLED,
        )
        world.sources.append(source)
    plans = (("Trend 3×", "0.1", 3), ("Breakout ETH", "0.05", 5), ("Range SOL", "0.2", 2))
    for number, (name, ratio, leverage) in enumerate(plans):
        strategy = make.make_strategy(
            world.sources[number],
            name=f"{name} {canary}".strip(),
            follow_ratio=Decimal(ratio),
            max_leverage=Decimal(leverage),
            status=StrategyStatus.PAUSED if number == 2 else StrategyStatus.ACTIVE,
        )
        world.strategies.append(strategy)
        for place, account in enumerate(world.accounts):
            if (place + number) % 3 != 2 or number == 0:
                status = SubscriptionStatus.ACTIVE if place % 9 else SubscriptionStatus.CLOSE_ONLY
                world.subscriptions.append(make.subscribe(strategy, account, status=status))


def _account(
    customer: Customer, number: int, chance: random.Random, canary: str
) -> ExchangeAccount:
    account = make.make_account(
        customer,
        label=f"main {canary}".strip(),
        initial_balance=Decimal(10_000 + chance.randrange(40_000)),
    )
    if number == 4:
        account.key_status = KeyStatus.REFUSED
        account.key_reason = "The key may withdraw. Make one without withdrawal on OKX."
        account.verified_at = None
    if number == 7:
        account.key_status, account.verified_at = KeyStatus.PENDING, None
    if number == 9:
        account.status, account.paused_reason = AccountStatus.PAUSED, f"On holiday {canary}".strip()
    if number % 6 == 1:
        account.key_warnings = ["The key is not bound to an address."]
    account.save()
    return account


def _holdings(world: World, chance: random.Random) -> None:
    now = timezone.now()
    for place, account in enumerate(world.accounts):
        if account.key_status != KeyStatus.VERIFIED:
            continue
        equity = (account.initial_balance or Decimal(0)) + Decimal(
            chance.randrange(-90_000, 240_000)
        ) / 100
        pnl = Decimal(chance.randrange(-30_000, 60_000)) / 100
        for currency in (Balance.TOTAL, "USDT"):
            Balance(
                account=account, currency=currency, equity=equity, cash=equity - pnl,
                available=equity * Decimal("0.7"), frozen=Decimal(0), unrealized_pnl=pnl,
                exchange_updated_at=now, updated_at=now,
            ).save()  # fmt: skip
        EquitySnapshot(account=account, at=now, equity=equity, unrealized_pnl=pnl).save()
        for inst_id in list(PRICES)[: 1 + place % 3]:
            _position(account, inst_id, chance, now)


def _position(account: ExchangeAccount, inst_id: str, chance: random.Random, now: datetime) -> None:
    mark = Decimal(PRICES[inst_id])
    entry = (mark * (1 + Decimal(chance.randrange(-300, 300)) / 10_000)).quantize(Decimal("0.1"))
    size = Decimal(chance.randrange(20, 900)) / 100 * (-1 if chance.random() < 0.25 else 1)
    value = Decimal(CONTRACT[inst_id])
    Position(
        account=account,
        inst_id=inst_id,
        position_side=PositionSide.NET,
        margin_mode="cross",
        quantity=size,
        average_price=entry,
        mark_price=mark,
        unrealized_pnl=(size * value * (mark - entry)).quantize(Decimal("0.01")),
        leverage=Decimal(3),
        liquidation_price=(entry * Decimal("0.71" if size > 0 else "1.29")).quantize(
            Decimal("0.1")
        ),
        notional=abs(size * value * mark).quantize(Decimal("0.01")),
        exchange_updated_at=now,
        updated_at=now,
    ).save()


def _safety(world: World, canary: str) -> None:
    now, account = timezone.now(), world.accounts[0]
    tenant, risk = world.tenant, world.people[Role.RISK]
    set_limit(kind=LimitKind.DAILY_NOTIONAL, value=Decimal(250_000), actor=risk, tenant=tenant)
    set_limit(
        kind=LimitKind.ORDER_NOTIONAL,
        value=Decimal(25_000),
        actor=risk,
        tenant=tenant,
        scope=Scope.STRATEGY,
        target=world.strategies[0],
    )
    set_mode(
        mode=TradingMode.REDUCE_ONLY,
        reason=f"Source behaves oddly {canary}".strip(),
        actor=risk,
        tenant=tenant,
        scope=Scope.STRATEGY,
        target=world.strategies[2],
    )
    first = world.subscriptions[0]
    Cycle(
        link_uid=first.uid, subscription=first, source=world.sources[0], account=first.account,
        inst_id="BTC-USDT-SWAP", leader_inst_id="BTC-USDT-SWAP", direction=Direction.LONG,
        unit="contracts",
        follower_base=Decimal("1.25"), leader_base=Decimal("12.5"), opened_at=now,
    ).save()  # fmt: skip
    LeaderPosition(
        source=world.sources[0], inst_id="BTC-USDT-SWAP", direction=Direction.LONG,
        quantity=Decimal("42.5"), updated_at=now,
    ).save()  # fmt: skip
    order = world.orders[0]
    Protection(
        account=order.account, inst_id=order.inst_id, side="sell", position_side="net",
        margin_mode="cross", link_uid=order.link_uid, order=order, stop_loss=Decimal(50_000),
        quantity=order.quantity, client_algo_id=f"tst{order.pk.hex[-20:]}", state="canceled",
        reason=f"Its position is closed {canary}".strip(), created_at=now, finished_at=now,
    ).save()  # fmt: skip
    ReconcileRun(account=account, cause="started", started_at=now, finished_at=now, ok=True).save()
    ReconcileRun(
        account=account, cause="reconnect", started_at=now, finished_at=now, ok=False,
        error=f"HTTP 504 {canary}".strip(),
    ).save()  # fmt: skip
    for kind, target, action, side in (
        ("foreign", 3, "follow", "net"), ("under", 5, "increase", "long"),
    ):  # fmt: skip
        Repair(
            account=account, inst_id=order.inst_id, position_side=side,
            open_key=f"{account.pk}|{order.inst_id}|{kind}", kind=kind, exchange=Decimal(0),
            ours=Decimal(3), target=Decimal(target), action=action, quantity=Decimal(2),
            evidence={"explained": True, "external": "-3", "leader": "30", "readings": 2},
            reason=canary, created_at=now, seen_at=now,
        ).save()  # fmt: skip
    bound_losses(account)
    LedgerAudit(
        is_clean=False, accounts=3, orders=40, fills=55, signals=9, finding_count=1,
        counts={"I5": 1}, findings=[
            {"promise": "I5", "what": "position", "account_id": account.pk,
             "detail": f"BTC-USDT-SWAP net: 2 at the exchange, 3 in our books {canary}".strip()},
        ], started_at=now - timedelta(days=1), finished_at=now - timedelta(days=1),
    ).save()  # fmt: skip
    LedgerAudit(
        is_clean=True, accounts=3, orders=44, fills=60, signals=11, in_flight_count=1,
        in_flight=[{"what": "order", "detail": f"live {canary}", "account_id": account.pk}],
        started_at=now, finished_at=now,
    ).save()  # fmt: skip
    QuarantinedReport(
        account=account, kind="orders", reason=f"unknown state {canary}".strip(), excerpt=canary,
        count=3, first_at=now - timedelta(hours=2), last_at=now,
    ).save()  # fmt: skip
    ExternalOrder(
        account=account, exchange_order_id=str(10**15 + world.tenant.pk), inst_id="BTC-USDT-SWAP",
        client_order_id=canary[:32], side="buy", quantity=Decimal(1), state="filled", seen_at=now,
    ).save()  # fmt: skip
    for name in ("Robot", "Report"):
        make.make_token(world.owner, tenant, ("read",), name=f"{name} {canary}".strip())
    audit.record(
        action="account.verified",
        obj=account,
        after={"note": canary},
        level=AuditLevel.INFO,
        reason=canary,
    )


def _processes(world: World) -> None:
    now = timezone.now()
    for place, account in enumerate(world.accounts):
        if account.key_status == KeyStatus.VERIFIED:
            quiet = place == 5
            until = now - timedelta(minutes=3) if quiet else now + timedelta(minutes=30)
            StreamLease.objects.update_or_create(
                account_id=account.pk,
                defaults={
                    "owner": uuid.uuid4(),
                    "until": until,
                    "state": "connecting" if quiet else "live",
                    "reason": "",
                    "changed_at": now - timedelta(hours=3),
                    "last_event_at": now - timedelta(minutes=3 if quiet else 0, seconds=2),
                },
            )
    for number, kind in enumerate(("web", "worker", "streams", "market", "beat")):
        Heartbeat.objects.get_or_create(
            kind=kind,
            pid=100 + number,
            defaults={"host": "demo", "started_at": now - timedelta(hours=5), "beat_at": now},
        )
