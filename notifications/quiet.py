"""Alerts that announced maintenance explains: people are told of the maintenance, once, instead.

The entries stay in the diary, and the message that it is over says how many there were.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.models import AuditEntry
from trading.enums import BreakerCause, BreakerState
from trading.models import Breaker, Order
from trading.sync.maintenance import EXPLAINED


@dataclass(frozen=True, slots=True)
class _Freeze:
    market: str
    since: datetime
    until: datetime | None

    def covers(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at <= self.until)


def explained(ids: Collection[UUID]) -> set[UUID]:
    """Which of these entries need no message of their own; one small query on ordinary days."""
    freezes = _freezes()
    if not freezes:
        return set()
    rows = AuditEntry.objects.filter(pk__in=ids, action__in=EXPLAINED).values_list(
        "pk", "at", "object_type", "object_id", "after"
    )
    found = list(rows)
    markets = _markets(found)
    return {
        pk
        for pk, at, kind, key, after in found
        if any(
            freeze.market == (after.get("market") or markets.get((kind, key))) and freeze.covers(at)
            for freeze in freezes
        )
    }


def _freezes() -> list[_Freeze]:
    rows = Breaker.objects.filter(cause=BreakerCause.MAINTENANCE, opened_at__isnull=False)
    found = []
    for row in rows:
        over = row.closed_at if row.state == BreakerState.CLOSED else None
        found.append(_Freeze(row.market, row.opened_at, over))
    return found


def _markets(
    rows: list[tuple[UUID, datetime, str, str, dict[str, str]]],
) -> dict[tuple[str, str], str]:
    """The market of each object that an entry is about."""
    markets: dict[tuple[str, str], str] = {}
    for label, model in (("trading.order", Order), ("trading.breaker", Breaker)):
        keys = {key for _pk, _at, kind, key, _after in rows if kind.lower() == label}
        if keys:
            named = model._base_manager.filter(pk__in=keys).values_list("pk", "market")
            by_key = {str(pk): market for pk, market in named}
            markets |= {
                (kind, key): by_key[key]
                for _pk, _at, kind, key, _after in rows
                if kind.lower() == label and key in by_key
            }
    return markets
