"""The margin watch: people are told when a position nears its liquidation, once per crossing.

Below a desk's last threshold nothing more is opened on the account, until there is clearly more
margin again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.contention import retried
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from trading.breakers import NOT_CLOSED, Place, close_breaker, open_breaker
from trading.enums import BreakerCause, MarginLevel
from trading.leases import db_now
from trading.models import Breaker, MarginThreshold, MarginWatch, MarketPrice, Position
from trading.protecting import is_long
from trading.stops.nearness import (
    Nearness,
    Threshold,
    Thresholds,
    distance_of,
    is_blocked,
    level_of,
)

ALERTS = {
    MarginLevel.WARN: ("margin.low", AuditLevel.WARNING),
    MarginLevel.CRITICAL: ("margin.critical", AuditLevel.CRITICAL),
}
ORDER = (MarginLevel.SAFE, MarginLevel.WARN, MarginLevel.CRITICAL)


def watch_margins() -> int:
    """One round over all positions; how many crossed a threshold for the worse."""
    with all_tenants("margins of every desk"):
        rows = list(_watched())
        marks = _marks(rows)
        thresholds = read_thresholds()
        blocked = {row.account_id: row for row in _blocks()}
    now, worse = db_now(), 0
    low: dict[int, tuple[Position, Nearness]] = {}
    held, known = set[int](), set[int]()
    for row in rows:
        near = nearness(row, marks.get((row.account.market, row.inst_id)))
        desk = thresholds.get(row.tenant_id, _defaults())
        with tenant_scope(row.tenant_id):
            worse += _tell(row, near, desk, now)
        if row.quantity:
            held.add(row.account_id)
            known |= {row.account_id} if near.is_known else set()
        before = row.account_id in blocked
        if row.quantity and is_blocked(near, desk, before=before):
            low.setdefault(row.account_id, (row, near))
    for account_id, (row, near) in low.items():
        if account_id not in blocked:
            block(row.account, words_of(row, near))
    # Of an account that holds something and told nothing about it, nothing changed.
    for account_id, breaker in blocked.items():
        if account_id not in low and (account_id in known or account_id not in held):
            close_breaker(breaker, _("There is enough margin again"))
    return worse


def read_thresholds() -> dict[int, dict[MarginLevel, Threshold]]:
    """By desk; what a desk did not set is the installation's."""
    found: dict[int, dict[MarginLevel, Threshold]] = defaultdict(_defaults)
    for row in MarginThreshold.objects.all():
        found[row.tenant_id][MarginLevel(row.level)] = Threshold(row.ratio, row.distance)
    return found


def nearness(row: Position, mark: Decimal | None) -> Nearness:
    """Of a flat position nothing is near."""
    if not row.quantity:
        return Nearness(None, None)
    price = mark or row.mark_price
    return Nearness(
        row.margin_ratio, distance_of(price, row.liquidation_price, rising=is_long(row))
    )


def words_of(row: Position, near: Nearness) -> str:
    told = [row.inst_id]
    if near.ratio is not None:
        told.append(_("margin ratio %(ratio)s %%") % {"ratio": f"{near.ratio * 100:.0f}"})
    if near.distance is not None:
        told.append(_("%(away)s %% from liquidation") % {"away": f"{near.distance * 100:.1f}"})
    return ", ".join(told)


def block(account: ExchangeAccount, words: str) -> bool:
    """Open nothing more on the account."""
    return open_breaker(Place(account.market, account), BreakerCause.MARGIN_LOW, words)


@retried
@transaction.atomic
def _tell(row: Position, near: Nearness, thresholds: Thresholds, now: datetime) -> bool:
    """Write down a level that changed; True when it is worse, and people were told."""
    watch = _watch_of(row)
    before = MarginLevel(watch.level) if watch else MarginLevel.SAFE
    if row.quantity and not near.is_known:
        return False  # where the exchange told nothing, nothing changed
    level = level_of(near, thresholds, before)
    if level == before:
        return False
    if watch is None:
        MarginWatch(position=row, level=level, changed_at=now).save(force_insert=True)
    else:
        won = MarginWatch.objects.filter(pk=watch.pk, level=before)
        if not won.update(level=level, changed_at=now):
            return False
    worse = ORDER.index(level) > ORDER.index(before)
    if worse or (level == MarginLevel.SAFE and row.quantity):
        action, severity = ALERTS.get(level, ("margin.safe", AuditLevel.NOTICE))
        audit.record(
            action=action,
            obj=row,
            level=severity,
            after={"account": str(row.account), "level": level},
            reason=words_of(row, near),
            tenant=row.tenant_id,
        )
    return worse


def _watch_of(row: Position) -> MarginWatch | None:
    found: MarginWatch | None = getattr(row, "margin_watch", None)
    return found


def _watched() -> Any:
    """What is held, and what was near while it was held."""
    told = MarginWatch.objects.exclude(level=MarginLevel.SAFE)
    held = Position.objects.exclude(quantity=0) | Position.objects.filter(
        pk__in=told.values("position_id")
    )
    return held.select_related("account__customer", "margin_watch").order_by("pk")


def _marks(rows: Sequence[Position]) -> dict[tuple[str, str], Decimal]:
    listed = {row.inst_id for row in rows}
    prices: Iterable[tuple[str, str, Decimal | None]] = MarketPrice.objects.filter(
        inst_id__in=listed
    ).values_list("market", "inst_id", "mark")
    return {(market, inst_id): mark for market, inst_id, mark in prices if mark is not None}


def _blocks() -> Any:
    return Breaker.objects.filter(
        cause=BreakerCause.MARGIN_LOW, state__in=NOT_CLOSED, account__isnull=False
    )


def _defaults() -> dict[MarginLevel, Threshold]:
    return {MarginLevel(name): Threshold(ratio) for name, ratio in settings.MARGIN_RATIOS.items()}
