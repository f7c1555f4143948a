"""Stand-alone take profits and stop losses: what we ask the exchange and what it tells us."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from trading.exchange.protection import Trigger
from trading.exchange.types import InstrumentType, LookupKind, MarginMode, PositionSide, Side

# Kinds that are never ours, by their wire names; each is asked for alone.
FOREIGN_ALGOS = ("trigger", "move_order_stop", "iceberg", "twap")


class AlgoType(StrEnum):
    CONDITIONAL = "conditional"  # one leg
    OCO = "oco"  # both: the first reached ends the other
    # Only in reports: somebody else's trigger, trailing, iceberg or time-weighted order.
    OTHER = "other"


class AlgoState(StrEnum):
    LIVE = "live"
    PAUSE = "pause"
    PARTIALLY_EFFECTIVE = "partially_effective"
    EFFECTIVE = "effective"
    CANCELED = "canceled"
    ORDER_FAILED = "order_failed"
    PARTIALLY_FAILED = "partially_failed"

    @property
    def is_final(self) -> bool:
        return self not in (AlgoState.LIVE, AlgoState.PAUSE, AlgoState.PARTIALLY_EFFECTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoRequest:
    """Closes when a trigger is reached: by market, never more than the position.

    `side` is that of the closing order. Without a quantity it closes the whole position, however
    large that is by then. `cancel_with_position` ends it when the position is gone.
    """

    inst_id: str
    side: Side
    position_side: PositionSide | None
    margin_mode: MarginMode
    client_algo_id: str
    quantity: Decimal | None = None
    take_profit: Trigger | None = None
    stop_loss: Trigger | None = None
    reduce_only: bool = True
    cancel_with_position: bool = False
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoAmendRequest:
    """What is None stays as it is. A leg cannot be added to an order that has none of it."""

    inst_id: str
    client_algo_id: str | None = None
    exchange_algo_id: str | None = None
    quantity: Decimal | None = None
    take_profit: Trigger | None = None
    stop_loss: Trigger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoCancelRequest:
    inst_id: str
    client_algo_id: str | None = None
    exchange_algo_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoReport:
    """One algo order as the exchange sees it. `quantity` is None when it closes a position whole.

    `exchange_order_ids` are the orders it became when it was triggered.
    """

    inst_id: str
    inst_type: InstrumentType | None
    client_algo_id: str
    exchange_algo_id: str
    algo_type: AlgoType
    state: AlgoState
    side: Side
    position_side: PositionSide
    margin_mode: MarginMode
    quantity: Decimal | None
    take_profit: Trigger | None
    stop_loss: Trigger | None
    reduce_only: bool
    exchange_order_ids: tuple[str, ...]
    actual_side: str  # "tp", "sl" or "" while it was not triggered
    actual_quantity: Decimal
    actual_price: Decimal | None
    fail_code: str
    created_at: dt.datetime
    updated_at: dt.datetime | None
    triggered_at: dt.datetime | None
    tag: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoLookup:
    """`not_found` only for a well-formed answer with code 51603; any other failure is `unknown`."""

    kind: LookupKind
    report: AlgoReport | None = None
    code: str = ""
    message: str = ""
    http_status: int | None = None
