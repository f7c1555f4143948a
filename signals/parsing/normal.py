"""The normal form of a signal, and what is wrong with a payload that has none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from signals.enums import Direction, Intent, LeaderMarginMode, QuantityMode, Stance

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
class Net:
    """What a sender with one position per instrument says: its order, and where that leads.

    `toward` is the side its order trades to (buy is long), `before` and `after` the whole position
    around it, `size` how much it holds afterwards, `share` the percentage that a reduction takes.
    What it means is known beside the position we know of: `signals.standing`.
    """

    toward: Direction | None = None
    before: Stance | None = None
    after: Stance | None = None
    size: Quantity | None = None
    share: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LeaderNumbers:
    """What is known of the leader when it traded. `entry` is its average after this signal."""

    equity: Decimal | None = None
    entry: Decimal | None = None
    margin_mode: LeaderMarginMode | None = None


@dataclass(frozen=True, slots=True)
class ParsedSignal:
    """One instruction. It has an `external_id`, a `signal_at` (aware, UTC), or both.

    `quantity` is None for close and cancel. `ttl` shortens the strategy's. With `net`, intent and
    direction are what they are as long as our position is the sender's. `label` is a sender's id
    that several instructions may have; `said` is all it said, without secrets, for a dialect that
    has no id of its own. `gap` says in words that what led here was not heard.
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
    net: Net | None = None
    label: str = ""
    said: str = ""
    leader: LeaderNumbers = LeaderNumbers()
    gap: str = ""
