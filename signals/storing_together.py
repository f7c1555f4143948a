"""Writing down several judged calls with a few statements, however many they are.

What is there already is asked once for all of them. Should another process store one of them
at the same moment, the unique keys say so, and nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import DatabaseError, transaction
from django.db.models import Count, Q

from accounts.bulk import insert_many
from accounts.contention import urgent
from accounts.tenancy import all_tenants
from signals.afterwards import Counts, announce, count_when_stored, event_of
from signals.enums import SignalStatus
from signals.holding import overtake
from signals.models import Signal, SignalNonce
from signals.noting import note
from signals.storing import LIMITED_KINDS, Judged, NonceReplayed, RateExceeded, Received

Outcome = Received | Exception


class CommitUnknown(DatabaseError):  # noqa: N818 - says what happened
    """The commit failed: whether anything was stored is not known."""


SECOND = timedelta(seconds=1)


def store_together(calls: Sequence[Judged]) -> list[Outcome]:
    """Each call's outcome, as `storing.store` has it, in their order; all of it is committed.

    Raises DatabaseError with nothing stored, IntegrityError when somebody else was quicker.
    """
    with all_tenants("calls that come together may be of several desks"):
        seen = _look(calls)
        outcomes = [_outcome(one, seen) for one in calls]
        if seen.nonces or seen.signals:
            _write(seen)
    return outcomes


@dataclass(slots=True)
class _Seen:
    """What was there, with what these calls add; the lists are to be written."""

    firsts: dict[tuple[int, str], Signal]
    used: set[tuple[int, str]]
    recent: dict[int, list[datetime]]
    nonces: list[SignalNonce] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    counts: list[tuple[int, Counts]] = field(default_factory=list)


def _look(calls: Sequence[Judged]) -> _Seen:
    """Three questions, and a fourth where a source is near to what it may send in a second."""
    sources = {one.call.source.pk for one in calls}
    known_as = {one.known_as for one in calls if one.known_as is not None}
    hashes = {one.call.nonce_hash for one in calls if one.call.nonce_hash is not None}
    firsts = Signal.objects.filter(source_id__in=sources, dedupe_hash__in=known_as).order_by()
    used = SignalNonce.objects.filter(source_id__in=sources, nonce_hash__in=hashes)
    return _Seen(
        firsts={(one.source_id, str(one.dedupe_hash)): one for one in firsts} if known_as else {},
        used=set(used.values_list("source_id", "nonce_hash")) if hashes else set(),
        recent=_recent(calls),
    )


def _recent(calls: Sequence[Judged]) -> dict[int, list[datetime]]:
    """When the signals of the last second came, of those sources that may send too many now."""
    limited = [one.call.source for one in calls if one.call.source.kind in LIMITED_KINDS]
    coming = Counter(source.pk for source in limited)
    since = min(one.call.received_at for one in calls) - SECOND
    # Naming every status lets the index answer.
    late = Q(source_id__in=set(coming), status__in=SignalStatus.values, received_at__gt=since)
    rows = Signal.objects.filter(late).order_by()
    there = dict(rows.values_list("source_id").annotate(Count("pk"))) if coming else {}
    near = {
        source.pk
        for source in limited
        if there.get(source.pk, 0) + coming[source.pk] > source.rate_per_second
    }
    recent: dict[int, list[datetime]] = {source: [] for source in near}
    if near:
        times = rows.filter(source_id__in=near).values_list("source_id", "received_at")
        for source, received_at in times:
            recent[source].append(received_at)
    return recent


def _outcome(one: Judged, seen: _Seen) -> Outcome:
    call, signal = one.call, one.signal
    source = call.source.pk
    first = None if one.known_as is None else seen.firsts.get((source, one.known_as))
    if first is None and _is_too_fast(one, seen):
        return RateExceeded()
    if call.nonce_hash is not None:
        if (source, call.nonce_hash) in seen.used:
            return NonceReplayed()
        seen.used.add((source, call.nonce_hash))
        seen.nonces.append(
            SignalNonce(
                tenant_id=call.source.tenant_id,
                source=call.source,
                nonce_hash=call.nonce_hash,
                used_at=call.received_at,
            )
        )
    if first is not None:
        seen.counts.append((source, Counts(duplicates=1)))
        return Received(first, duplicate=True)
    if signal.dedupe_hash is not None:
        seen.firsts[source, signal.dedupe_hash] = signal
    seen.recent.get(source, []).append(call.received_at)
    seen.signals += [signal] if one.held is None else [signal, one.held]
    seen.counts.append((source, Counts(heard_at=call.received_at)))
    return Received(signal, duplicate=False)


def _is_too_fast(one: Judged, seen: _Seen) -> bool:
    recent = seen.recent.get(one.call.source.pk)
    if recent is None:
        return False
    since = one.call.received_at - SECOND
    return sum(at > since for at in recent) >= one.call.source.rate_per_second


@urgent()
def _write(seen: _Seen) -> None:
    committing = False
    try:
        with transaction.atomic():
            _insert(seen)
            committing = True
    except DatabaseError as error:
        if committing:
            raise CommitUnknown(str(error)) from error
        raise


def _insert(seen: _Seen) -> None:
    SignalNonce.objects.bulk_create(seen.nonces)
    insert_many(seen.signals)
    overtake(seen.signals)
    note(seen.signals)
    for signal in seen.signals:
        event = event_of(signal)
        transaction.on_commit(partial(announce, event, signal.pk, signal.source_id))
    for source, counts in seen.counts:
        count_when_stored(source, counts)
