"""The normal form of a signal, and what is wrong with a payload that has none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from signals.enums import Direction, Intent, QuantityMode

MAX_FIELD_LETTERS = 80  # what fits its column


class ParseError(ValueError):
    """The payload is refused: `field` is its path ("quantity.value"), `reason` why, in words.

    `field` is "body" when no single field is at fault. Neither ever contains a value.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field[:MAX_FIELD_LETTERS]
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much, in the unit of `mode`."""

    mode: QuantityMode
    value: Decimal


@dataclass(frozen=True, slots=True)
class ParsedSignal:
    """One instruction. It has an `external_id`, a `signal_at` (aware, UTC), or both.

    `quantity` is None for close and cancel. `ttl` overrides the strategy's.
    """

    inst_id: str
    intent: Intent
    direction: Direction
    external_id: str = ""
    signal_at: datetime | None = None
    quantity: Quantity | None = None
    reference_price: Decimal | None = None
    leverage: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    ttl: timedelta | None = None
