"""The take profits and stop losses that a leader has at the exchange, for who mirrors them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from django.db import transaction

from signals.enums import Direction, LeaderMarginMode
from signals.events import leader_stops_changed
from signals.models import LeaderAccount
from trading.exchange.algos import AlgoReport
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
        if (held.take_profit, held.stop_loss) != (take_profit, stop_loss):
            book.put(place, replace(held, take_profit=take_profit, stop_loss=stop_loss))
            changed = True
    if changed:
        transaction.on_commit(
            partial(leader_stops_changed.send_robust, LeaderAccount, leader_id=leader.pk)
        )


def stops_of(algos: Sequence[AlgoReport]) -> dict[Place, Prices]:
    """By what they protect; one for the whole position comes before one for a part of it."""
    found: dict[Place, Prices] = {}
    for report in sorted(algos, key=lambda each: each.quantity is not None):
        mode = report.margin_mode.value
        if not is_followed(report.inst_id) or mode not in LeaderMarginMode.values:
            continue
        if report.position_side is PositionSide.NET:
            direction = other(direction_of(report.side))
        else:
            direction = Direction(report.position_side.value)
        place = Place(report.inst_id, direction, LeaderMarginMode(mode))
        take_profit, stop_loss = found.get(place, (None, None))
        found[place] = (
            take_profit or (report.take_profit.price if report.take_profit else None),
            stop_loss or (report.stop_loss.price if report.stop_loss else None),
        )
    return found
