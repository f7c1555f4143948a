"""One leg of one follower: may it be traded, and how much. Nothing is read here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from customers.enums import AccountStatus, CustomerStatus, KeyStatus
from signals.enums import Direction, Intent
from signals.models import Signal
from trading.copying.drafts import OrderDraft
from trading.copying.existing import worse_price
from trading.copying.ladder import too_far
from trading.copying.leader import LeaderMove, opposite
from trading.copying.legs import LegStep, concerns
from trading.copying.prices import Asking, asking
from trading.copying.reading import Facts
from trading.copying.requests import (
    Leverage,
    leverage_of,
    limits_in_force,
    margin_mode_conflicts,
    margin_mode_of,
    numbers_behind,
    sizing_request,
)
from trading.enums import DecisionOutcome, Leg, Reason, Side
from trading.positions_held import base_of
from trading.risk import (
    INCREASES,
    PASSED,
    Numbers,
    OrderNumbers,
    RiskContext,
    RiskVerdict,
    check,
    check_size,
)
from trading.sizing import (
    CycleBase,
    SizingRequest,
    SizingResult,
    notional,
    plan_add,
    plan_close,
    plan_open,
    plan_reduce,
    split,
    target_quantity,
)

ZERO = Decimal(0)


# What stands in the way of a reduction for a time only: a late close beats a lost one.
HELD = frozenset(
    {
        Reason.TRADING_HALTED,
        Reason.ACCOUNT_DISABLED,
        Reason.KEY_NOT_VERIFIED,
        Reason.ACCOUNT_BREAKER,
    }
)


@dataclass(frozen=True, slots=True)
class Planned:
    """What became of one leg."""

    leg: LegStep
    verdict: RiskVerdict
    result: SizingResult | None = None
    order: OrderDraft | None = None
    leverage_cap: str = ""
    behind: Numbers = ()
    # Waiting orders of the running cycle that are taken back, by their place in its holding.
    cut: tuple[int, ...] = ()


def plan(signal: Signal, leg: LegStep, move: LeaderMove, facts: Facts, now: datetime) -> Planned:
    """Refuse the leg with its reason, or size it. Pure: the same facts give the same plan."""
    if _is_spot_short(leg, move, facts):
        return Planned(leg, RiskVerdict(DecisionOutcome.SKIPPED, Reason.SHORT_NOT_POSSIBLE))
    if not concerns(leg, move, facts.cycles.get(leg.direction)):
        return Planned(leg, RiskVerdict(DecisionOutcome.SKIPPED, Reason.NOT_IN_CYCLE))
    asks = asking(signal, leg, facts)
    lever = leverage_of(signal, facts)
    context = replace(_context(signal, leg, move, facts, now, lever.times), asked=asks.numbers)
    verdict = check(leg.leg, context)
    if verdict.passed and facts.market is not None:
        verdict = worse_price(signal, leg, facts.market) or _has_room(leg, facts)
    if facts.market is None or not (verdict.passed or _is_held(leg, verdict)):
        return Planned(leg, verdict)
    request = sizing_request(signal, leg, move, facts, context, lever)
    result = _size(leg, move, facts, request)
    behind = numbers_behind(result, facts, context, request)
    sized = check_size(leg.leg, _sized(leg, facts, result, context))
    if not sized.passed:
        return Planned(leg, sized, behind=behind)
    if result.quantity == 0:
        return Planned(leg, _nothing_to_do(result), result, behind=behind)
    order = _order(signal, leg, facts, result, lever, asks)
    planned = Planned(leg, verdict, result, order, lever.capped_by, behind, _cut(leg, facts))
    return planned if order.quantities else _without_a_price(planned)


def _without_a_price(planned: Planned) -> Planned:
    """A discount that leaves less than a tick of the price."""
    refused = RiskVerdict(DecisionOutcome.DENIED, Reason.PRICE_OUTSIDE_COLLAR)
    return Planned(planned.leg, refused, behind=planned.behind)


def _has_room(leg: LegStep, facts: Facts) -> RiskVerdict:
    """Limit copies: no more may wait than the strategy says, and none waits in line for it."""
    prices, waiting = facts.link.prices, facts.waiting_orders
    most = prices.ladder.max_orders
    if leg.leg not in INCREASES or not prices.waits:
        return PASSED
    if facts.leader_lost:
        return RiskVerdict(DecisionOutcome.SKIPPED, Reason.LEADER_LOST)
    if waiting < most:
        return PASSED
    numbers = (("waiting_orders", Decimal(waiting)), ("limit", Decimal(most)))
    return RiskVerdict(DecisionOutcome.SKIPPED, Reason.LIMIT_MAX_ORDERS, numbers)


def _cut(leg: LegStep, facts: Facts) -> tuple[int, ...]:
    """The waiting orders that would take a reduced position past its target."""
    running, market = facts.cycles.get(leg.direction), facts.market
    if leg.leg != Leg.REDUCE or running is None or market is None or not running.holding.waits:
        return ()
    holding = running.holding
    target = target_quantity(base_of(running.cycle), leg.after, market.rules)
    if target < market.rules.min_size:
        target = ZERO
    expected = holding.filled + holding.pending
    return too_far(holding.parts, expected, target, buys=leg.direction == Direction.LONG)


def _sized(leg: LegStep, facts: Facts, result: SizingResult, context: RiskContext) -> RiskContext:
    """The context with what the order would be, once that is known."""
    market, running = facts.market, facts.cycles.get(leg.direction)
    assert market is not None  # noqa: S101 - it was sized with these rules
    base = result.base or (base_of(running.cycle) if running else None)
    share = base.follower_base * leg.after / base.leader_base if base and base.leader_base else None
    value = notional(market.rules, result.quantity, market.mark) if market.mark else ZERO
    side = Side.BUY if leg.direction == Direction.LONG else Side.SELL
    return replace(
        context,
        order=OrderNumbers(result.quantity, value, value, share),
        is_repeated=facts.repeats.has(
            facts.link.account.pk, facts.link.inst_id, side, result.quantity
        ),
    )


def _is_held(leg: LegStep, verdict: RiskVerdict) -> bool:
    """A reduction that may not leave now is decided all the same, and waits until it may."""
    return leg.leg not in INCREASES and verdict.reason in HELD


def _is_spot_short(leg: LegStep, move: LeaderMove, facts: Facts) -> bool:
    if facts.market is None or not facts.market.rules.spot or leg.direction == Direction.LONG:
        return False
    return move.intent != Intent.CLOSE


def _context(
    signal: Signal,
    leg: LegStep,
    move: LeaderMove,
    facts: Facts,
    now: datetime,
    leverage: Decimal | None,
) -> RiskContext:
    link, market = facts.link, facts.market
    account = link.account
    inst_id = link.inst_id
    mark_at = market.mark_at if market else None
    return RiskContext(
        modes=facts.switchboard.modes_for(link.covered()),
        customer_active=account.customer.status == CustomerStatus.ACTIVE,
        account_enabled=account.status == AccountStatus.ACTIVE,
        key_verified=account.key_status == KeyStatus.VERIFIED,
        subscription_status=link.subscription_status,
        strategy_status=link.strategy_status,
        instrument_known=market is not None,
        instrument_trading=market is None or market.instrument.is_live,
        instrument_allowed=link.following.allowed,
        signal_age=max(now - signal.signal_at, timedelta(0)),
        max_signal_age=_max_age(signal, link.max_age),
        mark_age=None if mark_at is None else max(now - mark_at, timedelta(0)),
        max_mark_age=timedelta(seconds=settings.MARK_STALE_AFTER_S),
        position_mode_conflict=_conflicts(leg, move, facts),
        link_conflict=facts.is_taken(leg.direction),
        margin_mode_conflict=margin_mode_conflicts(signal, leg, facts),
        equity_unknown=link.following.max_exposure is not None and facts.equity is None,
        leverage=leverage,
        open_positions=facts.open_positions,
        used_daily_notional=facts.used_today,
        desk_notional=facts.desk_notional,
        limits=limits_in_force(facts),
        **facts.guards.context(
            account_id=account.pk,
            market=account.market,
            inst_id=inst_id,
            subscription_id=link.subscription_id,
        ),
    )


def _max_age(signal: Signal, strategy_age: timedelta) -> timedelta:
    """The sender may shorten the strategy's patience, never lengthen it."""
    if signal.expires_at is None:
        return strategy_age
    return min(strategy_age, signal.expires_at - signal.signal_at)


def _conflicts(leg: LegStep, move: LeaderMove, facts: Facts) -> bool:
    """In net mode an account holds one direction; only a flip turns it."""
    other = facts.cycles.get(opposite(leg.direction))
    if not facts.is_net or move.intent == Intent.FLIP or other is None:
        return False
    return not (other.holding.is_quiet and other.holding.filled == 0)


def _size(leg: LegStep, move: LeaderMove, facts: Facts, request: SizingRequest) -> SizingResult:
    running = facts.cycles.get(leg.direction)
    match leg.leg:
        case Leg.OPEN:
            return _size_open(leg, move, request)
        case Leg.ADD if running is not None and move.before == 0:
            # Something of an earlier cycle is still held: follow anew from what is there.
            base = plan_open(replace(request, follower_position=ZERO, follower_pending=ZERO)).base
            once = replace(request.terms, per_signal=False)
            result = plan_add(replace(request, base=base, terms=once))
            return replace(result, base=result.base or base)
        case Leg.ADD:
            return plan_add(request)
        case Leg.REDUCE:
            return plan_reduce(request)
        case _:
            return plan_close(request)


def _size_open(leg: LegStep, move: LeaderMove, request: SizingRequest) -> SizingResult:
    """Open for what this signal adds: a leader's older position is never copied."""
    added = leg.after if move.intent in (Intent.FLIP, Intent.TARGET) else leg.after - leg.before
    result = plan_open(replace(request, leader_before=ZERO, leader_after=added, base=None))
    if result.base is None or added == leg.after:
        return result
    return replace(result, base=CycleBase(result.base.follower_base, leg.after))


def _nothing_to_do(result: SizingResult) -> RiskVerdict:
    """Nothing to trade: denied when a limit left nothing, otherwise skipped."""
    outcome = DecisionOutcome.DENIED if result.capped else DecisionOutcome.SKIPPED
    return RiskVerdict(outcome, result.reason or Reason.ALREADY_AT_TARGET)


def _order(
    signal: Signal,
    leg: LegStep,
    facts: Facts,
    result: SizingResult,
    lever: Leverage,
    asks: Asking,
) -> OrderDraft:
    market = facts.market
    assert market is not None  # noqa: S101 - it was sized with these rules
    value = notional(market.rules, result.quantity, market.mark) if market.mark else None
    rungs = asks.rungs(result.quantity, market.rules)
    quantities = tuple(rung.quantity for rung in rungs)
    if asks.ladder is None:
        quantities = split(result.quantity, market.rules, limit_order=asks.is_limit)
    return OrderDraft(
        leg=leg.leg,
        direction=leg.direction,
        quantities=quantities,
        asking=asks,
        prices=tuple(rung.price for rung in rungs),
        price=market.mark,
        notional=value,
        leverage=lever.times,
        keeps_leverage=lever.is_kept,
        margin_mode=margin_mode_of(signal, leg, facts),
        leader_after=leg.after,
        in_cycle=leg.direction if leg.leg != Leg.OPEN and leg.direction in facts.cycles else None,
    )
