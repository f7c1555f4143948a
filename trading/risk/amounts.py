"""How much is too much: every cap on sizes, sums and counts."""

from __future__ import annotations

from decimal import Decimal

from trading.enums import Leg, LimitKind, Reason
from trading.risk.terms import INCREASES, RiskContext, RiskVerdict, above, denied, pair


def leverage_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES:
        return None
    return above(ctx, LimitKind.LEVERAGE, ctx.leverage, Reason.LEVERAGE_ABOVE_LIMIT)


def too_many_positions_are_open(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg != Leg.OPEN:
        return None
    after = Decimal(ctx.open_positions + 1)
    return above(ctx, LimitKind.OPEN_POSITIONS, after, Reason.OPEN_POSITIONS_ABOVE_LIMIT)


def day_is_used_up(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    limit = ctx.limits.get(LimitKind.DAILY_NOTIONAL)
    if leg not in INCREASES or limit is None:
        return None
    if ctx.order is not None:
        after = ctx.used_daily_notional + ctx.order.notional
        return above(ctx, LimitKind.DAILY_NOTIONAL, after, Reason.DAILY_LIMIT)
    if ctx.used_daily_notional < limit.value:
        return None
    return denied(Reason.DAILY_LIMIT, pair("used", ctx.used_daily_notional, limit.value))


def order_notional_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.order is None:
        return None
    reason = Reason.ORDER_NOTIONAL_ABOVE_LIMIT
    return above(ctx, LimitKind.ORDER_NOTIONAL, ctx.order.notional, reason)


def position_notional_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.order is None:
        return None
    after, reason = ctx.order.position_notional_after, Reason.POSITION_NOTIONAL_ABOVE_LIMIT
    return above(ctx, LimitKind.POSITION_NOTIONAL, after, reason)


def order_quantity_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.order is None:
        return None
    reason = Reason.ORDER_QUANTITY_ABOVE_LIMIT
    return above(ctx, LimitKind.ORDER_QUANTITY, ctx.order.quantity, reason)


def desk_notional_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.order is None:
        return None
    after, reason = ctx.desk_notional + ctx.order.notional, Reason.DESK_NOTIONAL_ABOVE_LIMIT
    return above(ctx, LimitKind.DESK_NOTIONAL, after, reason)


def size_is_out_of_proportion(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    """Sanity: one order is never several times what the leader's whole position asks for."""
    limit = ctx.limits.get(LimitKind.LEADER_MULTIPLE)
    if leg not in INCREASES or ctx.order is None or not ctx.order.proportional or limit is None:
        return None
    most = limit.value * ctx.order.proportional
    if ctx.order.quantity <= most:
        return None
    return denied(Reason.SIZE_OUT_OF_PROPORTION, pair("order_quantity", ctx.order.quantity, most))


def too_many_legs(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES:
        return None
    return above(ctx, LimitKind.LEGS, Decimal(ctx.leg_number + 1), Reason.LEGS_ABOVE_LIMIT)


def order_is_repeated(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.is_repeated
    return denied(Reason.DUPLICATE_SUSPECTED) if blocked else None


def account_sends_too_fast(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    """Not a refusal for good: the order waits a moment and keeps its place."""
    if leg not in INCREASES:
        return None
    sends = Decimal(ctx.account_sends + 1)
    return above(ctx, LimitKind.ACCOUNT_SENDS, sends, Reason.SENDS_ABOVE_LIMIT)


def system_sends_too_fast(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES:
        return None
    sends = Decimal(ctx.system_sends + 1)
    return above(ctx, LimitKind.SYSTEM_SENDS, sends, Reason.SENDS_ABOVE_LIMIT)
