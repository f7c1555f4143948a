"""What a cycle holds and what is on its way, derived from its orders and never stored twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from accounts.rows import fetch
from trading.enums import FINAL_STATES, Leg, OrderState
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
    """Contracts of one cycle: filled, and signed what may still fill."""

    filled: Decimal = ZERO
    pending: Decimal = ZERO
    parts: tuple[OrderPart, ...] = ()

    @property
    def is_quiet(self) -> bool:
        return all(part.is_final for part in self.parts)


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
        )
    )
    for cycle, inst_id, order, signal, leg, state, quantity, filled, fee, paid_in in rows:
        part = OrderPart(
            id=order,
            signal_id=signal,
            leg=Leg(leg),
            state=OrderState(state),
            quantity=quantity,
            filled=filled,
            fee_in_kind=fee if bases and paid_in == bases.get(inst_id) else ZERO,
        )
        parts.setdefault(cycle, []).append(part)
    return {cycle: holding_of(found) for cycle, found in parts.items()}


def holding_of(parts: Iterable[OrderPart]) -> Holding:
    """Add up a cycle's orders. A fee in kind is negative when charged."""
    listed = tuple(parts)
    filled = sum((p.sign * p.filled + p.fee_in_kind for p in listed), ZERO)
    pending = sum((p.sign * (p.quantity - p.filled) for p in listed if not p.is_final), ZERO)
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
