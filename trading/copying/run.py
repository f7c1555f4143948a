"""The signals of one source, copied strictly one at a time, under a claim on its row."""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from signals.enums import SignalPurpose, SignalReason, SignalStatus, SourceStatus
from signals.models import Signal, SignalSource
from signals.parsing import ParseError
from strategies.models import Strategy
from trading.copying.cycles import settle_links
from trading.copying.deciding import Deciding
from trading.copying.deciding_all import Unpriced, decide_all, unpriced
from trading.copying.leader import (
    LeaderMove,
    counts_otherwise,
    leader_move,
    without_openings,
    write_leader,
)
from trading.copying.links import Link, followers_of, read_links
from trading.copying.overlapping import may_overlap, overlapping
from trading.copying.reading import read_facts, read_frame, undecided
from trading.copying.restating import refuse, restate
from trading.copying.together import hold_caps
from trading.copying.writing import Outrun, Written, write_drafts
from trading.departing import Mark, MarkFailedError, mark_nobody
from trading.enums import LimitKind
from trading.events import orders_ready, signal_decided
from trading.faults import faultpoint
from trading.leases import db_now
from trading.models import Order
from trading.outgoing import Outgoing
from trading.pace import pace
from trading.switch import SwitchUnreadableError, hold_switches, read_switchboard
from trading.sync.freshening import freshen
from trading.transition import retried

# One transaction: what it asks is asked once for so many, and they are sent when it is over.
CHUNK = 500
# Whoever dies while it copies is followed after this; an opening lives a minute.
CLAIM = timedelta(seconds=15)
MAX_CLAIMS = 5
RACES = 3

Each = Callable[[Written], None]

log = logging.getLogger(__name__)


def _nothing(_written: Written) -> None:
    pass


def copy_source(
    source_id: int, each: Each = _nothing, mark: Mark = mark_nobody
) -> Iterator[list[Outgoing]]:
    """Copy every waiting signal of a source and yield each one's orders, ready to be sent.

    `each` is given them earlier, chunk by chunk, while the rest is still being decided. `mark`
    lets some leave with their chunk: they are `each`'s to send.
    Ends at once when another process holds the claim: that one goes on until nothing
    waits. Safe to run twice, late, or after a crash at any line.
    """
    with all_tenants("find the desk of a source"):
        tenant_id = SignalSource.objects.values_list("tenant_id", flat=True).get(pk=source_id)
    while True:
        with tenant_scope(tenant_id):
            orders = _copy_next(source_id, each, mark)
        if orders is None:
            return
        if orders:
            yield orders


def _copy_next(source_id: int, each: Each, mark: Mark) -> list[Outgoing] | None:
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
        keep = _Keeping(source_id, token)
        return copy_signal(signal, lane_at=lane_at, keep_claim=keep.on, each=each, mark=mark)
    finally:
        _release(source_id, token)


def _claim(source_id: int, token: uuid.UUID) -> datetime | None:
    """Take the source for a while of the database's time; None when it is taken.

    Returns since when it is held. What was asked before may lie behind what whoever had it
    meanwhile has given its orders, and in their lanes these would overtake the earlier ones.
    """
    now = db_now()
    taken = (
        SignalSource.objects.filter(pk=source_id)
        .filter(Q(claim_until__isnull=True) | Q(claim_until__lt=now))
        .update(claim_token=token, claim_until=now + CLAIM)
    )
    return db_now() if taken == 1 else None


class _Keeping:
    """Renews the claim when a third of it is over; until then nobody else can have it."""

    def __init__(self, source_id: int, token: uuid.UUID) -> None:
        self._source_id, self._token, self._since = source_id, token, time.monotonic()

    def on(self) -> bool:
        if time.monotonic() - self._since < CLAIM.total_seconds() / 3:
            return True
        self._since = time.monotonic()
        return _renew(self._source_id, self._token)


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
    signal: Signal,
    *,
    lane_at: datetime,
    keep_claim: Callable[[], bool] = lambda: True,
    each: Each = _nothing,
    mark: Mark = mark_nobody,
) -> list[Outgoing]:
    """Decide every link of a signal, chunk by chunk, and finish the signal with the last one.

    Who comes first is decided by lot. `each` is given the orders of a chunk once they are
    committed, here, even where chunks are copied side by side. Stops where `keep_claim` says
    that another process goes on with it.
    """
    move = _move_to_copy(signal)
    if move is None:
        return []
    followers = followers_of(signal)
    job = _Job(signal, move, lane_at, mark)
    orders: list[Outgoing] = []
    for made in _copied(job, _by_lot(followers), len(followers), keep_claim):
        faultpoint("S2.chunk_committed")
        if made.orders:
            each(made)
        orders += made.orders
    return orders


def _move_to_copy(signal: Signal) -> LeaderMove | None:
    """Where the signal takes the leader; None where it ended without being copied.

    What came in before its source was disabled may still take something off, and opens nothing.
    """
    if not restate(signal):
        _announce(signal, [])
        return None
    move = leader_move(signal)
    if counts_otherwise(signal, move):
        words = f"the open position is counted in {move.unit.value}"
        refuse(signal, ParseError("quantity.mode", words))
        _announce(signal, [])
        return None
    if signal.source.status != SourceStatus.DISABLED or signal.purpose == SignalPurpose.LEAVE:
        return move
    left = without_openings(move)
    if left is None:
        with transaction.atomic():
            _finish(signal, None, timezone.now(), 0, reason=SignalReason.SOURCE_DISABLED)
            _announce(signal, [])
    return left


def _copied(
    job: _Job, chunks: Sequence[Sequence[int]], total: int, keep_claim: Callable[[], bool]
) -> Iterator[Written]:
    if len(chunks) > 1 and may_overlap() and not _adds_up(job.signal, total):
        whole = yield from _side_by_side(job, chunks, keep_claim)
        chunks = [[]] if whole else []
    elif len(chunks) > 1:
        chunks = [*chunks, []]
    # Where there are several, the last orders leave before the signal ends, by itself.
    for number, chunk in enumerate(chunks, start=1):
        if number > 1 and not keep_claim():
            return
        yield _copy_chunk(job, chunk, total if number == len(chunks) else None)


def _side_by_side(
    job: _Job, chunks: Sequence[Sequence[int]], keep_claim: Callable[[], bool]
) -> Generator[Written, None, bool]:
    """Copy all chunks without ending the signal; False when somebody else goes on with it."""
    copied = 0
    jobs = [partial(_copy_chunk, job, chunk, None) for chunk in chunks]
    for made in overlapping(jobs, keep_claim):
        copied += 1
        yield made
    return copied == len(chunks)


def _adds_up(signal: Signal, orders: int) -> bool:
    """Might a limit meet what several chunks open together? Each must see the one before then."""
    if signal.account_id is None and Strategy.objects.waiting_for(signal.source_id).exists():
        return True
    board = read_switchboard(signal.tenant_id)
    limits = [limit for own in board.limits.values() for limit in own]
    if any(limit.kind == LimitKind.DESK_NOTIONAL for limit in limits):
        return True
    caps = [limit.value for limit in limits if limit.kind == LimitKind.SYSTEM_SENDS]
    return bool(caps) and pace.of_all() + pace.share(orders) >= min(caps)


@dataclass(frozen=True, slots=True)
class _Job:
    """A signal that is being copied, where it takes the leader, and who may let orders leave."""

    signal: Signal
    move: LeaderMove
    lane_at: datetime
    mark: Mark
    # Is the market asked before somebody is refused for want of a price?
    asks: bool = True


def _copy_chunk(job: _Job, followers: Sequence[int], total: int | None) -> Written:
    """One transaction: this chunk's decisions and orders, and with the last one the signal's end.

    Where a price is missing it is decided once more with what the market says.
    """
    try:
        return _raced(job, followers, total)
    except Unpriced as missing:
        freshen(missing.places)
    return _raced(replace(job, asks=False), followers, total)


def _raced(job: _Job, followers: Sequence[int], total: int | None) -> Written:
    """Two sources may decide for one account at the same moment, and an order may leave while
    it is being taken back: one of them gets through and the other reads again.
    """
    for left in reversed(range(RACES)):
        try:
            # The first to claim a signal need not ask what another one did with it before: the
            # keys of decisions are unique, and this would fail.
            alone = job.signal.claims <= 1 and left == RACES - 1
            return _try_chunk(job, followers, total, alone=alone)
        except (IntegrityError, Outrun):
            if left == 0:
                raise
        except MarkFailedError:
            log.exception("signal %s: its orders wait to be looked at again", job.signal.pk)
            job = replace(job, mark=mark_nobody)
    return Written()


@retried
@transaction.atomic
def _try_chunk(job: _Job, followers: Sequence[int], total: int | None, *, alone: bool) -> Written:
    signal, move = job.signal, job.move
    if not alone and not Signal.objects.filter(pk=signal.pk).waiting().exists():
        return Written()  # we slept longer than our claim lasted, and somebody else finished it
    # Who is marked below leaves by what is read from here on.
    mark = job.mark if _holds_switches(signal.tenant_id) else mark_nobody
    links = read_links(signal, followers)
    open_links = links if alone else undecided(signal, links)
    # What ended meanwhile counts now, whether or not its event has come.
    begun = settle_links(signal, [link.uid for link in open_links])
    if begun:  # their cycles may have been waited for: what was read before may be old
        open_links = _again(signal, open_links)
    now = db_now()
    frame = read_frame(signal, open_links, now, begun)
    hold_caps(signal, open_links, frame.switchboard)
    facts = read_facts(signal, open_links, now, frame, begun)
    drafts = decide_all(signal, Deciding(signal, move, now), facts)
    if job.asks and (places := unpriced(drafts)):
        raise Unpriced(places)
    written = write_drafts(
        signal, move, drafts, frame.around(), lane_at=job.lane_at, now=now, mark=mark
    )
    faultpoint("S2.mid_chunk")
    if total is not None:
        reason = SignalReason.NONE if total else SignalReason.NO_STRATEGY
        _finish(signal, move, now, total, reason=reason)
    _announce(signal, written.orders)
    return written


def _again(signal: Signal, links: Sequence[Link]) -> list[Link]:
    """The same links as they are by now."""
    if signal.is_by_hand:
        return read_links(signal, followers_of(signal))
    return read_links(signal, [link.subscription_id for link in links if link.subscription_id])


def _holds_switches(tenant_id: int) -> bool:
    """Decisions need no switch, only what is sent does: it is refused when it would leave."""
    try:
        hold_switches([tenant_id])
    except SwitchUnreadableError:
        log.exception("the switches of desk %s cannot be held: nothing leaves at once", tenant_id)
        return False
    return True


def _announce(signal: Signal, orders: Sequence[Outgoing]) -> None:
    transaction.on_commit(partial(signal_decided.send_robust, Signal, signal_id=str(signal.pk)))
    if orders:
        ids = [order.id for order in orders]
        transaction.on_commit(partial(orders_ready.send_robust, Order, order_ids=ids))


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


def _by_lot(followers: Sequence[int]) -> list[list[int]]:
    """Who is in the first chunk, and so on, by lot; within a chunk in the order given."""
    drawn = random.sample(followers, len(followers))
    return [sorted(drawn[start : start + CHUNK]) for start in range(0, len(drawn), CHUNK)] or [[]]
