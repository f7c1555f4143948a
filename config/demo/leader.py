"""The demo's leader: an account at the simulated exchange that a strategy listens to."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from django.db import transaction

from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from customers.enums import KeyStatus, Market, PositionMode
from signals.leaders import create_leader_source, recheck_leader_keys
from signals.models import LeaderAccount
from strategies.enums import OpenOrders
from strategies.models import Strategy
from strategies.services import create_strategy
from trading.paper.control import open_account

LEADER: Final = "Leader Wei"
STRATEGY: Final = "After Wei"


def make_leader(tenant: Tenant, derived: dict[str, str]) -> None:
    """Make, or find, the leader; it trades by its key, or on the page of the simulator.

    Nobody subscribes to its strategy yet: who follows it is the first thing to try.
    """
    open_account(
        key=derived["api_key"],
        secret=derived["api_secret"],
        passphrase=derived["passphrase"],
        balances={"USDT": "250000"},
        position_mode=PositionMode.NET,
    )
    with tenant_scope(tenant), transaction.atomic():
        leader = LeaderAccount.objects.filter(source__name=LEADER).first()
        if leader is None:
            leader = create_leader_source(
                name=LEADER, market=Market.SIMULATOR, keys=derived, actor=None
            )
        elif leader.key_status != KeyStatus.VERIFIED:
            recheck_leader_keys(leader=leader, actor=None)
        if not Strategy.objects.filter(name=STRATEGY).exists():
            create_strategy(
                name=STRATEGY,
                sources=[leader.source],
                actor=None,
                follow_ratio=Decimal("0.1"),
                open_orders=OpenOrders.MARKET,
                max_leverage=Decimal(3),
            )
