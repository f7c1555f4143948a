"""Numbering what audiences are told, and sending it to whoever is listening.

The rows of the streams are locked while their numbers are given, so that of several relays one
numbers an audience's stream at a time. What is sent may be lost or arrive out of order: the
reader sees it by the numbers and asks for the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from channels.layers import get_channel_layer
from django.db import connection, transaction

from accounts.bulk import insert_many
from accounts.tenancy import all_tenants
from notifications.live.audiences import audience_group
from notifications.live.finding import Ids, Source, Told, asked_who_they_are, concerned
from notifications.models import LiveEvent, LiveStream
from trading.leases import db_now
from trading.transition import retried

# For so long after somebody last listened, events are kept for whoever comes back.
LISTENED = timedelta(hours=24)
# More objects than this in one batch are one event: look at everything again.
MOST_OBJECTS = 100
MANY = "many"
SENT_AT_ONCE = 50
WHY = "changes of several desks are told together"

log = logging.getLogger(__name__)
Key = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """What to look at again."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Consecutive events of one audience's stream; `items` may be fewer than the numbers."""

    stream: str
    first: int
    seq: int
    items: tuple[Item, ...]

    def as_message(self) -> dict[str, Any]:
        return {**asdict(self), "items": [asdict(item) for item in self.items]}


Posted = tuple[str, dict[str, Any]]  # a group and what its sockets are sent


def relay(ids: Ids) -> list[Posted]:
    """Number and store what these changes mean to each audience; what is to be sent now.

    May be repeated: an audience is told once more to look at the same thing.
    """
    with all_tenants(WHY):
        desks = listening_desks()
        told = [one for one in concerned(ids) if one.tenant_id in desks] if desks else []
        asked = asked_who_they_are(ids.get(Source.ENTRIES, ())) if desks else set()
        posted = publish(told) if told else []
    return posted + [(group, {"type": "live.check"}) for group in sorted(asked)]


def listening_desks() -> set[int]:
    """Desks of which somebody had a page open within a day; the others cost one question."""
    rows = LiveStream.objects.filter(heard_at__gt=db_now() - LISTENED).order_by()
    return set(rows.values_list("tenant_id", flat=True).distinct())


def publish(told: Sequence[Told]) -> list[Posted]:
    """Give numbers to what is told; audiences that nobody listens to get none."""
    wanted: dict[Key, list[Told]] = {}
    for one in told:
        wanted.setdefault((one.tenant_id, one.audience, str(one.stream)), []).append(one)
    return _number(wanted)


@retried
@transaction.atomic
def _number(wanted: dict[Key, list[Told]]) -> list[Posted]:
    now = db_now()
    rows = [row for row in _listened(wanted, now) if _key(row) in wanted]
    posted: list[Posted] = []
    events: list[LiveEvent] = []
    for row in rows:
        items = _items(wanted[_key(row)])
        first = row.last_seq + 1
        row.last_seq += len(items)
        events += [_event(row, first + place, item, now) for place, item in enumerate(items)]
        frame = Frame(row.stream, first, row.last_seq, tuple(items))
        group = audience_group(row.tenant_id, row.audience)
        posted.append((group, {"type": "live.frame", **frame.as_message()}))
    _store(rows)
    insert_many(events)
    return posted


def _listened(wanted: Collection[Key], now: datetime) -> Iterable[LiveStream]:
    rows: Iterable[LiveStream] = (
        LiveStream.objects.select_for_update()
        .filter(
            tenant_id__in={tenant_id for tenant_id, _, _ in wanted},
            audience__in={audience for _, audience, _ in wanted},
            stream__in={stream for _, _, stream in wanted},
            heard_at__gt=now - LISTENED,
        )
        .order_by("pk")
    )
    return rows


def _key(row: LiveStream) -> Key:
    return (row.tenant_id, row.audience, row.stream)


def _items(told: Sequence[Told]) -> list[Item]:
    if len(told) > MOST_OBJECTS:
        return [Item(MANY, "")]
    return [Item(one.kind, one.object_id) for one in told]


def _event(row: LiveStream, seq: int, item: Item, now: datetime) -> LiveEvent:
    return LiveEvent(
        tenant_id=row.tenant_id,
        audience=row.audience,
        stream=row.stream,
        seq=seq,
        kind=item.kind,
        object_id=item.id,
        at=now,
    )


def _store(rows: Sequence[LiveStream]) -> None:
    """One statement to the driver, however many audiences hear of it."""
    table = connection.ops.quote_name(LiveStream._meta.db_table)
    statement = f"UPDATE {table} SET last_seq = %s WHERE id = %s"  # noqa: S608 - our own table
    with connection.cursor() as cursor:
        if rows:
            cursor.executemany(statement, [(row.last_seq, row.pk) for row in rows])


async def post(posted: Sequence[Posted]) -> None:
    """Hand it to the channel layer. What cannot be sent is found by whoever misses it."""
    layer = get_channel_layer()
    together = getattr(layer, "group_send_many", None)
    try:
        if together is not None:
            await together(posted)
            return
        for start in range(0, len(posted), SENT_AT_ONCE):
            some = posted[start : start + SENT_AT_ONCE]
            await asyncio.gather(*(layer.group_send(group, message) for group, message in some))
    except Exception as error:  # noqa: BLE001 - any layer, any error: sockets look into the rows
        log.warning("%s live messages were not sent: %s", len(posted), error)
