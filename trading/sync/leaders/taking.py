"""What a leader's socket told becomes signals, at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from accounts.contention import retried, urgent
from signals.models import LeaderAccount
from trading.exchange.types import BalanceReport, PositionReport
from trading.sync.leaders.books import claimed, fresh, note_trades, read_book, write_book
from trading.sync.leaders.moves import (
    Book,
    Held,
    Place,
    Trade,
    by_order,
    is_doubtful,
    is_followed,
    other,
    place_of,
    portions,
    together,
)
from trading.sync.leaders.telling import Teller

# The exchange dates a position a few milliseconds after the fill that made it.
SAME_MOMENT = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class News:
    """What came in together, in the order in which it came."""

    trades: tuple[Trade, ...] = ()
    positions: tuple[PositionReport, ...] = ()
    balance: BalanceReport | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some news.

    `parked` trades make no sense by what is known, and wait until a reading or a position says
    more. `differs`: a position is not what the trades led to.
    """

    told: int = 0
    parked: tuple[Trade, ...] = ()
    differs: bool = False


@urgent()
@retried
def take_news(leader_id: int, tenant_id: int, news: News) -> Taken:
    """Make signals of the trades that are new and write down the rest. May be repeated.

    The leader must have been read once: before that nobody knows what a trade means.
    """
    with claimed(leader_id, tenant_id) as (leader, now):
        _hear(leader, news.balance)
        trades = [trade for trade in fresh(leader, news.trades) if is_followed(trade.fill.inst_id)]
        positions = [report for report in news.positions if place_of(report) is not None]
        inst_ids = {trade.fill.inst_id for trade in trades}
        book = read_book(leader, inst_ids | {report.inst_id for report in positions})
        certain, parked = _sort_out(trades, book, positions)
        teller = Teller(leader, now)
        carry_out(leader, book, certain, teller, now, by_reading=False)
        differs = _compare(book, positions)
        write_book(leader, book, now)
        leader.heard_at = now
        leader.save(update_fields=["equity", "equity_at", "said_at", "heard_at"])
    return Taken(teller.told, tuple(parked), differs)


def carry_out(
    leader: LeaderAccount,
    book: Book,
    trades: Sequence[Trade],
    teller: Teller,
    now: datetime,
    *,
    by_reading: bool,
) -> None:
    """Carry these trades out in the book and tell of each. They must be new, and in order.

    Fills of one order that came together are told of together: its followers' orders would only
    wait for one another.
    """
    noted = []
    for group in by_order(trades):
        noted += [(trade, book.margin_mode(trade)) for trade in group]
        whole, mode = together(group), noted[-1][1]
        for part, step in enumerate(book.take(*group)):
            teller.step(whole, step, mode, part)
    if noted:
        note_trades(leader, noted, now, by_reading=by_reading)


def write_equity(leader: LeaderAccount, balance: BalanceReport) -> None:
    """Keep the newest; it is stored with the row."""
    if leader.equity_at is None or leader.equity_at <= balance.updated_at:
        leader.equity, leader.equity_at = balance.total_equity_usd, balance.updated_at


def _hear(leader: LeaderAccount, balance: BalanceReport | None) -> None:
    if balance is not None and balance.total_equity_usd > 0:
        write_equity(leader, balance)


def _sort_out(
    trades: Iterable[Trade], book: Book, positions: Sequence[PositionReport]
) -> tuple[list[Trade], list[Trade]]:
    """What may be told at once, and what must wait, with all that follows it in its instrument."""
    certain, parked, stuck = [], [], set[str]()
    ahead = Book(dict(book.held), book.inverse)
    for trade in trades:
        inst_id = trade.fill.inst_id
        doubted = is_doubtful(trade, ahead) and not _is_confirmed(trade, ahead, positions)
        if inst_id in stuck or doubted:
            stuck.add(inst_id)
            parked.append(trade)
        else:
            ahead.take(trade)
            certain.append(trade)
    return certain, parked


def _is_confirmed(trade: Trade, book: Book, positions: Sequence[PositionReport]) -> bool:
    """Whether a position came along that is exactly where the trade leads."""
    mode = book.margin_mode(trade)
    _reduced, opened = portions(trade, book, mode)
    if opened is None:
        return False
    return any(
        place_of(report) == opened.place
        and abs(report.quantity) == opened.quantity
        and report.updated_at + SAME_MOMENT >= trade.fill.filled_at
        for report in positions
    )


def _compare(book: Book, positions: Sequence[PositionReport]) -> bool:
    """Take entry and leverage from what agrees; whether something newer does not."""
    differs = False
    for report in positions:
        place = place_of(report)
        assert place is not None  # noqa: S101 - sorted out before
        held, against = book.of(place), book.of(_opposite(place))
        is_net = report.position_side.value == "net"
        if held.quantity == abs(report.quantity) and not (is_net and against.quantity):
            if held.quantity:
                book.put(place, _as_reported(held, report))
        elif _is_newer(report, held) and _is_newer(report, against):
            differs = True
    return differs


def _as_reported(held: Held, report: PositionReport) -> Held:
    return replace(
        held,
        entry=report.average_price or held.entry,
        leverage=report.leverage or held.leverage,
    )


def _is_newer(report: PositionReport, held: Held) -> bool:
    return held.traded_at is None or report.updated_at + SAME_MOMENT >= held.traded_at


def _opposite(place: Place) -> Place:
    return place._replace(direction=other(place.direction))
