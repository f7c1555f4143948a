"""Is what is known of the market good enough, and is the asked price near it?"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from trading.enums import Leg, LimitKind, Reason
from trading.risk.terms import (
    INCREASES,
    Numbers,
    RiskContext,
    RiskVerdict,
    above,
    denied,
    pair,
    skipped,
)

# A limit copy asks for a discount on purpose; what comes on top of it may be this much.
BEYOND_DISCOUNT = Decimal("0.01")


def signal_is_too_old(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.signal_age <= ctx.max_signal_age:
        return None
    return skipped(Reason.EXPIRED, _seconds("signal_age", ctx.signal_age, ctx.max_signal_age))


def price_is_stale(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES:
        return None
    if ctx.mark_age is None:
        return denied(Reason.PRICE_UNKNOWN)
    if ctx.mark_age <= ctx.max_mark_age:
        return None
    return denied(Reason.PRICE_UNKNOWN, _seconds("mark_age", ctx.mark_age, ctx.max_mark_age))


def price_has_slipped(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    """Only to the follower's disadvantage: nobody is kept from a better price."""
    asked = ctx.asked
    if leg not in INCREASES or asked.max_slippage is None or not asked.reference or not ctx.mark:
        return None
    worse = ctx.mark - asked.reference if asked.buys else asked.reference - ctx.mark
    if worse <= asked.max_slippage * asked.reference:
        return None
    return skipped(Reason.SLIPPAGE, pair("slippage", worse / asked.reference, asked.max_slippage))


def spread_is_too_wide(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # A limit order says what it pays; only a market order takes whatever the book holds.
    if leg not in INCREASES or ctx.asked.price is not None:
        return None
    return above(ctx, LimitKind.SPREAD, ctx.spread, Reason.SPREAD_ABOVE_LIMIT)


def price_is_outside_collar(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    asked = ctx.asked
    if leg not in INCREASES or asked.price is None or not ctx.mark:
        return None
    if asked.is_bound:
        return None  # not a wish: the guard has measured it by the leader's price
    limit = ctx.limits.get(LimitKind.STOP_COLLAR if asked.is_stop else LimitKind.PRICE_COLLAR)
    if limit is None:
        return None
    allowed = max(limit.value, asked.discount + BEYOND_DISCOUNT) if asked.discount else limit.value
    away = abs(asked.price - ctx.mark)
    if away <= allowed * ctx.mark:
        return None
    return denied(Reason.PRICE_OUTSIDE_COLLAR, pair("price_away", away / ctx.mark, allowed))


def _seconds(name: str, age: timedelta, allowed: timedelta) -> Numbers:
    return pair(f"{name}_seconds", _as_decimal(age), _as_decimal(allowed))


def _as_decimal(age: timedelta) -> Decimal:
    return Decimal(age // timedelta(milliseconds=1)).scaleb(-3)
