"""Who does a job at the moment, and who is alive: conditional UPDATEs on the database's clock."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Q
from django.utils import timezone

from trading.models import Heartbeat, JobLease, SocketLease, StreamLease

ALIVE_S = 25
FORGOTTEN_S = 86_400

P = ParamSpec("P")
R = TypeVar("R")
_heartbeats: dict[tuple[int, str], uuid.UUID] = {}
_leaving: set[int] = set()


def db_now() -> datetime:
    """The database's time: two hosts never agree on theirs. SQLite has the host's."""
    if connection.vendor != "mysql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOW(6)")
        moment: datetime = cursor.fetchone()[0]
    return moment.replace(tzinfo=UTC)


@contextmanager
def job_lease(name: str, seconds: float) -> Iterator[bool]:
    """Hold a periodic job for at most `seconds`; False when somebody else does it.

    A holder that dies is followed by another when its time is over.
    """
    owner = uuid.uuid4()
    held = take_job(name, owner, seconds)
    try:
        yield held
    finally:
        if held:
            give_back_job(name, owner)


def single_flight(name: str, seconds: float) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Run the function in one process at a time; the others return None at once."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @wraps(function)
        def alone(*args: P.args, **kwargs: P.kwargs) -> R | None:
            with job_lease(name, seconds) as held:
                return function(*args, **kwargs) if held else None

        return alone

    return decorate


def take_job(name: str, owner: uuid.UUID, seconds: float) -> bool:
    """Take or renew a job; whoever has it keeps it until its time is over or it is given back."""
    now = db_now()
    if not JobLease.objects.filter(name=name).exists():
        _insert_once(JobLease(name=name))
    free = Q(until__isnull=True) | Q(until__lt=now) | Q(owner=owner)
    until = now + timedelta(seconds=seconds)
    return (
        JobLease.objects.filter(free, name=name).update(owner=owner, until=until, ran_at=now) == 1
    )


def give_back_job(name: str, owner: uuid.UUID) -> None:
    JobLease.objects.filter(name=name, owner=owner).update(owner=None, until=None)


def beat_heartbeat(kind: str, note: str = "") -> None:
    """Say that this process is alive; one that is leaving says it no more."""
    if is_leaving():
        return
    key = (os.getpid(), kind)
    now = db_now()
    row_id = _heartbeats.setdefault(key, uuid.uuid4())
    if Heartbeat.objects.filter(id=row_id).update(beat_at=now, note=note[:200]):
        return
    Heartbeat.objects.filter(kind=kind, beat_at__lt=now - timedelta(seconds=FORGOTTEN_S)).delete()
    # Two tasks of one process may both come first.
    _insert_once(
        Heartbeat(
            id=row_id,
            kind=kind,
            host=socket.gethostname()[:120],
            pid=os.getpid(),
            started_at=now,
            beat_at=now,
            note=note[:200],
        )
    )


def end_heartbeat(kind: str) -> None:
    """Say that this process leaves, so that nobody waits for it."""
    row_id = _heartbeats.pop((os.getpid(), kind), None)
    if row_id is not None:
        Heartbeat.objects.filter(id=row_id).delete()


def leave() -> None:
    """This process ends: nobody shares work out to it from here on."""
    _leaving.add(os.getpid())
    for pid, kind in list(_heartbeats):
        if pid == os.getpid():
            end_heartbeat(kind)


def is_leaving() -> bool:
    """Was this process asked to end?"""
    return os.getpid() in _leaving


def alive_count(kind: str, within_s: float = ALIVE_S) -> int:
    """How many processes of a kind were heard lately."""
    since = db_now() - timedelta(seconds=within_s)
    return Heartbeat.objects.filter(kind=kind, beat_at__gte=since).count()


def alive_counts(*kinds: str) -> dict[str, int]:
    """How many processes of each of these kinds were heard lately: one question for all."""
    since = db_now() - timedelta(seconds=ALIVE_S)
    heard = Heartbeat.objects.filter(kind__in=kinds, beat_at__gte=since).order_by()
    found = dict(heard.values_list("kind").annotate(n=Count("pk")))
    return {kind: found.get(kind, 0) for kind in kinds}


def alive_here(kind: str) -> int:
    """How many processes of a kind on this host were heard lately, at least this one."""
    since = db_now() - timedelta(seconds=ALIVE_S)
    heard = Heartbeat.objects.filter(kind=kind, beat_at__gte=since)
    return max(heard.filter(host=socket.gethostname()[:120]).count(), 1)


def fair_capacity(accounts: int, copies: int) -> int:
    """How many sockets one of several copies keeps: its share, and a little more."""
    share = -(-accounts // max(copies, 1))
    return share if copies <= 1 else share + max(1, share // 10)


def claim_streams(
    owner: uuid.UUID,
    account_ids: Collection[int],
    *,
    seconds: float,
    capacity: int,
    rows: type[SocketLease] = StreamLease,
) -> frozenset[int]:
    """Renew this copy's sockets, take free ones, give back what is too much; what it holds.

    A socket is free when nobody had it or its keeper's time is over. Account ids no longer
    wanted are given back.
    """
    now = db_now()
    until = now + timedelta(seconds=seconds)
    wanted = set(account_ids)
    mine = set(_held(rows, owner))
    kept = set(sorted(mine & wanted)[:capacity])
    release_streams(owner, mine - kept, rows=rows)
    if kept:
        rows.objects.filter(owner=owner, account_id__in=kept).update(until=until)
    room = capacity - len(kept)
    if room > 0 and wanted - kept:
        _take_free(rows, owner, sorted(wanted - kept), now, until, room)
    return frozenset(_held(rows, owner)) & frozenset(wanted)


def release_streams(
    owner: uuid.UUID,
    account_ids: Collection[int] | None = None,
    *,
    rows: type[SocketLease] = StreamLease,
) -> None:
    """Give sockets back, or all of them."""
    held = rows.objects.filter(owner=owner)
    if account_ids is not None:
        held = held.filter(account_id__in=account_ids)
    held.update(owner=None, until=None)


def _held(rows: type[SocketLease], owner: uuid.UUID) -> list[int]:
    return list(rows.objects.filter(owner=owner).values_list("account_id", flat=True))


def _take_free(
    rows: type[SocketLease],
    owner: uuid.UUID,
    account_ids: list[int],
    now: datetime,
    until: datetime,
    room: int,
) -> None:
    theirs = rows.objects.filter(account_id__in=account_ids)
    known = dict(theirs.values_list("account_id", "until"))
    # Another process may be first with some of them.
    rows.objects.bulk_create(
        [rows(account_id=i, changed_at=now) for i in account_ids if i not in known],
        ignore_conflicts=True,
    )
    free = [i for i in account_ids if (held := known.get(i)) is None or held < now][:room]
    lapsed = Q(until__isnull=True) | Q(until__lt=now)
    rows.objects.filter(lapsed, account_id__in=free).update(
        owner=owner, until=until, changed_at=now, state="connecting", reason=""
    )


def _insert_once(row: JobLease | Heartbeat) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return  # another process was first
