"""What a leader's trade does to what it holds, and what its followers are told of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from signals.enums import Direction, Intent, LeaderMarginMode
from trading.exchange.types import FillReport, PositionReport, PositionSide, Side

ZERO = Decimal(0)
PRICE_PLACES = Decimal(1).scaleb(-12)
DERIVATIVE_DASHES = 2  # BTC-USDT-SWAP, BTC-USD-261225; spot has one, options have four


class Place(NamedTuple):
    """Where a leader may hold something: the exchange keeps each apart from the others."""

    inst_id: str
    direction: Direction
    margin_mode: LeaderMarginMode


@dataclass(frozen=True, slots=True)
class Held:
    quantity: Decimal = ZERO
    entry: Decimal | None = None
    leverage: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    traded_at: datetime | None = None
    # A reading saw that they are for all of it, not for a part. Any trade puts that in doubt.
    stops_for_all: bool = False


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill with what its order tells besides. Without a margin mode it is looked for."""

    fill: FillReport
    margin_mode: LeaderMarginMode | None = None
    leverage: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None

    @property
    def key(self) -> str:
        """One name per fill, by whichever way it was heard. Both sides of a trade with oneself
        have its number, so that the order belongs to the name."""
        fill = self.fill
        return f"fill:{fill.inst_id}:{fill.trade_id}:{fill.exchange_order_id}"

    @property
    def order(self) -> tuple[datetime, int, str]:
        """In which order trades happened. Numbers grow; what is none comes by its text."""
        number = self.fill.trade_id
        return (self.fill.filled_at, int(number) if number.isdecimal() else 0, number)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to tell: in one direction, all margin modes together, absolute."""

    intent: Intent
    direction: Direction
    before: Decimal
    after: Decimal
    entry: Decimal | None = None

    @property
    def size(self) -> Decimal:
        """What was opened, added or taken away."""
        return abs(self.after - self.before)


@dataclass(slots=True)
class Book:
    """What a leader holds. Changed by trades; `touched` are the places that differ since."""

    held: dict[Place, Held] = field(default_factory=dict)
    inverse: frozenset[str] = frozenset()
    touched: set[Place] = field(default_factory=set)

    def of(self, place: Place) -> Held:
        return self.held.get(place, Held())

    def put(self, place: Place, held: Held) -> None:
        if self.held.get(place) != held:
            self.held[place] = held
            self.touched.add(place)

    def total(self, inst_id: str, direction: Direction) -> Decimal:
        return sum((self.of(place).quantity for place in self.places(inst_id, direction)), ZERO)

    def entry(self, inst_id: str, direction: Direction) -> Decimal | None:
        """The average over all margin modes."""
        average: Held = Held()
        for place in self.places(inst_id, direction):
            held = self.of(place)
            if held.quantity > 0 and held.entry is not None:
                entry = self.averaged(inst_id, average, held.quantity, held.entry)
                average = Held(average.quantity + held.quantity, entry)
        return average.entry

    def places(self, inst_id: str, direction: Direction) -> list[Place]:
        return [Place(inst_id, direction, mode) for mode in LeaderMarginMode]

    def averaged(self, inst_id: str, held: Held, quantity: Decimal, price: Decimal) -> Decimal:
        """The average entry when more is bought: of an inverse contract, coins are averaged."""
        if held.quantity == 0 or held.entry is None:
            return price
        total = held.quantity + quantity
        if inst_id in self.inverse:
            return total / (held.quantity / held.entry + quantity / price)
        return (held.quantity * held.entry + quantity * price) / total

    def take(self, *trades: Trade) -> list[Step]:
        """Carry trades of one instrument out and say what they meant together: nothing, one step,
        or one for each direction.

        A reduction never goes below nothing; what is too much of it was not heard before.
        """
        inst_id = trades[0].fill.inst_id
        totals = {each: self.total(inst_id, each) for each in Direction}
        for trade in trades:
            self._carry_out(trade)
        return steps(inst_id, totals, self)

    def _carry_out(self, trade: Trade) -> None:
        fill, mode = trade.fill, self.margin_mode(trade)
        reduced, opened = portions(trade, self, mode)
        if reduced is not None:
            self._reduce(reduced.place, reduced.quantity, fill)
        if opened is not None:
            self._open(opened.place, opened.quantity, trade)

    def margin_mode(self, trade: Trade) -> LeaderMarginMode:
        """A fill that was read does not say which: then where something is held that it fits."""
        if trade.margin_mode is not None:
            return trade.margin_mode
        fill = trade.fill
        if fill.position_side is PositionSide.NET:
            toward = direction_of(fill.side)
            candidates = [other(toward), toward]
        else:
            candidates = [Direction(fill.position_side.value)]
        for each in candidates:
            for place in self.places(fill.inst_id, each):
                if self.of(place).quantity > 0:
                    return place.margin_mode
        return LeaderMarginMode.CROSS

    def _reduce(self, place: Place, quantity: Decimal, fill: FillReport) -> None:
        held = self.of(place)
        left = max(held.quantity - quantity, ZERO)
        if left == 0:
            self.put(place, Held(leverage=held.leverage, traded_at=fill.filled_at))
        else:
            self.put(
                place, replace(held, quantity=left, stops_for_all=False, traded_at=fill.filled_at)
            )

    def _open(self, place: Place, quantity: Decimal, trade: Trade) -> None:
        held, fill = self.of(place), trade.fill
        self.put(
            place,
            replace(
                held,
                quantity=held.quantity + quantity,
                entry=self.averaged(fill.inst_id, held, quantity, fill.price),
                leverage=trade.leverage or held.leverage,
                take_profit=trade.take_profit or held.take_profit,
                stop_loss=trade.stop_loss or held.stop_loss,
                stops_for_all=False,
                traded_at=fill.filled_at,
            ),
        )


class Portion(NamedTuple):
    place: Place
    quantity: Decimal


def portions(
    trade: Trade, book: Book, mode: LeaderMarginMode
) -> tuple[Portion | None, Portion | None]:
    """What the trade takes away, and what it opens: in net mode one order may do both."""
    fill = trade.fill
    if fill.position_side is not PositionSide.NET:
        direction = Direction(fill.position_side.value)
        place = Place(fill.inst_id, direction, mode)
        portion = Portion(place, fill.quantity)
        return (portion, None) if closes(fill) else (None, portion)
    toward = direction_of(fill.side)
    against = Place(fill.inst_id, other(toward), mode)
    reduced = min(book.of(against).quantity, fill.quantity)
    opened = fill.quantity - reduced
    return (
        Portion(against, reduced) if reduced else None,
        Portion(Place(fill.inst_id, toward, mode), opened) if opened else None,
    )


def by_order(trades: Iterable[Trade]) -> list[list[Trade]]:
    """Trades that follow one another and are of the same order: what it did is one thing."""
    return [list(group) for _, group in groupby(trades, lambda each: each.fill.exchange_order_id)]


def together(trades: Sequence[Trade]) -> Trade:
    """Several fills of one order as one: the last, of the whole size at the average price."""
    last = trades[-1]
    if len(trades) == 1:
        return last
    quantity = sum((each.fill.quantity for each in trades), ZERO)
    value = sum((each.fill.quantity * each.fill.price for each in trades), ZERO)
    price = (value / quantity).quantize(PRICE_PLACES)
    return replace(last, fill=replace(last.fill, quantity=quantity, price=price))


def is_doubtful(trade: Trade, book: Book) -> bool:
    """Whether it only makes sense when something before it was not heard, or is a reversal.

    A close that overtook its opening on the way looks the same. What the exchange says of the
    position decides.
    """
    mode = book.margin_mode(trade)
    reduced, opened = portions(trade, book, mode)
    if reduced is None:
        # It made or lost money, so it closed something.
        return trade.fill.realized_pnl != 0
    return opened is not None or reduced.quantity > book.of(reduced.place).quantity


def steps(inst_id: str, before: Mapping[Direction, Decimal], book: Book) -> list[Step]:
    """What changed since, closes first; both sides of a reversal are one step."""
    found = []
    for direction in Direction:
        was, now = before[direction], book.total(inst_id, direction)
        if was != now:
            entry = book.entry(inst_id, direction)
            found.append(Step(_intent(was, now), direction, was, now, entry))
    found.sort(key=lambda step: step.after > step.before)
    if [step.intent for step in found] == [Intent.CLOSE, Intent.OPEN]:
        return [replace(found[1], intent=Intent.FLIP)]
    return found


def held_by(reports: Iterable[PositionReport]) -> dict[Place, Held]:
    """The exchange's whole list of positions, as far as it can be followed."""
    found: dict[Place, Held] = {}
    for report in reports:
        place = place_of(report)
        if place is not None and report.quantity != 0:
            found[place] = Held(
                abs(report.quantity),
                report.average_price,
                report.leverage,
                traded_at=report.updated_at,
            )
    return found


def place_of(report: PositionReport) -> Place | None:
    """Where a reported position is; None for what cannot be followed. An empty one of an account
    in net mode has no side: long stands for both."""
    if not is_followed(report.inst_id) or report.margin_mode.value not in LeaderMarginMode.values:
        return None
    if report.position_side is PositionSide.NET:
        direction = Direction.SHORT if report.quantity < 0 else Direction.LONG
    else:
        direction = Direction(report.position_side.value)
    return Place(report.inst_id, direction, LeaderMarginMode(report.margin_mode.value))


def is_followed(inst_id: str) -> bool:
    """Swaps and futures. Spot has no positions, and options are another trade."""
    return inst_id.count("-") == DERIVATIVE_DASHES


def direction_of(side: Side) -> Direction:
    return Direction.LONG if side is Side.BUY else Direction.SHORT


def other(direction: Direction) -> Direction:
    return Direction.SHORT if direction == Direction.LONG else Direction.LONG


def closes(fill: FillReport) -> Direction | None:
    """The direction that a fill of a long-short account closes; None when it opens, or nets."""
    if fill.position_side is PositionSide.NET:
        return None
    direction = Direction(fill.position_side.value)
    return None if direction == direction_of(fill.side) else direction


def _intent(before: Decimal, after: Decimal) -> Intent:
    if after == 0:
        return Intent.CLOSE
    if before == 0:
        return Intent.OPEN
    return Intent.ADD if after > before else Intent.REDUCE
