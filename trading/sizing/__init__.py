"""How much to trade: the follower's target from the leader's position, exactly."""

from __future__ import annotations

from trading.sizing.exact import ceil_lot, floor_lot
from trading.sizing.opening import affordable_share
from trading.sizing.plans import (
    plan_add,
    plan_close,
    plan_open,
    plan_reduce,
    rebase_after_fill,
    resize_at_send,
    split,
    target_quantity,
)
from trading.sizing.terms import (
    Caps,
    CycleBase,
    LeaderNumbers,
    SizingRequest,
    SizingResult,
    SizingTerms,
)
from trading.sizing.units import (
    InstrumentRules,
    PriceUnknownError,
    Traded,
    contracts_from,
    notional,
)

__all__ = [
    "Caps",
    "CycleBase",
    "InstrumentRules",
    "LeaderNumbers",
    "PriceUnknownError",
    "SizingRequest",
    "SizingResult",
    "SizingTerms",
    "Traded",
    "affordable_share",
    "ceil_lot",
    "contracts_from",
    "floor_lot",
    "notional",
    "plan_add",
    "plan_close",
    "plan_open",
    "plan_reduce",
    "rebase_after_fill",
    "resize_at_send",
    "split",
    "target_quantity",
]
