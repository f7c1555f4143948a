"""What a cycle holds and what is on its way, derived from its orders and never stored twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from accounts.rows import fetch
from trading.enums import FINAL_STATES, RESTING_TYPES, Leg, OrderState, OrderType
from trading.models import Cycle, Instrument, Order
from trading.outgoing import OutgoingCycle
from trading.sizing import CycleBase, InstrumentRules

ZERO = Decimal(0)
INCREASES = frozenset({Leg.OPEN, Leg.ADD})
UNSENT = frozenset({OrderState.NEW, OrderState.READY})


@dataclass(frozen=True, slots=True)
class OrderPart:
    """The columns of an order that its cycle is counted from."""

    id: UUID
    signal_id: UUID
    leg: Leg
    state: OrderState
    quantity: Decimal
    filled: Decimal
    fee_in_kind: Decimal
    order_type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    cancel_requested: bool = False
    margin_mode: str = ""

    @property
    def rests(self) -> bool:
        """An opening that waits at the exchange for its price, or is on its way to."""
        return self.sign > 0 and self.order_type in RESTING_TYPES and not self.is_final

    @property
    def is_leaving(self) -> bool:
        """It waits and is being canceled: what fills of it meanwhile was not meant to."""
        return self.rests and self.cancel_requested

    @property
    def unfilled(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def is_unsent(self) -> bool:
        """True while nothing of it can be at the exchange: it may still be taken back.

        What is ready again after an attempt was proved not to be there.
        """
        return self.state in UNSENT

    @property
    def sign(self) -> int:
        return 1 if self.leg in INCREASES else -1

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True)
class Holding:
    """Contracts of one cycle: filled, and signed what may still fill.

    What is being canceled is not counted as pending.
    """

    filled: Decimal = ZERO
    pending: Decimal = ZERO
    parts: tuple[OrderPart, ...] = ()

    @property
    def is_quiet(self) -> bool:
        return all(part.is_final for part in self.parts)

    @property
    def waits(self) -> bool:
        """Openings of it rest at the exchange, also those that are being canceled."""
        return any(part.rests for part in self.parts)

    @property
    def margin_mode(self) -> str:
        """The mode it was opened in; empty where nothing ever filled or may fill."""
        opened = (p for p in self.parts if p.sign > 0 and (p.filled > 0 or not p.is_final))
        return next((part.margin_mode for part in opened), "")

    @property
    def leaving(self) -> Decimal:
        """What is being canceled, and might still fill."""
        return sum((part.unfilled for part in self.parts if part.is_leaving), ZERO)


NOTHING = Holding()


def read_holdings(
    cycle_ids: Iterable[UUID], bases: Mapping[str, str] | None = None
) -> Mapping[UUID, Holding]:
    """One query: the holding of each cycle.

    `bases` names the base currency of spot instruments, where the fee of a purchase is
    taken from what was bought.
    """
    ids = list(cycle_ids)
    if not ids:
        return {}
    parts: dict[UUID, list[OrderPart]] = {}
    rows = fetch(
        Order.objects.filter(cycle_id__in=ids)
        .order_by("lane_at", "signal_id", "leg_number", "slice_number")
        .values_list(
            "cycle_id",
            "inst_id",
            "id",
            "signal_id",
            "leg",
            "state",
            "quantity",
            "filled_quantity",
            "fee",
            "fee_currency",
            "order_type",
            "price",
            "cancel_requested",
            "margin_mode",
        )
    )
    for cycle, inst_id, order, signal, leg, state, quantity, filled, fee, paid_in, *terms in rows:
        part = OrderPart(
            id=order,
            signal_id=signal,
            leg=Leg(leg),
            state=OrderState(state),
            quantity=quantity,
            filled=filled,
            fee_in_kind=fee if bases and paid_in == bases.get(inst_id) else ZERO,
            order_type=OrderType(terms[0]),
            price=terms[1],
            cancel_requested=terms[2],
            margin_mode=terms[3],
        )
        parts.setdefault(cycle, []).append(part)
    return {cycle: holding_of(found) for cycle, found in parts.items()}


def holding_of(parts: Iterable[OrderPart]) -> Holding:
    """Add up a cycle's orders. A fee in kind is negative when charged."""
    listed = tuple(parts)
    filled = sum((p.sign * p.filled + p.fee_in_kind for p in listed), ZERO)
    pending = sum(
        (p.sign * p.unfilled for p in listed if not p.is_final and not p.is_leaving), ZERO
    )
    return Holding(max(filled, ZERO), pending, listed)


def base_of(cycle: Cycle | OutgoingCycle) -> CycleBase:
    return CycleBase(cycle.follower_base, cycle.leader_base)


def rules_of(instrument: Instrument) -> InstrumentRules:
    return InstrumentRules(
        inst_id=instrument.inst_id,
        contract_value=instrument.contract_value,
        lot_size=instrument.lot_size,
        min_size=instrument.min_size,
        tick_size=instrument.tick_size,
        max_market_size=instrument.max_market_size,
        max_limit_size=instrument.max_limit_size,
        max_leverage=instrument.max_leverage,
        inverse=instrument.contract_type == "inverse",
        spot=instrument.is_spot,
    )
