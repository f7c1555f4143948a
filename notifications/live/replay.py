"""What a reader missed, from the rows. Everything here reads in the scope of one desk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.tenancy import all_tenants, tenant_scope
from notifications.live.entry import Visitor
from notifications.live.relay import LISTENED, Frame, Item
from notifications.models import LiveEvent, LiveStream

MOST_REPLAYED = 1000
# Two clocks may differ, and a page takes a moment to be made.
SLACK = timedelta(seconds=2)
# An older page is read again whatever the events say.
OLD_PAGE_S = 3600
# So often at most somebody's listening is noted.
NOTED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Opened:
    """Where a reader goes on, what it missed, and where nobody can say what it missed."""

    positions: dict[str, int] = field(default_factory=dict)
    missed: list[Frame] = field(default_factory=list)
    resync: list[str] = field(default_factory=list)


def open_streams(
    visitor: Visitor, wanted: Mapping[str, int | None], rendered: float | None
) -> Opened:
    """Take up these streams where the reader left them, or where its page was rendered.

    A stream without a number begins at the first event after `rendered` (seconds of the
    epoch), else now.
    """
    with tenant_scope(visitor.tenant_id):
        now = timezone.now()
        rows, unheard = _listen(visitor, wanted, now)
        if rendered is not None and now.timestamp() - rendered > OLD_PAGE_S:
            unheard |= {stream for stream, last in wanted.items() if last is None}
        opened = Opened()
        for stream, last in wanted.items():
            current = rows[stream]
            frame = _missed(
                visitor, stream, _start(visitor, stream, last, rendered, current), current
            )
            knows = last is not None or rendered is not None
            if frame is None or (knows and stream in unheard):
                opened.resync.append(stream)
                opened.positions[stream] = current
            else:
                opened.positions[stream] = frame.first - 1
                opened.missed.extend([frame] if frame.items else [])
        return opened


def catch_up(visitor: Visitor, positions: Mapping[str, int]) -> Opened:
    """What came after these positions. May be asked at any time."""
    with tenant_scope(visitor.tenant_id):
        rows = _rows(visitor).filter(stream__in=positions)
        current = dict(rows.values_list("stream", "last_seq"))
        opened = Opened()
        for stream, last in positions.items():
            frame = _missed(visitor, stream, last, current.get(stream, last))
            if frame is None:
                opened.resync.append(stream)
                opened.positions[stream] = current[stream]
            else:
                opened.missed.append(frame)
        return opened


def keep_listening(visitor: Visitor) -> None:
    """Note, now and then, that events must still be numbered for this audience."""
    with tenant_scope(visitor.tenant_id):
        now = timezone.now()
        _rows(visitor).filter(heard_at__lt=now - NOTED).update(heard_at=now)


def current_numbers(
    audiences: Collection[tuple[int, str]],
) -> dict[tuple[int, str], dict[str, int]]:
    """Where every stream of these audiences stands, in one query for a whole process."""
    wanted = set(audiences)
    found: dict[tuple[int, str], dict[str, int]] = {}
    with all_tenants("one look for the sockets of several desks"):
        rows = LiveStream.objects.filter(
            tenant_id__in={tenant_id for tenant_id, _ in wanted},
            audience__in={audience for _, audience in wanted},
        )
        for tenant_id, audience, stream, seq in rows.values_list(
            "tenant_id", "audience", "stream", "last_seq"
        ):
            if (tenant_id, audience) in wanted:
                found.setdefault((tenant_id, audience), {})[stream] = seq
    return found


def _rows(visitor: Visitor) -> Any:
    return LiveStream.objects.filter(audience=visitor.audience)


def _listen(
    visitor: Visitor, streams: Collection[str], now: datetime
) -> tuple[dict[str, int], set[str]]:
    """Where the streams stand, and those in which nothing was numbered until now."""
    rows = {row.stream: row for row in _rows(visitor).filter(stream__in=streams)}
    unheard = {name for name in streams if name not in rows}
    for name in unheard:
        _begin(visitor, name, now)
    lapsed = [row.pk for row in rows.values() if row.heard_at <= now - LISTENED]
    stale = [row.pk for row in rows.values() if row.heard_at <= now - NOTED]
    if stale:
        LiveStream.objects.filter(pk__in=stale).update(heard_at=now)
    if unheard or stale:
        # What was numbered between the first look and this one counts.
        rows = {row.stream: row for row in _rows(visitor).filter(stream__in=streams)}
    unheard |= {row.stream for row in rows.values() if row.pk in lapsed}
    return {name: rows[name].last_seq for name in streams}, unheard


def _begin(visitor: Visitor, stream: str, now: datetime) -> None:
    try:
        with transaction.atomic():
            LiveStream(audience=visitor.audience, stream=stream, heard_at=now).save()
    except IntegrityError:
        return  # another socket was first


def _start(
    visitor: Visitor, stream: str, last: int | None, rendered: float | None, current: int
) -> int:
    """The reader's own number, or that before the first event its page may not show yet."""
    if last is not None or rendered is None:
        return current if last is None else last
    since = datetime.fromtimestamp(rendered, UTC) - SLACK
    later = LiveEvent.objects.filter(audience=visitor.audience, stream=stream, at__gte=since)
    first = later.order_by("at", "seq").values_list("seq", flat=True).first()
    return current if first is None else min(first - 1, current)


def _missed(visitor: Visitor, stream: str, last: int, current: int) -> Frame | None:
    """One frame of everything after `last`, perhaps empty; None when too much or too old."""
    if last > current or current - last > MOST_REPLAYED:
        return None
    if last == current:
        return Frame(stream, last + 1, last, ())
    events = LiveEvent.objects.filter(
        audience=visitor.audience, stream=stream, seq__gt=last, seq__lte=current
    )
    found = list(events.order_by("seq").values_list("kind", "object_id"))
    if len(found) != current - last:
        return None
    items = dict.fromkeys(Item(kind, object_id) for kind, object_id in found)
    return Frame(stream, last + 1, current, tuple(items))
