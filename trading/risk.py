"""May this leg be traded? A list of early refusals, each naming its reason.

Everything was read before; nothing here asks anybody. Increases (open, add) pass every check,
reductions only those that protect the account itself: whoever is in must be able to get out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from strategies.enums import StrategyStatus, SubscriptionStatus
from trading.enums import DecisionOutcome, Leg, LimitKind, Reason, Scope, TradingMode

Numbers = tuple[tuple[str, Decimal], ...]
STRICTNESS = tuple(TradingMode)  # the order in which they are written
INCREASES = frozenset({Leg.OPEN, Leg.ADD})


@dataclass(frozen=True, slots=True)
class LimitValue:
    """One limit that applies; `label` says to people whose it is ("Desk", "Alice")."""

    kind: LimitKind
    scope: Scope
    value: Decimal
    label: str = ""


@dataclass(frozen=True, slots=True)
class OrderNumbers:
    """What a sized order would do: contracts, its notional, the position's notional after it."""

    quantity: Decimal
    notional: Decimal
    position_notional_after: Decimal


@dataclass(frozen=True, slots=True)
class RiskContext:
    """All that is known about one leg of one account.

    `modes` are the switches of every scope that covers it; `flattens` says that flatten itself
    closes with it, and then they are those that bind flatten. `mark_age` None: no price was
    ever seen. `signal_age` is measured at the check, so it may have grown since receipt.
    `leverage` is what the position would be held with. `open_positions` and
    `used_daily_notional` (quote currency) do not contain this leg. `order` is None before
    sizing.
    """

    modes: tuple[TradingMode, ...] = (TradingMode.ACTIVE,)
    flattens: bool = False
    customer_active: bool = True
    account_enabled: bool = True
    key_verified: bool = True
    subscription_status: SubscriptionStatus = SubscriptionStatus.ACTIVE
    strategy_status: StrategyStatus = StrategyStatus.ACTIVE
    instrument_known: bool = True
    instrument_trading: bool = True
    instrument_allowed: bool = True
    signal_age: timedelta = timedelta(0)
    max_signal_age: timedelta = timedelta(seconds=60)
    mark_age: timedelta | None = timedelta(0)
    max_mark_age: timedelta = timedelta(seconds=5)
    position_mode_conflict: bool = False
    link_conflict: bool = False
    leverage: Decimal | None = None
    open_positions: int = 0
    used_daily_notional: Decimal = Decimal(0)
    order: OrderNumbers | None = None
    limits: Mapping[LimitKind, LimitValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RiskVerdict:
    """COPIED: may be traded. Otherwise the first refusal, with the numbers behind it."""

    outcome: DecisionOutcome
    reason: Reason = Reason.NONE
    numbers: Numbers = ()

    @property
    def passed(self) -> bool:
        return self.outcome == DecisionOutcome.COPIED


PASSED = RiskVerdict(DecisionOutcome.COPIED)
Check = Callable[[Leg, RiskContext], RiskVerdict | None]


def check(leg: Leg, ctx: RiskContext) -> RiskVerdict:
    """The first refusal in the fixed order of `CHECKS`, or `PASSED`."""
    for refuses in FLATTEN_CHECKS if ctx.flattens else CHECKS:
        verdict = refuses(leg, ctx)
        if verdict is not None:
            return verdict
    return PASSED


def strictest_mode(modes: Iterable[TradingMode]) -> TradingMode:
    """The strictest of the switches; no switch at all is active."""
    return max(modes, key=STRICTNESS.index, default=TradingMode.ACTIVE)


def effective_limits(limits: Iterable[LimitValue]) -> dict[LimitKind, LimitValue]:
    """Limits of all scopes add up: of each kind the smallest binds, on a tie the first given."""
    binding: dict[LimitKind, LimitValue] = {}
    for limit in limits:
        if limit.kind not in binding or limit.value < binding[limit.kind].value:
            binding[limit.kind] = limit
    return binding


def effective_leverage(
    wanted: Decimal, caps: Iterable[tuple[str, Decimal | None]]
) -> tuple[Decimal, str]:
    """The leverage to set, and the label of the cap that lowered it ("" when none did)."""
    leverage, binding = wanted, ""
    for label, cap in caps:
        if cap is not None and cap < leverage:
            leverage, binding = cap, label
    return leverage, binding


def remaining_daily_notional(ctx: RiskContext) -> Decimal | None:
    """What may still be opened today, in quote currency; None when nothing bounds it."""
    limit = ctx.limits.get(LimitKind.DAILY_NOTIONAL)
    return None if limit is None else max(limit.value - ctx.used_daily_notional, Decimal(0))


def everything_is_flattened(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Also reductions: flatten closes what is really there, and nobody else may act on old sizes.
    return _denied(Reason.FLATTENING) if TradingMode.FLATTEN in ctx.modes else None


def flatten_is_over(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return None if TradingMode.FLATTEN in ctx.modes else _denied(Reason.FLATTEN_OVER)


def trading_is_halted(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Any halt, not the strictest switch: a desk's "flatten" must not loosen a system halt.
    return _denied(Reason.TRADING_HALTED) if TradingMode.HALTED in ctx.modes else None


def account_is_paused(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return None if ctx.account_enabled else _denied(Reason.ACCOUNT_DISABLED)


def key_is_not_verified(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return None if ctx.key_verified else _denied(Reason.KEY_NOT_VERIFIED)


def subscription_is_stopped(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    stopped = ctx.subscription_status == SubscriptionStatus.STOPPED
    return _skipped(Reason.LINK_PAUSED) if stopped else None


def instrument_is_unknown(_leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return None if ctx.instrument_known else _skipped(Reason.INSTRUMENT_UNKNOWN)


def instrument_is_suspended(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Only increases: what we know may be old, and a close that was tried costs nothing.
    blocked = leg in INCREASES and not ctx.instrument_trading
    return _skipped(Reason.INSTRUMENT_SUSPENDED) if blocked else None


def only_reductions_are_allowed(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    tightened = TradingMode.REDUCE_ONLY in ctx.modes
    return _denied(Reason.REDUCE_ONLY) if tightened and leg in INCREASES else None


def customer_is_not_active(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and not ctx.customer_active
    return _denied(Reason.CUSTOMER_DISABLED) if blocked else None


def strategy_is_paused(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.strategy_status != StrategyStatus.ACTIVE
    return _skipped(Reason.STRATEGY_PAUSED) if blocked else None


def subscription_is_paused(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.subscription_status == SubscriptionStatus.PAUSED
    return _skipped(Reason.LINK_PAUSED) if blocked else None


def subscription_is_close_only(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.subscription_status == SubscriptionStatus.CLOSE_ONLY
    return _skipped(Reason.CLOSE_ONLY) if blocked else None


def instrument_is_not_allowed(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    # Only increases: the list may have been shortened while a position was open.
    blocked = leg in INCREASES and not ctx.instrument_allowed
    return _skipped(Reason.SYMBOL_NOT_ALLOWED) if blocked else None


def signal_is_too_old(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.signal_age <= ctx.max_signal_age:
        return None
    return _skipped(Reason.EXPIRED, _seconds("signal_age", ctx.signal_age, ctx.max_signal_age))


def price_is_stale(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES:
        return None
    if ctx.mark_age is None:
        return _denied(Reason.PRICE_UNKNOWN)
    if ctx.mark_age <= ctx.max_mark_age:
        return None
    return _denied(Reason.PRICE_UNKNOWN, _seconds("mark_age", ctx.mark_age, ctx.max_mark_age))


def position_mode_conflicts(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    blocked = leg in INCREASES and ctx.position_mode_conflict
    return _skipped(Reason.POS_MODE_CONFLICT) if blocked else None


def link_conflicts(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    return _skipped(Reason.LINK_CONFLICT) if leg in INCREASES and ctx.link_conflict else None


def leverage_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES:
        return None
    return _above(ctx, LimitKind.LEVERAGE, ctx.leverage, Reason.LEVERAGE_ABOVE_LIMIT)


def too_many_positions_are_open(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg != Leg.OPEN:
        return None
    after = Decimal(ctx.open_positions + 1)
    return _above(ctx, LimitKind.OPEN_POSITIONS, after, Reason.OPEN_POSITIONS_ABOVE_LIMIT)


def day_is_used_up(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    limit = ctx.limits.get(LimitKind.DAILY_NOTIONAL)
    if leg not in INCREASES or limit is None:
        return None
    if ctx.order is not None:
        after = ctx.used_daily_notional + ctx.order.notional
        return _above(ctx, LimitKind.DAILY_NOTIONAL, after, Reason.DAILY_LIMIT)
    if ctx.used_daily_notional < limit.value:
        return None
    return _denied(Reason.DAILY_LIMIT, _pair("used", ctx.used_daily_notional, limit.value))


def order_notional_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.order is None:
        return None
    reason = Reason.ORDER_NOTIONAL_ABOVE_LIMIT
    return _above(ctx, LimitKind.ORDER_NOTIONAL, ctx.order.notional, reason)


def position_notional_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.order is None:
        return None
    after, reason = ctx.order.position_notional_after, Reason.POSITION_NOTIONAL_ABOVE_LIMIT
    return _above(ctx, LimitKind.POSITION_NOTIONAL, after, reason)


def order_quantity_is_above_limit(leg: Leg, ctx: RiskContext) -> RiskVerdict | None:
    if leg not in INCREASES or ctx.order is None:
        return None
    reason = Reason.ORDER_QUANTITY_ABOVE_LIMIT
    return _above(ctx, LimitKind.ORDER_QUANTITY, ctx.order.quantity, reason)


FLATTEN_CHECKS: tuple[Check, ...] = (trading_is_halted, flatten_is_over, key_is_not_verified)
CHECKS: tuple[Check, ...] = (
    everything_is_flattened,
    trading_is_halted,
    account_is_paused,
    key_is_not_verified,
    subscription_is_stopped,
    only_reductions_are_allowed,
    customer_is_not_active,
    strategy_is_paused,
    subscription_is_paused,
    subscription_is_close_only,
    instrument_is_not_allowed,
    instrument_is_unknown,
    instrument_is_suspended,
    signal_is_too_old,
    price_is_stale,
    position_mode_conflicts,
    link_conflicts,
    leverage_is_above_limit,
    too_many_positions_are_open,
    day_is_used_up,
    order_notional_is_above_limit,
    position_notional_is_above_limit,
    order_quantity_is_above_limit,
)


def _above(
    ctx: RiskContext, kind: LimitKind, value: Decimal | None, reason: Reason
) -> RiskVerdict | None:
    limit = ctx.limits.get(kind)
    if limit is None or value is None or value <= limit.value:
        return None
    return _denied(reason, _pair(kind.value, value, limit.value))


def _denied(reason: Reason, numbers: Numbers = ()) -> RiskVerdict:
    return RiskVerdict(DecisionOutcome.DENIED, reason, numbers)


def _skipped(reason: Reason, numbers: Numbers = ()) -> RiskVerdict:
    return RiskVerdict(DecisionOutcome.SKIPPED, reason, numbers)


def _seconds(name: str, age: timedelta, allowed: timedelta) -> Numbers:
    return _pair(f"{name}_seconds", _as_decimal(age), _as_decimal(allowed))


def _as_decimal(age: timedelta) -> Decimal:
    return Decimal(age // timedelta(milliseconds=1)).scaleb(-3)


def _pair(name: str, value: Decimal, limit: Decimal) -> Numbers:
    return ((name, value), ("limit", limit))
