"""What is known about one leg of one account, and what may be the answer. Nothing is read here."""

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
    """What a sized order would do: contracts, its notional, the position's notional after it.

    `proportional` is what the follower's whole position should be beside the leader's, from the
    pair fixed when the cycle opened; None where no leader is followed.
    """

    quantity: Decimal
    notional: Decimal
    position_notional_after: Decimal
    proportional: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PriceNumbers:
    """What an order asks for beside the market. `price` None: whatever the market gives.

    `discount` is what a limit copy keeps from the leader's price on purpose. `reference` is that
    price, and `max_slippage` how much worse than it the market may be; None: however much.
    `is_bound`: the price is only how far an order that is filled at once may go.
    """

    price: Decimal | None = None
    is_stop: bool = False
    discount: Decimal = Decimal(0)
    reference: Decimal | None = None
    max_slippage: Decimal | None = None
    buys: bool = True
    is_bound: bool = False


@dataclass(frozen=True, slots=True)
class Obstacles:
    """What stands in the way of a whole account or market at the moment."""

    account_breaker: bool = False
    account_stopped: bool = False
    market_breaker: bool = False
    maintenance: bool = False
    loss_limit: bool = False
    margin_low: bool = False

    def __or__(self, other: Obstacles) -> Obstacles:
        return Obstacles(
            account_breaker=self.account_breaker or other.account_breaker,
            account_stopped=self.account_stopped or other.account_stopped,
            market_breaker=self.market_breaker or other.market_breaker,
            maintenance=self.maintenance or other.maintenance,
            loss_limit=self.loss_limit or other.loss_limit,
            margin_low=self.margin_low or other.margin_low,
        )


NO_OBSTACLES = Obstacles()
AT_MARKET = PriceNumbers()


@dataclass(frozen=True, slots=True)
class RiskContext:
    """All that is known about one leg of one account.

    `modes` are the switches of every scope that covers it; `flattens` says that flatten itself
    closes with it, and then they are those that bind flatten. `mark_age` None: no price was
    ever seen. `signal_age` is measured at the check, so it may have grown since receipt.
    `leverage` is what the position would be held with. `open_positions`,
    `used_daily_notional` (quote currency), `desk_notional` and the sends of the last second do
    not contain this leg. `order` is None before sizing.
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
    obstacles: Obstacles = NO_OBSTACLES
    signal_age: timedelta = timedelta(0)
    max_signal_age: timedelta = timedelta(seconds=60)
    mark_age: timedelta | None = timedelta(0)
    max_mark_age: timedelta = timedelta(seconds=5)
    mark: Decimal | None = None
    spread: Decimal | None = None
    asked: PriceNumbers = AT_MARKET
    position_mode_conflict: bool = False
    link_conflict: bool = False
    margin_mode_conflict: bool = False
    equity_unknown: bool = False
    is_repeated: bool = False
    leverage: Decimal | None = None
    open_positions: int = 0
    used_daily_notional: Decimal = Decimal(0)
    desk_notional: Decimal = Decimal(0)
    leg_number: int = 0
    account_sends: int = 0
    system_sends: int = 0
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


def denied(reason: Reason, numbers: Numbers = ()) -> RiskVerdict:
    return RiskVerdict(DecisionOutcome.DENIED, reason, numbers)


def skipped(reason: Reason, numbers: Numbers = ()) -> RiskVerdict:
    return RiskVerdict(DecisionOutcome.SKIPPED, reason, numbers)


def above(
    ctx: RiskContext, kind: LimitKind, value: Decimal | None, reason: Reason
) -> RiskVerdict | None:
    """Denied when the value is above the limit of that kind, if there is one."""
    limit = ctx.limits.get(kind)
    if limit is None or value is None or value <= limit.value:
        return None
    return denied(reason, pair(kind.value, value, limit.value))


def pair(name: str, value: Decimal, limit: Decimal) -> Numbers:
    return ((name, value), ("limit", limit))
