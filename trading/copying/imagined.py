"""A signal that nobody sent: typed in, or one of before as if it came now. Never stored."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from accounts.fields import uuid7
from signals.enums import Direction, Intent, LeaderMarginMode, QuantityMode, Unit
from signals.models import Signal, SignalSource
from trading.leases import db_now

AGAIN: Final = (
    "inst_id", "intent", "direction", "quantity_mode", "quantity_value", "quantity", "unit",
    "reference_price", "leverage", "margin_mode", "leader_equity", "leader_entry", "take_profit",
    "stop_loss",
)  # fmt: skip
_UNITS: Final = {
    QuantityMode.PERCENT_EQUITY: Unit.PERCENT_EQUITY,
    QuantityMode.PERCENT_AVAILABLE: Unit.PERCENT_AVAILABLE,
}
COUNTED_IN: Final = (QuantityMode.CONTRACTS, *_UNITS, QuantityMode.PERCENT)


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person says of a signal; the quantity is counted as leader positions are."""

    inst_id: str
    intent: Intent
    direction: Direction
    quantity: Decimal | None = None
    mode: QuantityMode = QuantityMode.CONTRACTS
    reference_price: Decimal | None = None
    leverage: Decimal | None = None
    leader_equity: Decimal | None = None
    margin_mode: LeaderMarginMode | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None


def typed_signal(source: SignalSource, typed: Typed) -> Signal:
    """As if the source had just sent it."""
    now = db_now()
    return Signal(
        id=uuid7(),
        tenant_id=source.tenant_id,
        source=source,
        inst_id=typed.inst_id,
        intent=typed.intent,
        direction=typed.direction,
        quantity_mode=typed.mode,
        quantity_value=typed.quantity,
        quantity=typed.quantity,
        unit=_UNITS.get(typed.mode, Unit.CONTRACTS),
        reference_price=typed.reference_price,
        leverage=typed.leverage,
        leader_equity=typed.leader_equity,
        margin_mode=typed.margin_mode or "",
        take_profit=typed.take_profit,
        stop_loss=typed.stop_loss,
        signal_at=now,
        received_at=now,
    )


def as_if_now(signal: Signal) -> Signal:
    """A stored one again, from where its source stands today."""
    now = db_now()
    same = {name: getattr(signal, name) for name in AGAIN}
    return Signal(
        id=uuid7(),
        tenant_id=signal.tenant_id,
        source=signal.source,
        signal_at=now,
        received_at=now,
        **same,
    )
