"""The take profits and stop losses that a leader has at the exchange, for who mirrors them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from django.db import transaction

from signals.enums import Direction, LeaderMarginMode
from signals.events import leader_stops_changed
from signals.models import LeaderAccount
from trading.exchange.algos import AlgoReport, AlgoType
from trading.exchange.types import PositionSide
from trading.sync.leaders.moves import Book, Place, direction_of, is_followed, other

Prices = tuple[Decimal | None, Decimal | None]


def take_stops(leader: LeaderAccount, book: Book, algos: Sequence[AlgoReport] | None) -> None:
    """Write them on what they protect, and announce when one is another than before."""
    if algos is None:
        return
    found = stops_of(algos)
    changed = False
    for place, held in list(book.held.items()):
        take_profit, stop_loss = found.get(place, (None, None)) if held.quantity else (None, None)
        for_all = held.quantity > 0 and are_for_all(algos, place, held.quantity)
        before = (held.take_profit, held.stop_loss, held.stops_for_all)
        if before != (take_profit, stop_loss, for_all):
            known = replace(
                held, take_profit=take_profit, stop_loss=stop_loss, stops_for_all=for_all
            )
            book.put(place, known)
            changed = True
    if changed:
        transaction.on_commit(
            partial(leader_stops_changed.send_robust, LeaderAccount, leader_id=leader.pk)
        )


def is_older(algos: Sequence[AlgoReport], heard: Iterable[AlgoReport]) -> bool:
    """Whether what was read is of before what a socket told."""
    read = {report.exchange_algo_id: report for report in algos}
    return any(
        _is_before(read.get(told.exchange_algo_id), told)
        for told in heard
        if told.algo_type is not AlgoType.OTHER
    )


def _is_before(read: AlgoReport | None, told: AlgoReport) -> bool:
    if read is None or told.state.is_final:
        return (read is None) != told.state.is_final
    if read.updated_at is None or told.updated_at is None:
        return False
    return read.updated_at < told.updated_at


def stops_of(algos: Sequence[AlgoReport]) -> dict[Place, Prices]:
    """By what they protect; one for the whole position comes before one for a part of it."""
    found: dict[Place, Prices] = {}
    for report in sorted(algos, key=lambda each: each.quantity is not None):
        place = _protects(report)
        if place is None:
            continue
        take_profit, stop_loss = found.get(place, (None, None))
        found[place] = (
            take_profit or (report.take_profit.price if report.take_profit else None),
            stop_loss or (report.stop_loss.price if report.stop_loss else None),
        )
    return found


def are_for_all(algos: Sequence[AlgoReport], place: Place, held: Decimal) -> bool:
    """Whether take profit and stop loss have one price each, for the whole position.

    One for a part, as who takes profit in steps has them, says nothing of what followers
    should have for all of theirs.
    """
    here = [report for report in algos if _protects(report) == place]
    profits = [(r.take_profit.price, r.quantity) for r in here if r.take_profit]
    losses = [(r.stop_loss.price, r.quantity) for r in here if r.stop_loss]
    return all(_is_one(legs, held) for legs in (profits, losses))


def _is_one(legs: Sequence[tuple[Decimal | None, Decimal | None]], held: Decimal) -> bool:
    if not legs:
        return True
    sizes = [held if size is None else size for _price, size in legs]
    return len({price for price, _size in legs}) == 1 and sum(sizes) >= held


def _protects(report: AlgoReport) -> Place | None:
    mode = report.margin_mode.value
    if not is_followed(report.inst_id) or mode not in LeaderMarginMode.values:
        return None
    if report.position_side is PositionSide.NET:
        direction = other(direction_of(report.side))
    else:
        direction = Direction(report.position_side.value)
    return Place(report.inst_id, direction, LeaderMarginMode(mode))
