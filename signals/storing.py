"""Writing a signal down once: the unique keys decide which delivery is the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from accounts.contention import urgent
from accounts.tenancy import all_tenants
from signals.afterwards import Counts, announce, count_when_stored, event_of
from signals.enums import SignalStatus, SourceKind
from signals.holding import overtake
from signals.models import Signal, SignalNonce, SignalSource
from signals.noting import note

if TYPE_CHECKING:
    from accounts.models import User
    from customers.models import ExchangeAccount

T = TypeVar("T")

# What comes over the street; what the desk itself enters must never wait.
LIMITED_KINDS = frozenset({SourceKind.WEBHOOK, SourceKind.API})
ATTEMPTS = 3
MYSQL_DEADLOCK = 1213


class NonceReplayed(Exception):  # noqa: N818 - says what happened
    """This call was made before. Nothing was stored."""


class RateExceeded(Exception):  # noqa: N818 - says what happened
    """The source sent more new signals in this second than it may. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Received:
    """`signal` may be refused: look at its status. A duplicate carries the first one's signal."""

    signal: Signal
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Call:
    """How a signal came in, apart from what it says."""

    source: SignalSource
    raw: str
    received_at: datetime
    nonce_hash: str | None = None
    created_by: User | None = None
    account: ExchangeAccount | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A call and the signal it is to become.

    `known_as` is what it would be a duplicate by, also when it is refused; None for what could
    not be read.
    """

    call: Call
    signal: Signal
    known_as: str | None
    # The opening half of a reversal that was divided: stored with its signal, and held.
    held: Signal | None = None

    @property
    def is_refused(self) -> bool:
        return self.signal.status == SignalStatus.REFUSED


@urgent()
def store(judged: Judged) -> Received:
    """Store it once, or say of which one it is a duplicate.

    Raises NonceReplayed and RateExceeded, having stored nothing.
    """
    call, signal = judged.call, judged.signal
    if judged.is_refused:
        first = first_of(call.source, judged.known_as)
        if first is not None:
            return store_duplicate(call, first)
    return _store_new(call, signal, judged.held)


def _store_new(call: Call, signal: Signal, held: Signal | None) -> Received:
    """Insert without asking first: only a clash costs a look at what is there."""
    if call.source.kind in LIMITED_KINDS and _is_too_fast(call):
        # A retry must be told of its first signal however busy the second is.
        first = first_of(call.source, signal.dedupe_hash)
        if first is None:
            raise RateExceeded
        return store_duplicate(call, first)
    try:
        _unless_deadlocked(partial(_insert, call, signal, held))
    except IntegrityError:
        if _is_nonce_used(call):
            raise NonceReplayed from None
        first = first_of(call.source, signal.dedupe_hash)
        if first is None:
            raise
        return store_duplicate(call, first)
    return Received(signal, duplicate=False)


def store_duplicate(call: Call, first: Signal) -> Received:
    """Use the nonce up and count; the signal stays the first one's."""
    try:
        _unless_deadlocked(partial(_insert, call, None))
    except IntegrityError:
        raise NonceReplayed from None
    return Received(first, duplicate=True)


def first_of(source: SignalSource, dedupe_hash: str | None) -> Signal | None:
    if dedupe_hash is None:
        return None
    found: Signal | None = Signal.objects.filter(source=source, dedupe_hash=dedupe_hash).first()
    return found


def prune_nonces(*, keep: timedelta) -> int:
    """Forget the nonces of calls whose timestamp would be refused by now anyway."""
    with all_tenants("nonces of every desk expire alike"):
        deleted, _ = SignalNonce.objects.filter(used_at__lt=timezone.now() - keep).delete()
    return int(deleted)


@transaction.atomic
def _insert(call: Call, signal: Signal | None, held: Signal | None = None) -> None:
    """Nonce and signal, or for a duplicate the nonce alone."""
    if call.nonce_hash is not None:
        SignalNonce(
            tenant_id=call.source.tenant_id,
            source=call.source,
            nonce_hash=call.nonce_hash,
            used_at=call.received_at,
        ).save(force_insert=True)
    if signal is None:
        count_when_stored(call.source.pk, Counts(duplicates=1))
        return
    stored = [signal] if held is None else [signal, held]
    for one in stored:
        one.save(force_insert=True)
        transaction.on_commit(partial(announce, event_of(one), one.pk, call.source.pk))
    overtake(stored)
    note(stored)
    count_when_stored(call.source.pk, Counts(heard_at=call.received_at))


def _unless_deadlocked(write: Callable[[], T]) -> T:
    """Do it again when MySQL chose this transaction to break a deadlock."""
    for _ in range(ATTEMPTS - 1):
        try:
            return write()
        except OperationalError as error:
            if error.args[0] != MYSQL_DEADLOCK or connection.in_atomic_block:
                raise
    return write()


def _is_nonce_used(call: Call) -> bool:
    return (
        call.nonce_hash is not None
        and SignalNonce.objects.filter(source=call.source, nonce_hash=call.nonce_hash).exists()
    )


def _is_too_fast(call: Call) -> bool:
    """Whether the last second is full. Naming every status lets the index answer."""
    recent = Signal.objects.filter(
        source=call.source,
        status__in=SignalStatus.values,
        received_at__gt=call.received_at - timedelta(seconds=1),
    )
    return bool(recent.count() >= call.source.rate_per_second)
