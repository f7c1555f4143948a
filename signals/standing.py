"""What a message about a whole position means, beside the position that we know of.

Senders with one position per instrument say what they traded and where that led. Where their
last position is not ours, a message was lost: what they traded is then no guide, only where they
are. Pure, but for `read_standing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Any

from signals.enums import Direction, Intent, QuantityMode, SignalStatus, Stance, Unit
from signals.models import LeaderPosition, Signal
from signals.parsing import Net, ParseError, Quantity

ZERO = Decimal(0)
HUNDRED = Decimal(100)
PLACES = Decimal(1).scaleb(-18)
# A position of many digits is one of cheap coins: the default context keeps 28 of them.
_EXACT = Context(prec=80)
READS = 3
WAITING = (SignalStatus.ACCEPTED, SignalStatus.HELD)

InUnit = Callable[[Quantity], tuple[Decimal, Unit | None]]


@dataclass(frozen=True, slots=True)
class Held:
    quantity: Decimal = ZERO
    unit: Unit = Unit.CONTRACTS


@dataclass(frozen=True, slots=True)
class Standing:
    """How much a source holds of one instrument each way, as far as we know."""

    long: Held = Held()
    short: Held = Held()

    @property
    def side(self) -> Stance:
        """The larger one, should there be two: a sender that nets has one at most."""
        if self.long.quantity == self.short.quantity == 0:
            return Stance.FLAT
        return Stance.LONG if self.long.quantity >= self.short.quantity else Stance.SHORT

    def of(self, direction: Direction) -> Held:
        return self.long if direction == Direction.LONG else self.short

    def after(self, signal: Signal) -> Standing:
        """Where this signal takes it."""
        if not signal.direction or signal.intent == Intent.CANCEL:
            return self
        direction = Direction(signal.direction)
        own = self.of(direction)
        unit = own.unit if own.quantity > 0 else Unit(signal.unit)
        now = Held(moved(signal, own.quantity), unit)
        both = {direction.value: now}
        if signal.intent == Intent.FLIP:
            both[opposite(direction).value] = Held(unit=unit)
        return replace(self, **both)


@dataclass(frozen=True, slots=True)
class Stated:
    """`Net` with its quantities in `unit`. `amount` of a reduction may be a percentage."""

    toward: Direction | None
    before: Stance | None
    after: Stance | None
    amount: Decimal | None = None
    is_percent: bool = False
    size: Decimal | None = None
    share: Decimal | None = None
    unit: Unit = Unit.CONTRACTS
    # Whether amounts can be added and subtracted: percentages of a balance that moves cannot.
    adds_up: bool = True

    def as_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__slots__}
        return {n: str(v) if isinstance(v, Decimal) else v for n, v in told.items()}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Stated:
        decimals = {n: None if told[n] is None else Decimal(told[n]) for n in _DECIMALS}
        return cls(
            toward=None if told["toward"] is None else Direction(told["toward"]),
            before=None if told["before"] is None else Stance(told["before"]),
            after=None if told["after"] is None else Stance(told["after"]),
            is_percent=told["is_percent"],
            unit=Unit(told["unit"]),
            adds_up=told["adds_up"],
            **decimals,
        )


_DECIMALS = ("amount", "size", "share")


@dataclass(frozen=True, slots=True)
class Move:
    """A signal as it is to be followed. `gap`: the sender came from a position we did not know."""

    intent: Intent
    direction: Direction
    quantity: Decimal | None = None
    is_percent: bool = False
    gap: bool = False


def opposite(direction: Direction) -> Direction:
    return Direction.SHORT if direction == Direction.LONG else Direction.LONG


def stated_by(net: Net, quantity: Quantity | None, in_unit: InUnit) -> Stated:
    """What was said, counted as positions are counted. Raises ParseError as `in_unit` does."""
    amount, unit = (None, None) if quantity is None else in_unit(quantity)
    size, unit_of_size = (None, None) if net.size is None else in_unit(net.size)
    return Stated(
        toward=net.toward,
        before=net.before,
        after=net.after,
        amount=amount,
        is_percent=quantity is not None and quantity.mode == QuantityMode.PERCENT,
        size=size,
        share=net.share,
        unit=unit or unit_of_size or Unit.CONTRACTS,
        adds_up=quantity is None or quantity.mode in (QuantityMode.BASE, QuantityMode.CONTRACTS),
    )


def settle(stated: Stated, standing: Standing) -> Move:
    """What is to be done. Raises ParseError where the two are not counted alike."""
    known = standing.side
    if stated.after is None:
        return _cancel(known) if stated.toward is None else _traded(stated, standing)
    gap = stated.before is not None and stated.before != known
    if stated.after == Stance.FLAT:
        return Move(Intent.CLOSE, _left_side(stated, known), gap=gap)
    side = Direction(stated.after)
    if stated.toward not in (None, side):
        return replace(_reduced(stated, standing), gap=gap)
    return replace(_grown(stated, standing, gap=gap), gap=gap)


def apply(signal: Signal, move: Move) -> None:
    """Make the signal say what is to be done; what was sent stays in its payload."""
    signal.intent, signal.direction = move.intent, move.direction
    signal.quantity = move.quantity
    if move.is_percent:
        signal.quantity_mode, signal.quantity_value = QuantityMode.PERCENT, move.quantity
    signal.has_gap = move.gap


def read_standing(
    source_id: int, inst_id: str, waiting_as: Collection[SignalStatus] = WAITING
) -> Standing:
    """Where all that this source sent so far takes it, copied or not."""
    rows = LeaderPosition.objects.filter(source_id=source_id, scope_key="", inst_id=inst_id)
    waiting = Signal.objects.filter(
        source_id=source_id,
        inst_id=inst_id,
        account__isnull=True,
        status__in=waiting_as,
    ).order_by("received_at", "id")
    for _ in range(READS):
        held, signals = _held(rows), list(waiting)
        if _held(rows) == held:  # or one was copied between the two, and counts twice or never
            break
    return standing_after(Standing(**held), signals)


def standing_after(standing: Standing, signals: Iterable[Signal]) -> Standing:
    for signal in signals:
        standing = standing.after(signal)
    return standing


def _held(rows: Any) -> dict[str, Held]:
    return {
        direction: Held(quantity, Unit(unit))
        for direction, quantity, unit in rows.values_list("direction", "quantity", "unit")
    }


def moved(signal: Signal, before: Decimal) -> Decimal:
    """Where a signal takes the position in its direction that was `before`; absolute."""
    quantity = signal.quantity or ZERO
    match Intent(signal.intent):
        case Intent.OPEN | Intent.ADD:
            return _EXACT.add(before, quantity)
        case Intent.REDUCE if signal.quantity_mode == QuantityMode.PERCENT:
            left = _EXACT.multiply(before, HUNDRED - quantity)
            return _EXACT.divide(left, HUNDRED).quantize(PLACES, context=_EXACT)
        case Intent.REDUCE:
            return max(_EXACT.subtract(before, quantity), ZERO)
        case Intent.CLOSE:
            return ZERO
        case Intent.CANCEL:
            return before
        case _:
            return quantity


def _cancel(known: Stance) -> Move:
    """What may still be filled is on the side that is held, or was just opened."""
    return Move(Intent.CANCEL, Direction.SHORT if known == Stance.SHORT else Direction.LONG)


def _left_side(stated: Stated, known: Stance) -> Direction:
    for stance in (known, stated.before):
        if stance in (Stance.LONG, Stance.SHORT):
            return Direction(stance)
    return opposite(stated.toward or Direction.SHORT)


def _reduced(stated: Stated, standing: Standing) -> Move:
    """A reduction never opens: what we do not hold we missed, and do not buy late.

    Where we hold what the sender held, its amount is exact. Where we hold another quantity, the
    share that it took is what can be followed.
    """
    assert stated.after is not None  # noqa: S101 - asked before
    known, side = standing.side, Direction(stated.after)
    if known not in (Stance.FLAT, stated.after):
        return Move(Intent.CLOSE, Direction(known))
    held = standing.of(side)
    is_alike = held.unit == stated.unit and stated.size is not None and stated.amount is not None
    if is_alike and held.quantity == (stated.size or ZERO) + (stated.amount or ZERO):
        return Move(Intent.REDUCE, side, stated.amount)
    if stated.share is not None:
        return Move(Intent.REDUCE, side, stated.share, is_percent=True)
    return Move(Intent.REDUCE, side, stated.amount, is_percent=stated.is_percent)


def _grown(stated: Stated, standing: Standing, *, gap: bool) -> Move:
    assert stated.after is not None  # noqa: S101 - asked before
    side, known = Direction(stated.after), standing.side
    agreed = not gap and stated.toward is not None
    if known == stated.after and agreed:
        return Move(Intent.ADD, side, stated.amount)
    wanted = _wanted(stated, standing, gap=gap)
    if known == stated.after:
        # How much is not known: nothing that is held is wrong.
        return Move(Intent.TARGET, side, standing.of(side).quantity if wanted is None else wanted)
    if wanted is None:
        return Move(Intent.CLOSE, opposite(side))
    return Move(Intent.OPEN if known == Stance.FLAT else Intent.FLIP, side, wanted)


def _wanted(stated: Stated, standing: Standing, *, gap: bool) -> Decimal | None:
    """How much is held afterwards; None where it cannot be known.

    The order of a reversal also closed what was there before. Where we do not know how much that
    was, taking all of it for the new position could double it.
    """
    if stated.size is not None:
        return stated.size
    assert stated.after is not None  # noqa: S101 - asked before
    side, known = Direction(stated.after), standing.side
    if gap:
        reversed_ = stated.before not in (Stance.FLAT, stated.after)
        return None if reversed_ else stated.amount
    if known == Stance.FLAT or not stated.adds_up or stated.amount is None:
        return stated.amount
    left = standing.of(opposite(side))
    if left.unit != stated.unit or stated.amount <= left.quantity:
        return stated.amount  # typed in, not added up
    return stated.amount - left.quantity


def _traded(stated: Stated, standing: Standing) -> Move:
    """An order of a sender that says nothing else: it nets with what is there."""
    assert stated.toward is not None and stated.amount is not None  # noqa: S101, PT018 - ordered
    side = stated.toward
    left = standing.of(opposite(side))
    if left.quantity == 0:
        intent = Intent.ADD if standing.of(side).quantity > 0 else Intent.OPEN
        return Move(intent, side, stated.amount)
    if left.unit != stated.unit:
        raise ParseError("quantity.mode", f"the open position is counted in {left.unit.value}")
    if stated.amount > left.quantity:
        return Move(Intent.FLIP, side, stated.amount - left.quantity)
    if stated.amount == left.quantity:
        return Move(Intent.CLOSE, opposite(side))
    return Move(Intent.REDUCE, opposite(side), stated.amount)
