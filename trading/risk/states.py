"""May anybody trade here at all? The switch, and who is paused, stopped or in the way."""

from __future__ import annotations

from strategies.enums import StrategyStatus, SubscriptionStatus
from trading.enums import Leg, Reason, TradingMode
from trading.risk.terms import INCREASES, RiskContext, RiskVerdict, denied, skipped


def everything_is_flattened(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Also reductions: flatten closes what is really there, and nobody else may act on old sizes.
    return denied(Reason.FLATTENING) if TradingMode.FLATTEN in ctx.modes else None


def flatten_is_over(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return None if TradingMode.FLATTEN in ctx.modes else denied(Reason.FLATTEN_OVER)


def trading_is_halted(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Any halt, not the strictest switch: a desk's "flatten" must not loosen a system halt.
    return denied(Reason.TRADING_HALTED) if TradingMode.HALTED in ctx.modes else None


def account_is_paused(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return None if ctx.account_enabled else denied(Reason.ACCOUNT_DISABLED)


def key_is_not_verified(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return None if ctx.key_verified else denied(Reason.KEY_NOT_VERIFIED)


def subscription_is_stopped(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    stopped = ctx.subscription_status == SubscriptionStatus.STOPPED
    return skipped(Reason.LINK_PAUSED) if stopped else None


def instrument_is_unknown(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return None if ctx.instrument_known else skipped(Reason.INSTRUMENT_UNKNOWN)


def instrument_is_suspended(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Only increases: what we know may be old, and a close that was tried costs nothing.
    blocked = leg in INCREASES and not ctx.instrument_trading
    return skipped(Reason.INSTRUMENT_SUSPENDED) if blocked else None


def only_reductions_are_allowed(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    tightened = TradingMode.REDUCE_ONLY in ctx.modes
    return denied(Reason.REDUCE_ONLY) if tightened and leg in INCREASES else None


def customer_is_not_active(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and not ctx.customer_active
    return denied(Reason.CUSTOMER_DISABLED) if blocked else None


def strategy_is_paused(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.strategy_status != StrategyStatus.ACTIVE
    return skipped(Reason.STRATEGY_PAUSED) if blocked else None


def subscription_is_paused(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.subscription_status == SubscriptionStatus.PAUSED
    return skipped(Reason.LINK_PAUSED) if blocked else None


def subscription_is_close_only(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.subscription_status == SubscriptionStatus.CLOSE_ONLY
    return skipped(Reason.CLOSE_ONLY) if blocked else None


def instrument_is_not_allowed(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Only increases: the list may have been shortened while a position was open.
    blocked = leg in INCREASES and not ctx.instrument_allowed
    return skipped(Reason.SYMBOL_NOT_ALLOWED) if blocked else None


def account_is_stopped(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Closes too: what is held is not known while the outcome of several orders is not.
    return denied(Reason.ACCOUNT_BREAKER) if ctx.obstacles.account_stopped else None


def account_breaker_is_open(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.obstacles.account_breaker
    return denied(Reason.ACCOUNT_BREAKER) if blocked else None


def loss_limit_is_reached(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.obstacles.loss_limit
    return denied(Reason.LOSS_LIMIT) if blocked else None


def margin_is_low(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.obstacles.margin_low
    return denied(Reason.MARGIN_LOW) if blocked else None


def market_breaker_is_open(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.obstacles.market_breaker
    return denied(Reason.MARKET_BREAKER) if blocked else None


def exchange_is_in_maintenance(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.obstacles.maintenance
    return denied(Reason.EXCHANGE_MAINTENANCE) if blocked else None


def position_mode_conflicts(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.position_mode_conflict
    return skipped(Reason.POS_MODE_CONFLICT) if blocked else None


def link_conflicts(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return skipped(Reason.LINK_CONFLICT) if leg in INCREASES and ctx.link_conflict else None


def margin_mode_conflicts(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.margin_mode_conflict
    return skipped(Reason.MGN_MODE_CONFLICT) if blocked else None


def equity_is_unknown(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    """How much all positions may be worth cannot be said without it."""
    return skipped(Reason.EQUITY_UNKNOWN) if leg in INCREASES and ctx.equity_unknown else None
