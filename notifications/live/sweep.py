"""Changes that no open page was told of, because a process died between commit and relay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import Max

from accounts.fields import first_uuid7
from accounts.models import AuditEntry
from accounts.tenancy import all_tenants
from notifications.enums import Stream
from notifications.live.finding import LOUD, Source
from notifications.live.relay import Posted, listening_desks, relay
from notifications.models import LiveEvent
from signals.models import Signal
from trading.leases import db_now
from trading.models import Balance, Decision, Fill, Order, OrderEvent, Position

LOOK_BACK = timedelta(seconds=30)
# Younger changes are still on their way.
UNDER_WAY = timedelta(seconds=1)
# Of each kind, the newest: whoever has more to tell tells it by the next of them.
MOST = 500
KEPT = timedelta(hours=24)
KEPT_PER_DESK = 10_000
_STREAMS = {
    Source.SIGNALS: Stream.SIGNALS,
    Source.ORDERS: Stream.ORDERS,
    Source.ACCOUNTS: Stream.EQUITY,
    Source.ENTRIES: Stream.ATTENTION,
}
WHY = "live events of every desk are looked after together"


@dataclass(frozen=True, slots=True)
class _Change:
    tenant_id: int
    source: Source
    id: Any
    at: datetime


def sweep_missed() -> list[Posted]:
    """Relay the changes of the last half minute that have no event; what is to be sent."""
    with all_tenants(WHY):
        now = db_now()
        tenants = sorted(listening_desks())
        if not tenants:
            return []
        changes = list(_changes(tenants, now))
        told = _told(tenants, now - LOOK_BACK)
    missed: dict[Source, set[Any]] = defaultdict(set)
    for change in changes:
        stream = str(_STREAMS[change.source])
        heard = (told.get((change.tenant_id, stream, i)) for i in (str(change.id), ""))
        if not any(at is not None and at >= change.at for at in heard):
            missed[change.source].add(change.id)
    return relay(missed) if missed else []


def forget_old() -> int:
    """Delete events after a day, and all but the newest 10,000 of a desk."""
    with all_tenants(WHY):
        now = db_now()
        deleted = 0
        for tenant_id in (
            LiveEvent.objects.order_by().values_list("tenant_id", flat=True).distinct()
        ):
            events = LiveEvent.objects.filter(tenant_id=tenant_id)
            times = events.order_by("-at").values_list("at", flat=True)
            newest_gone = times[KEPT_PER_DESK : KEPT_PER_DESK + 1].first()
            limit = max(filter(None, (newest_gone, now - KEPT)))
            deleted += events.filter(at__lte=limit).delete()[0]
        return deleted


def _changes(tenants: list[int], now: datetime) -> Iterator[_Change]:
    since, until = now - LOOK_BACK, now - UNDER_WAY
    own: dict[str, Any] = {"tenant_id__in": tenants}
    made = {**own, "pk__gte": first_uuid7(since)}
    fills = Fill.objects.filter(**made, order__isnull=False)
    kinds = (
        (Source.ORDERS, Order.objects.filter(**made), "pk", "created_at"),
        (Source.ORDERS, OrderEvent.objects.filter(**made), "order_id", "at"),
        (Source.ORDERS, fills, "order_id", "received_at"),
        (Source.SIGNALS, Signal.objects.filter(**made), "pk", "received_at"),
        (Source.SIGNALS, Decision.objects.filter(**made), "signal_id", "decided_at"),
        (Source.ENTRIES, AuditEntry.objects.filter(**made, level__in=LOUD), "pk", "at"),
    )
    newest = (
        (source, rows.order_by("-pk").values_list("tenant_id", name, at)[:MOST])
        for source, rows, name, at in kinds
    )
    held = (
        (
            Source.ACCOUNTS,
            model.objects.filter(**own, updated_at__gte=since)
            .order_by()
            .values("tenant_id", "account_id")
            .annotate(last=Max("updated_at"))
            .values_list("tenant_id", "account_id", "last")[:MOST],
        )
        for model in (Position, Balance)
    )
    for source, rows in chain(newest, held):
        for tenant_id, key, at in rows:
            if since <= at <= until:
                yield _Change(tenant_id, source, key, at)


def _told(tenants: list[int], since: datetime) -> dict[tuple[int, str, str], datetime]:
    """When each object was last told of; the empty id stands for "everything"."""
    events = LiveEvent.objects.filter(tenant_id__in=tenants, at__gte=since).order_by()
    last = events.values_list("tenant_id", "stream", "object_id").annotate(last=Max("at"))
    return {(tenant_id, stream, key): at for tenant_id, stream, key, at in last}
