"""Waiting openings that may wait no longer: noted as to be canceled, execution does it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.rows import fetch
from accounts.tenancy import all_tenants
from customers.enums import AccountStatus, CustomerStatus
from signals.enums import LeaderLink, SourceStatus
from signals.models import LeaderAccount
from strategies.enums import StrategyStatus, SubscriptionStatus
from trading.canceling import wish_canceled
from trading.enums import RESTING_TYPES, OrderState, Reason, TradingMode
from trading.leases import db_now
from trading.models import Order
from trading.positions_held import INCREASES
from trading.switch import Covered, Switchboard, read_switchboard
from trading.transition import retried

SENT = (
    OrderState.SENDING,
    OrderState.UNKNOWN,
    OrderState.LIVE,
    OrderState.PARTIALLY_FILLED,
)
BATCH = 500
LOST = (LeaderLink.STALE, LeaderLink.ERROR)
SWITCHED = {
    TradingMode.HALTED: Reason.TRADING_HALTED,
    TradingMode.REDUCE_ONLY: Reason.REDUCE_ONLY,
    TradingMode.FLATTEN: Reason.FLATTENING,
}
NOT_FOLLOWING = {
    SubscriptionStatus.PAUSED: Reason.LINK_PAUSED,
    SubscriptionStatus.STOPPED: Reason.LINK_PAUSED,
    SubscriptionStatus.CLOSE_ONLY: Reason.CLOSE_ONLY,
}


class _Waiting(NamedTuple):
    """A waiting opening with what it waits by, named like its columns."""

    id: UUID
    tenant_id: int
    account_id: int
    inst_id: str
    created_at: datetime
    cycle__closing_at: datetime | None
    cycle__ended_at: datetime | None
    cycle__source_id: int
    cycle__source__status: str
    subscription__status: str
    subscription__strategy_id: int
    subscription__strategy__status: str
    subscription__strategy__ttl_hours: int
    account__status: str
    account__customer_id: int
    account__customer__status: str


def watch_waiting() -> int:
    """Cancel every waiting opening whose leader, follower, source or time is over; how many.

    Only what follows a strategy: what people placed by hand is theirs to call back.
    """
    with all_tenants("waiting openings of every desk"):
        now = db_now()
        rows = fetch(
            Order.objects.filter(
                state__in=SENT,
                order_type__in=RESTING_TYPES,
                leg__in=INCREASES,
                cancel_requested=False,
                subscription__isnull=False,
                cycle__isnull=False,
            )
            .order_by()
            .values_list(*_Waiting._fields)
        )
        waiting = [_Waiting(*row) for row in rows]
        if not waiting:
            return 0
        lost = lost_sources(now - timedelta(seconds=settings.SOURCE_LOST_CANCEL_S))
        boards = {tenant: read_switchboard(tenant) for tenant in {w.tenant_id for w in waiting}}
        over: dict[Reason, list[UUID]] = defaultdict(list)
        for one in waiting:
            why = next(_reasons(one, boards[one.tenant_id], lost, now), None)
            if why is not None:
                over[why].append(one.id)
        return sum(_wish(ids, why) for why, ids in over.items())


def lost_sources(since: datetime) -> set[int]:
    """The sources whose leader's account has not been heard since then."""
    found = LeaderAccount.objects.filter(link__in=LOST, link_since__lt=since)
    return set(found.values_list("source_id", flat=True))


def _reasons(one: _Waiting, board: Switchboard, lost: set[int], now: datetime) -> Iterator[Reason]:
    """Why it may not wait any longer, the nearest reason first."""
    following = SubscriptionStatus(one.subscription__status)
    left = one.cycle__closing_at is not None or one.cycle__ended_at is not None
    ttl = timedelta(hours=one.subscription__strategy__ttl_hours)
    found = (
        (left, Reason.LEADER_CLOSED),
        (now - one.created_at > ttl, Reason.LIMIT_TTL),
        (following in NOT_FOLLOWING, NOT_FOLLOWING.get(following, Reason.NONE)),
        (one.subscription__strategy__status != StrategyStatus.ACTIVE, Reason.STRATEGY_PAUSED),
        (one.account__customer__status != CustomerStatus.ACTIVE, Reason.CUSTOMER_DISABLED),
        (one.account__status != AccountStatus.ACTIVE, Reason.ACCOUNT_DISABLED),
        (one.cycle__source__status == SourceStatus.DISABLED, Reason.SOURCE_DISABLED),
        (one.cycle__source_id in lost, Reason.LEADER_LOST),
    )
    yield from (why for holds, why in found if holds)
    yield from (SWITCHED[mode] for mode in board.modes_for(_covered(one)) if mode in SWITCHED)


def _covered(one: _Waiting) -> Covered:
    return Covered(
        tenant_id=one.tenant_id,
        account_id=one.account_id,
        customer_id=one.account__customer_id,
        inst_id=one.inst_id,
        strategy_id=one.subscription__strategy_id,
    )


def _wish(ids: list[UUID], why: Reason) -> int:
    chunks = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
    return sum(_wish_some(chunk, why) for chunk in chunks)


@retried
@transaction.atomic
def _wish_some(ids: list[UUID], why: Reason) -> int:
    return wish_canceled(Order.objects.filter(id__in=ids), why)
