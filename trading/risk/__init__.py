"""May this leg be traded? A list of early refusals, each naming its reason.

Everything was read before; nothing here asks anybody. Increases (open, add) pass every check,
reductions only those that protect the account itself: whoever is in must be able to get out.
"""

from __future__ import annotations

from trading.enums import Leg
from trading.risk.amounts import (
    account_sends_too_fast,
    day_is_used_up,
    desk_notional_is_above_limit,
    leverage_is_above_limit,
    order_is_repeated,
    order_notional_is_above_limit,
    order_quantity_is_above_limit,
    position_notional_is_above_limit,
    size_is_out_of_proportion,
    system_sends_too_fast,
    too_many_legs,
    too_many_positions_are_open,
)
from trading.risk.prices import (
    price_has_slipped,
    price_is_outside_collar,
    price_is_stale,
    signal_is_too_old,
    spread_is_too_wide,
)
from trading.risk.states import (
    account_breaker_is_open,
    account_is_paused,
    account_is_stopped,
    customer_is_not_active,
    equity_is_unknown,
    everything_is_flattened,
    exchange_is_in_maintenance,
    flatten_is_over,
    instrument_is_not_allowed,
    instrument_is_suspended,
    instrument_is_unknown,
    key_is_not_verified,
    link_conflicts,
    loss_limit_is_reached,
    margin_is_low,
    margin_mode_conflicts,
    market_breaker_is_open,
    only_reductions_are_allowed,
    position_mode_conflicts,
    strategy_is_paused,
    subscription_is_close_only,
    subscription_is_paused,
    subscription_is_stopped,
    trading_is_halted,
)
from trading.risk.terms import (
    INCREASES,
    NO_OBSTACLES,
    PASSED,
    STRICTNESS,
    Check,
    LimitValue,
    Numbers,
    Obstacles,
    OrderNumbers,
    PriceNumbers,
    RiskContext,
    RiskVerdict,
    effective_leverage,
    effective_limits,
    remaining_daily_notional,
    strictest_mode,
)

__all__ = [
    "INCREASES",
    "NO_OBSTACLES",
    "PASSED",
    "STRICTNESS",
    "Check",
    "LimitValue",
    "Numbers",
    "Obstacles",
    "OrderNumbers",
    "PriceNumbers",
    "RiskContext",
    "RiskVerdict",
    "effective_leverage",
    "effective_limits",
    "remaining_daily_notional",
    "strictest_mode",
]

FLATTEN_CHECKS: tuple[Check, ...] = (trading_is_halted, flatten_is_over, key_is_not_verified)
CHECKS: tuple[Check, ...] = (
    everything_is_flattened,
    trading_is_halted,
    account_is_paused,
    key_is_not_verified,
    account_is_stopped,
    subscription_is_stopped,
    only_reductions_are_allowed,
    account_breaker_is_open,
    loss_limit_is_reached,
    margin_is_low,
    market_breaker_is_open,
    exchange_is_in_maintenance,
    customer_is_not_active,
    strategy_is_paused,
    subscription_is_paused,
    subscription_is_close_only,
    instrument_is_not_allowed,
    instrument_is_unknown,
    instrument_is_suspended,
    signal_is_too_old,
    price_is_stale,
    price_has_slipped,
    spread_is_too_wide,
    price_is_outside_collar,
    position_mode_conflicts,
    link_conflicts,
    margin_mode_conflicts,
    equity_is_unknown,
    too_many_legs,
    leverage_is_above_limit,
    too_many_positions_are_open,
    day_is_used_up,
    order_notional_is_above_limit,
    position_notional_is_above_limit,
    order_quantity_is_above_limit,
    desk_notional_is_above_limit,
    size_is_out_of_proportion,
    order_is_repeated,
    account_sends_too_fast,
    system_sends_too_fast,
)

# What can only be judged once the size is known; when deciding, sizing obeys the other caps itself.
SIZED: tuple[Check, ...] = (
    desk_notional_is_above_limit,
    size_is_out_of_proportion,
    order_is_repeated,
)


def check(leg: Leg, ctx: RiskContext) -> RiskVerdict:
    """The first refusal in the fixed order of `CHECKS`, or `PASSED`."""
    return _first(FLATTEN_CHECKS if ctx.flattens else CHECKS, leg, ctx)


def check_size(leg: Leg, ctx: RiskContext) -> RiskVerdict:
    """The same of those that need the size, for a leg that passed the others before it had one."""
    return _first(SIZED, leg, ctx)


def _first(checks: tuple[Check, ...], leg: Leg, ctx: RiskContext) -> RiskVerdict:
    for refuses in checks:
        verdict = refuses(leg, ctx)
        if verdict is not None:
            return verdict
    return PASSED
