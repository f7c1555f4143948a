"""The signals of one source, copied strictly one at a time, under a claim on its row."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from signals.enums import SignalReason, SignalStatus, SourceStatus
from signals.models import Signal, SignalSource
from trading.copying.cycles import settle_links
from trading.copying.deciding import Draft, decide
from trading.copying.leader import LeaderMove, leader_move, write_leader
from trading.copying.links import Link, links_of
from trading.copying.reading import Facts, read_facts, undecided
from trading.copying.writing import Outrun, write_drafts
from trading.enums import DecisionOutcome, Reason
from trading.events import orders_ready, signal_decided
from trading.faults import faultpoint
from trading.leases import db_now
from trading.models import Order
from trading.transition import retried

CHUNK = 200
# Whoever dies while it copies is followed after this; an opening lives a minute.
CLAIM = timedelta(seconds=15)
MAX_CLAIMS = 5
RACES = 3

log = logging.getLogger(__name__)


def copy_source(source_id: int) -> Iterator[list[Order]]:
    """Copy every waiting signal of a source and yield each one's orders, ready to be sent.

    Ends at once when another process holds the claim: that one goes on until nothing
    waits. Safe to run twice, late, or after a crash at any line.
    """
    with all_tenants("find the desk of a source"):
        tenant_id = SignalSource.objects.values_list("tenant_id", flat=True).get(pk=source_id)
    while True:
        with tenant_scope(tenant_id):
            orders = _copy_next(source_id)
        if orders is None:
            return
        if orders:
            yield orders


def _copy_next(source_id: int) -> list[Order] | None:
    """The orders of the next signal, or None when there is none or somebody else is at it."""
    if not Signal.objects.filter(source_id=source_id).waiting().exists():
        return None
    token = uuid.uuid4()
    lane_at = _claim(source_id, token)
    if lane_at is None:
        return None
    try:
        signal = (
            Signal.objects.filter(source_id=source_id)
            .waiting()
            .select_related("tenant", "source")
            .first()
        )
        if signal is None:
            return []
        if not _count_claim(signal):
            return []
        faultpoint("S2.claimed")
        return copy_signal(signal, lane_at=lane_at, keep_claim=partial(_renew, source_id, token))
    finally:
        _release(source_id, token)


def _claim(source_id: int, token: uuid.UUID) -> datetime | None:
    """Take the source for a while of the database's time; None when it is taken."""
    now = db_now()
    taken = (
        SignalSource.objects.filter(pk=source_id)
        .filter(Q(claim_until__isnull=True) | Q(claim_until__lt=now))
        .update(claim_token=token, claim_until=now + CLAIM)
    )
    return now if taken == 1 else None


def _renew(source_id: int, token: uuid.UUID) -> bool:
    """Keep the source for another while; False when somebody else has it by now."""
    until = db_now() + CLAIM
    held = SignalSource.objects.filter(pk=source_id, claim_token=token)
    renewed: int = held.update(claim_until=until)
    return renewed == 1


def _release(source_id: int, token: uuid.UUID) -> None:
    SignalSource.objects.filter(pk=source_id, claim_token=token).update(
        claim_token=None, claim_until=None
    )


@transaction.atomic
def _count_claim(signal: Signal) -> bool:
    """Count in a transaction of its own; set a signal aside that was claimed five times in vain."""
    Signal.objects.filter(pk=signal.pk).update(claims=F("claims") + 1)
    signal.claims += 1
    if signal.claims <= MAX_CLAIMS:
        return True
    Signal.objects.filter(pk=signal.pk).update(
        status=SignalStatus.QUARANTINED, reason=SignalReason.POISON
    )
    audit.record(
        action="signal.quarantined",
        obj=signal,
        level=AuditLevel.CRITICAL,
        reason=f"copying failed {MAX_CLAIMS} times",
        tenant=signal.tenant_id,
    )
    _announce(signal, [])
    return False


def copy_signal(
    signal: Signal, *, lane_at: datetime, keep_claim: Callable[[], bool] = lambda: True
) -> list[Order]:
    """Decide every link of a signal, chunk by chunk, and finish the signal with the last one.

    Stops where `keep_claim` says that another process goes on with it.
    """
    if signal.source.status == SourceStatus.DISABLED:
        with transaction.atomic():
            _finish(signal, None, timezone.now(), 0, reason=SignalReason.SOURCE_DISABLED)
            _announce(signal, [])
        return []
    links = links_of(signal)
    move = leader_move(signal)
    orders: list[Order] = []
    chunks = list(_chunks(links)) or [[]]
    for number, chunk in enumerate(chunks, start=1):
        if number > 1 and not keep_claim():
            break
        last = number == len(chunks)
        orders += _copy_chunk(signal, move, chunk, lane_at, len(links) if last else None)
        faultpoint("S2.chunk_committed")
    return orders


def _copy_chunk(
    signal: Signal,
    move: LeaderMove,
    links: Sequence[Link],
    lane_at: datetime,
    total: int | None,
) -> list[Order]:
    """One transaction: this chunk's decisions and orders, and with the last one the signal's end.

    Two sources may decide for one account at the same moment, and an order may leave while
    it is being taken back: one of them gets through and the other reads again.
    """
    for left in reversed(range(RACES)):
        try:
            return _try_chunk(signal, move, links, lane_at, total)
        except (IntegrityError, Outrun):
            if left == 0:
                raise
    return []


@retried
@transaction.atomic
def _try_chunk(
    signal: Signal,
    move: LeaderMove,
    links: Sequence[Link],
    lane_at: datetime,
    total: int | None,
) -> list[Order]:
    if not Signal.objects.filter(pk=signal.pk).waiting().exists():
        return []  # we slept longer than our claim lasted, and somebody else finished it
    now = timezone.now()
    open_links = undecided(signal, links)
    # What ended meanwhile counts now, whether or not its event has come.
    settle_links(signal, [link.uid for link in open_links])
    drafts = [_decided(signal, move, f, now) for f in read_facts(signal, open_links, now)]
    orders = write_drafts(signal, move, drafts, lane_at=lane_at, now=now)
    faultpoint("S2.mid_chunk")
    if total is not None:
        reason = SignalReason.NONE if total else SignalReason.NO_STRATEGY
        _finish(signal, move, now, total, reason=reason)
    _announce(signal, orders)
    return orders


def _announce(signal: Signal, orders: Sequence[Order]) -> None:
    transaction.on_commit(partial(signal_decided.send_robust, Signal, signal_id=str(signal.pk)))
    if orders:
        ids = [order.id for order in orders]
        transaction.on_commit(partial(orders_ready.send_robust, Order, order_ids=ids))


def _decided(signal: Signal, move: LeaderMove, facts: Facts, now: datetime) -> Draft:
    """The decision for one follower. One that cannot be decided keeps nobody else waiting."""
    try:
        return decide(signal, move, facts, now)
    except Exception as error:
        log.exception("signal %s cannot be decided for %s", signal.pk, facts.link.uid)
        audit.record(
            action="decision.failed",
            obj=signal,
            level=AuditLevel.CRITICAL,
            after={"account": str(facts.link.account), "error": type(error).__name__},
            reason=str(Reason.POISON.label),
            tenant=signal.tenant_id,
        )
        return Draft(facts, DecisionOutcome.DENIED, Reason.POISON, {})


def _finish(
    signal: Signal,
    move: LeaderMove | None,
    now: datetime,
    total: int,
    *,
    reason: SignalReason,
) -> None:
    finished = (
        Signal.objects.filter(pk=signal.pk)
        .waiting()
        .order_by()
        .update(status=SignalStatus.COPIED, copied_at=now, reason=reason)
    )
    if not finished:
        return
    if move is not None:
        write_leader(signal, move, now)
    audit.record(
        action="signal.copied",
        obj=signal,
        after={"followers": total, "reason": reason},
        tenant=signal.tenant_id,
    )


def _chunks(links: Sequence[Link]) -> Iterator[list[Link]]:
    rest = iter(links)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
