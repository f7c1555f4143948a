"""What to close, from what the exchange showed. Pure: nothing here asks anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from signals.enums import Direction
from trading.enums import PositionSide, Side
from trading.exchange.types import InstrumentType, MarginMode, PositionReport
from trading.exchange.types import PositionSide as ReportedSide
from trading.models import Cycle, Instrument
from trading.positions_held import rules_of
from trading.sizing import floor_lot, split

ZERO = Decimal(0)
_CLOSABLE = (InstrumentType.SWAP, InstrumentType.FUTURES, None)


@dataclass(frozen=True, slots=True)
class Held:
    """What one cycle holds by our own books."""

    cycle: Cycle
    quantity: Decimal
    instrument: Instrument | None
    margin_mode: str

    @property
    def is_spot(self) -> bool:
        return self.instrument is not None and self.instrument.is_spot


@dataclass(frozen=True, slots=True)
class Close:
    """One position, or a cycle's part of it, and the orders that end it."""

    inst_id: str
    direction: Direction
    position_side: PositionSide
    margin_mode: str
    quantity: Decimal
    slices: tuple[Decimal, ...]
    reduce_only: bool
    mark: Decimal | None = None
    notional: Decimal | None = None
    cycle: Cycle | None = None

    @property
    def side(self) -> Side:
        return Side.SELL if self.direction == Direction.LONG else Side.BUY


@dataclass(frozen=True, slots=True)
class Plan:
    """`stuck` are positions that we cannot close, `dust` what is too little to be sold."""

    closes: tuple[Close, ...] = ()
    stuck: tuple[str, ...] = ()
    dust: tuple[str, ...] = ()

    @property
    def is_flat(self) -> bool:
        return not self.closes and not self.stuck


def plan_positions(
    positions: Iterable[PositionReport], instruments: Mapping[str, Instrument]
) -> Plan:
    """Every position, whole: on either side, and in either margin mode."""
    closes, stuck = [], []
    for position in positions:
        if not position.quantity:
            continue
        close = _whole(position, instruments.get(position.inst_id))
        if close is None:
            stuck.append(position.inst_id)
        else:
            closes.append(close)
    return Plan(tuple(closes), tuple(stuck))


def plan_cycles(held: Sequence[Held], positions: Sequence[PositionReport]) -> Plan:
    """What cycles hold, and never more than is really there in their direction."""
    closes: list[Close] = []
    stuck: list[str] = []
    for one in held:
        found = [p for p in positions if _holds(p, one)]
        # A customer may hold the same instrument in the other margin mode, by hand.
        found.sort(key=lambda position: position.margin_mode != one.margin_mode)
        left = one.quantity
        for position in found:
            quantity = min(left, abs(position.quantity))
            if quantity <= 0:
                break
            close = _whole(position, one.instrument, quantity, one.cycle)
            if close is None:
                stuck.append(position.inst_id)
            else:
                closes.append(close)
            left -= quantity
    return Plan(tuple(closes), tuple(stuck))


def plan_spot(held: Sequence[Held], available: Mapping[str, Decimal]) -> Plan:
    """Sell the base coins that our cycles bought, as far as they are there and free."""
    left = dict(available)
    closes: list[Close] = []
    dust: list[str] = []
    for one in held:
        instrument = one.instrument
        if instrument is None:
            continue
        base = instrument.base_currency
        quantity = floor_lot(min(one.quantity, left.get(base, ZERO)), instrument.lot_size)
        if quantity <= 0 or quantity < instrument.min_size:
            if one.quantity > 0:
                dust.append(f"{instrument.inst_id} {one.quantity.normalize():f}")
            continue
        left[base] -= quantity
        closes.append(
            Close(
                inst_id=instrument.inst_id,
                direction=Direction.LONG,
                position_side=PositionSide.NET,
                margin_mode=MarginMode.CASH.value,
                quantity=quantity,
                slices=(quantity,),
                reduce_only=False,
                cycle=one.cycle,
            )
        )
    return Plan(tuple(closes), (), tuple(dust))


def joined(*plans: Plan) -> Plan:
    return Plan(
        tuple(close for plan in plans for close in plan.closes),
        tuple(dict.fromkeys(name for plan in plans for name in plan.stuck)),
        tuple(name for plan in plans for name in plan.dust),
    )


def _holds(position: PositionReport, one: Held) -> bool:
    return position.inst_id == one.cycle.inst_id and _direction(position) == one.cycle.direction


def _direction(position: PositionReport) -> Direction:
    if position.position_side is ReportedSide.NET:
        return Direction.LONG if position.quantity > 0 else Direction.SHORT
    return Direction(position.position_side.value)


def _whole(
    position: PositionReport,
    instrument: Instrument | None,
    quantity: Decimal | None = None,
    cycle: Cycle | None = None,
) -> Close | None:
    """None for what is no contract of ours: an instrument we do not know, or borrowed coins."""
    if instrument is None or instrument.is_spot or position.inst_type not in _CLOSABLE:
        return None
    size = abs(position.quantity)
    part = size if quantity is None else quantity
    worth = abs(position.notional_usd)
    return Close(
        inst_id=position.inst_id,
        direction=_direction(position),
        position_side=PositionSide(position.position_side.value),
        margin_mode=position.margin_mode.value,
        quantity=part,
        slices=split(part, rules_of(instrument)),
        reduce_only=position.position_side is ReportedSide.NET,
        mark=position.mark_price,
        notional=worth if part == size else worth * part / size,
        cycle=cycle,
    )
