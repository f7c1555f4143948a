"""A reading of a leader against its books: missed trades are told of, and what is left explained.

The first reading says what there was before: it is written down and never copied. Later, the
exchange's positions win: what no trade explains is told as one target, once it is certain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from accounts import audit
from accounts.contention import retried
from accounts.enums import AuditLevel
from accounts.tenancy import tenant_scope
from signals.enums import Direction
from signals.leaders import record_position
from signals.models import LeaderAccount, LeaderTrade
from trading.exchange.algos import AlgoReport
from trading.leases import db_now
from trading.sync.leaders.books import claimed, fresh, note_trades, read_book, write_book
from trading.sync.leaders.drift import mend_drifts
from trading.sync.leaders.evidence import Difference, Evidence
from trading.sync.leaders.moves import Book, Held, Place, held_by
from trading.sync.leaders.reading import OVERLAP, Reading
from trading.sync.leaders.stops import take_stops
from trading.sync.leaders.taking import carry_out, write_equity
from trading.sync.leaders.telling import Gap, Teller

REACH = timedelta(days=3)  # of the exchange's fills

LATE = timedelta(seconds=30)


class Verdict(StrEnum):
    SETTLED = "settled"
    AGAIN = "again"  # more was heard meanwhile: this reading says nothing of positions
    WAITING = "waiting"  # something differs that is not believed yet


@dataclass(frozen=True, slots=True)
class Before:
    """What is known before a reading: from when on to read, and which trades are known."""

    since: datetime | None
    known: frozenset[str]


def before_reading(leader_id: int, tenant_id: int) -> Before:
    """Without the claim: a trade that is told meanwhile is only looked up once more."""
    with tenant_scope(tenant_id):
        leader = LeaderAccount.objects.only("snapshot_at", "known_until").get(pk=leader_id)
        if leader.snapshot_at is None or leader.known_until is None:
            return Before(None, frozenset())
        since = max(leader.known_until - OVERLAP, db_now() - REACH)
        trades = LeaderTrade.objects.filter(leader=leader, traded_at__gte=since)
        rows = trades.values_list("inst_id", "trade_id", "exchange_order_id")
        return Before(since, frozenset(f"fill:{i}:{t}:{o}" for i, t, o in rows))


def settle(leader_id: int, tenant_id: int, reading: Reading, evidence: Evidence) -> Verdict:
    """Write a reading down. May be repeated, and may run beside another.

    What was seen is added to the evidence once all is committed.
    """
    verdict, judged = _settle_alone(leader_id, tenant_id, reading, evidence)
    evidence.seen = judged.seen
    return verdict


@retried
def _settle_alone(
    leader_id: int, tenant_id: int, reading: Reading, evidence: Evidence
) -> tuple[Verdict, Evidence]:
    judged = evidence.copy()
    with claimed(leader_id, tenant_id) as (leader, now):
        write_equity(leader, reading.balance)
        leader.read_at = leader.heard_at = now
        verdict = _settle(leader, reading, judged, now)
        leader.save(
            update_fields=[
                "equity",
                "equity_at",
                "said_at",
                "read_at",
                "heard_at",
                "snapshot_at",
                "known_until",
                "drifts",
            ]
        )
    return verdict, judged


@retried
def settle_stops(leader_id: int, tenant_id: int, algos: Sequence[AlgoReport]) -> None:
    """Write down the stops alone: they changed, and what the leader holds did not."""
    with claimed(leader_id, tenant_id) as (leader, now):
        if leader.snapshot_at is None:
            return
        book = read_book(leader)
        take_stops(leader, book, algos)
        write_book(leader, book, now)
        leader.heard_at = now
        leader.save(update_fields=["heard_at"])


def _settle(leader: LeaderAccount, reading: Reading, evidence: Evidence, now: datetime) -> Verdict:
    theirs = held_by(reading.positions)
    if leader.snapshot_at is None:
        _begin(leader, reading, theirs, now)
        return Verdict.SETTLED
    is_behind = _is_behind(leader, reading)
    book, teller = read_book(leader), Teller(leader, now)
    carry_out(leader, book, fresh(leader, reading.trades), teller, now, by_reading=True)
    if is_behind:
        write_book(leader, book, now)
        return Verdict.AGAIN
    differences = _differences(book, theirs)
    believed = evidence.believed(differences, theirs, now)
    for difference in sorted(believed, key=lambda each: each.theirs > each.ours):
        _follow(leader, book, difference, theirs, teller, reading)
    open_ones = {(each.inst_id, each.direction) for each in differences if each not in believed}
    _agree(book, theirs, except_for=open_ones)
    take_stops(leader, book, reading.algos)
    write_book(leader, book, now)
    if open_ones:
        return Verdict.WAITING
    leader.known_until = max(reading.read_at, leader.known_until or reading.read_at)
    if not believed:
        mend_drifts(leader, book, teller, now)
    return Verdict.SETTLED


def _begin(
    leader: LeaderAccount, reading: Reading, theirs: Mapping[Place, Held], now: datetime
) -> None:
    """What the leader holds already is its own affair."""
    book = read_book(leader)
    for place in book.held.keys() | theirs.keys():
        book.put(place, _as_read(book, place, theirs))
    for inst_id, direction in _sides(book):
        quantity, entry = book.total(inst_id, direction), book.entry(inst_id, direction)
        record_position(leader.source, inst_id, direction, quantity, entry, now)
    take_stops(leader, book, reading.algos)
    write_book(leader, book, now)
    older = [(trade, book.margin_mode(trade)) for trade in fresh(leader, reading.trades)]
    note_trades(leader, older, now, by_reading=True, is_older=True)
    leader.snapshot_at, leader.known_until = now, reading.read_at
    held = sum(1 for each in theirs.values() if each.quantity)
    audit.record(
        action="leader.followed",
        obj=leader,
        after={"positions": held},
        level=AuditLevel.NOTICE,
        reason="What it held before is not copied.",
    )


def _is_behind(leader: LeaderAccount, reading: Reading) -> bool:
    """Whether a late trade is known that the reading does not have: its positions are of before.

    One that is missing for longer is the exchange's affair, and its positions count.
    """
    read = {trade.key for trade in reading.trades}
    late = max(reading.since, reading.read_at - LATE)
    rows = LeaderTrade.objects.filter(leader=leader, traded_at__gte=late)
    known = rows.values_list("inst_id", "trade_id", "exchange_order_id")
    return any(f"fill:{i}:{t}:{o}" not in read for i, t, o in known)


def _sides(book: Book) -> list[tuple[str, Direction]]:
    return sorted({(place.inst_id, place.direction) for place in book.held})


def _differences(book: Book, theirs: Mapping[Place, Held]) -> list[Difference]:
    truth = Book(dict(theirs))
    found = []
    for inst_id, direction in sorted({*_sides(book), *_sides(truth)}):
        ours, real = book.total(inst_id, direction), truth.total(inst_id, direction)
        if ours != real:
            found.append(Difference(inst_id, direction, ours, real))
    return found


def _follow(
    leader: LeaderAccount,
    book: Book,
    difference: Difference,
    theirs: Mapping[Place, Held],
    teller: Teller,
    reading: Reading,
) -> None:
    inst_id, direction = difference.inst_id, difference.direction
    places = book.places(inst_id, direction)
    for place in places:
        book.put(place, _as_read(book, place, theirs))
    held = [theirs[place] for place in places if place in theirs]
    mode = next((place.margin_mode for place in places if place in theirs), None)
    dated = [each.traded_at for each in held if each.traded_at is not None]
    teller.gap(
        Gap(
            inst_id,
            direction,
            difference.ours,
            difference.theirs,
            name=f"position:{inst_id}:{direction.value}:{int(reading.read_at.timestamp() * 1000)}",
            words=(
                f"held {difference.theirs:f} where {difference.ours:f} was known, "
                "and no trade says why"
            ),
            at=max(dated, default=reading.read_at),
            entry=book.entry(inst_id, direction),
        ),
        mode,
    )


def _agree(
    book: Book, theirs: Mapping[Place, Held], *, except_for: Collection[tuple[str, Direction]]
) -> None:
    """Where the sums are the same, the exchange knows best how they are made up."""
    for place in _all(book, theirs):
        if (place.inst_id, place.direction) in except_for:
            continue
        held, real = book.of(place), theirs.get(place)
        if real is None:
            if held.quantity:
                book.put(place, Held(traded_at=held.traded_at))
            continue
        known = replace(
            held,
            quantity=real.quantity,
            entry=real.entry or held.entry,
            leverage=real.leverage or held.leverage,
        )
        book.put(place, known)


def _as_read(book: Book, place: Place, theirs: Mapping[Place, Held]) -> Held:
    """Stops are read apart: a reading without them must not seem to say that there are none."""
    real, before = theirs.get(place), book.of(place)
    if real is None:
        return Held()
    return replace(real, take_profit=before.take_profit, stop_loss=before.stop_loss)


def _all(book: Book, theirs: Mapping[Place, Held]) -> Iterable[Place]:
    return sorted(book.held.keys() | theirs.keys())
