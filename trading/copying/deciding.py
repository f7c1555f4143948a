"""One follower, one signal: copied or not, with the reason and the numbers. Nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from customers.enums import AccountStatus, CustomerStatus, KeyStatus
from signals.enums import Direction, Intent
from signals.models import Signal
from trading.copying.leader import LeaderMove, opposite
from trading.copying.reading import Facts, Running
from trading.enums import DecisionOutcome, Leg, LimitKind, Reason, Scope
from trading.positions_held import NOTHING, Holding, base_of
from trading.risk import (
    LimitValue,
    RiskContext,
    RiskVerdict,
    check,
    effective_leverage,
    effective_limits,
    remaining_daily_notional,
)
from trading.sizing import (
    Caps,
    CycleBase,
    SizingRequest,
    SizingResult,
    notional,
    plan_add,
    plan_close,
    plan_open,
    plan_reduce,
    split,
)

ZERO = Decimal(0)
Numbers = dict[str, str]


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """One leg, in slices the exchange takes."""

    leg: Leg
    direction: Direction
    quantities: tuple[Decimal, ...]
    price: Decimal | None
    notional: Decimal | None
    leverage: Decimal | None
    leader_after: Decimal
    cycle: Running | None
    new_base: CycleBase | None = None
    waits_for_close: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision before it is written, with what follows from it."""

    facts: Facts
    outcome: DecisionOutcome
    reason: Reason
    numbers: Numbers
    orders: tuple[OrderDraft, ...] = ()
    new_cycle: CycleBase | None = None
    rebased: Mapping[UUID, CycleBase] = field(default_factory=dict)
    ended: tuple[Running, ...] = ()
    released: tuple[Running, ...] = ()
    canceled: tuple[Running, ...] = ()


@dataclass(frozen=True, slots=True)
class _Leg:
    """One step for a follower: which leg, in which direction, between which leader positions."""

    leg: Leg
    direction: Direction
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class _Planned:
    """What became of one leg."""

    leg: _Leg
    verdict: RiskVerdict
    result: SizingResult | None = None
    order: OrderDraft | None = None
    leverage_cap: str = ""


def decide(signal: Signal, move: LeaderMove, facts: Facts, now: datetime) -> Draft:
    """Decide one link. Pure: the same facts give the same draft."""
    if move.intent == Intent.CANCEL:
        return _decide_cancel(move, facts)
    if facts.market is not None and facts.market.instrument.is_spot:
        if move.direction == Direction.SHORT and move.intent != Intent.CLOSE:
            return _skip(facts, Reason.SHORT_NOT_POSSIBLE)
    planned = [_plan(signal, leg, move, facts, now) for leg in _legs(move, facts)]
    return _draft(move, facts, planned)


def _legs(move: LeaderMove, facts: Facts) -> list[_Leg]:
    running = facts.cycles.get(move.direction)
    legs = []
    if move.intent == Intent.FLIP:
        other = opposite(move.direction)
        if other in facts.cycles:
            legs.append(_Leg(Leg.CLOSE, other, move.opposite_before, ZERO))
    if move.after == 0:
        legs.append(_Leg(Leg.CLOSE, move.direction, move.before, ZERO))
    elif move.after > move.before or move.intent in (Intent.OPEN, Intent.ADD):
        opens = running is None or _is_over(running, move)
        leg = Leg.OPEN if opens else Leg.ADD
        legs.append(_Leg(leg, move.direction, move.before, move.after))
    else:
        legs.append(_Leg(Leg.REDUCE, move.direction, move.before, move.after))
    return legs


def _is_over(running: Running, move: LeaderMove) -> bool:
    """The leader was flat and nothing of the old cycle is left: what comes is a new one."""
    holding = running.holding
    return move.before == 0 and holding.filled + holding.pending <= 0


def _plan(
    signal: Signal, leg: _Leg, move: LeaderMove, facts: Facts, now: datetime
) -> _Planned:
    running = facts.cycles.get(leg.direction)
    if not _concerns(leg, move, running):
        return _Planned(leg, RiskVerdict(DecisionOutcome.SKIPPED, Reason.NOT_IN_CYCLE))
    leverage, label = _leverage(signal, facts)
    context = _context(signal, leg, move, facts, now, leverage)
    verdict = check(leg.leg, context)
    if not verdict.passed or facts.market is None:
        return _Planned(leg, verdict)
    result = _size(leg, move, facts, context)
    if result.quantity == 0:
        return _Planned(leg, _nothing_to_do(result), result)
    order = _order(leg, facts, result, leverage)
    return _Planned(leg, verdict, result, order, label)


def _concerns(leg: _Leg, move: LeaderMove, running: Running | None) -> bool:
    """Only `open`, and what follows from a flat leader, starts a cycle."""
    if running is not None:
        return True
    if leg.leg != Leg.OPEN:
        return False
    return move.intent in (Intent.OPEN, Intent.FLIP) or (
        move.intent == Intent.TARGET and move.before == 0
    )


def _context(
    signal: Signal,
    leg: _Leg,
    move: LeaderMove,
    facts: Facts,
    now: datetime,
    leverage: Decimal | None,
) -> RiskContext:
    link, market = facts.link, facts.market
    account = link.account
    covered = link.covered(signal.inst_id)
    mark_at = market.mark_at if market else None
    return RiskContext(
        modes=facts.switchboard.modes_for(covered),
        customer_active=account.customer.status == CustomerStatus.ACTIVE,
        account_enabled=account.status == AccountStatus.ACTIVE,
        key_verified=account.key_status == KeyStatus.VERIFIED,
        subscription_status=link.subscription_status,
        strategy_status=link.strategy_status,
        instrument_known=market is not None,
        instrument_trading=market is None or market.instrument.is_live,
        instrument_allowed=link.allowed,
        signal_age=max(now - signal.signal_at, timedelta(0)),
        max_signal_age=_max_age(signal, link.max_age),
        mark_age=None if mark_at is None else max(now - mark_at, timedelta(0)),
        max_mark_age=timedelta(seconds=settings.MARK_STALE_AFTER_S),
        position_mode_conflict=_conflicts(leg, move, facts),
        link_conflict=facts.key_taken,
        leverage=leverage,
        open_positions=facts.open_positions,
        used_daily_notional=facts.used_today,
        limits=effective_limits(_limits(facts, signal.inst_id)),
    )


def _max_age(signal: Signal, strategy_age: timedelta) -> timedelta:
    """The sender may shorten the strategy's patience, never lengthen it."""
    if signal.expires_at is None:
        return strategy_age
    return min(strategy_age, signal.expires_at - signal.signal_at)


def _conflicts(leg: _Leg, move: LeaderMove, facts: Facts) -> bool:
    """In net mode an account holds one direction; only a flip turns it."""
    other = facts.cycles.get(opposite(leg.direction))
    if not facts.is_net or move.intent == Intent.FLIP or other is None:
        return False
    return not (other.holding.is_quiet and other.holding.filled == 0)


def _limits(facts: Facts, inst_id: str) -> list[LimitValue]:
    account = facts.link.account
    own = (
        (LimitKind.ORDER_NOTIONAL, account.max_order_notional),
        (LimitKind.DAILY_NOTIONAL, account.max_daily_notional),
        (LimitKind.OPEN_POSITIONS, account.max_open_positions),
    )
    bounds = [
        LimitValue(kind, Scope.ACCOUNT, Decimal(value), label=account.label)
        for kind, value in own
        if value is not None
    ]
    return [*bounds, *facts.switchboard.limits_for(facts.link.covered(inst_id))]


def _leverage(signal: Signal, facts: Facts) -> tuple[Decimal | None, str]:
    """What to set before an open, and whose cap lowered it. None on spot."""
    market, link = facts.market, facts.link
    if market is None or market.rules.spot:
        return None, ""
    limits = effective_limits(_limits(facts, signal.inst_id))
    bound = limits.get(LimitKind.LEVERAGE)
    caps = [
        *link.leverage_caps,
        ("limit", bound.value if bound else None),
        ("instrument", market.rules.max_leverage),
    ]
    wanted = signal.leverage
    if wanted is None:
        wanted = min((cap for _, cap in caps if cap is not None), default=Decimal(1))
        wanted = wanted if link.subscription else min(wanted, Decimal(1))
    return effective_leverage(wanted, caps)


def _size(leg: _Leg, move: LeaderMove, facts: Facts, context: RiskContext) -> SizingResult:
    request = _request(leg, move, facts, context)
    running = facts.cycles.get(leg.direction)
    match leg.leg:
        case Leg.OPEN:
            return _size_open(leg, move, request)
        case Leg.ADD if running is not None and move.before == 0:
            # Something of an earlier cycle is still held: follow anew from what is there.
            base = plan_open(replace(request, follower_position=ZERO, follower_pending=ZERO)).base
            result = plan_add(replace(request, base=base))
            return replace(result, base=result.base or base)
        case Leg.ADD:
            return plan_add(request)
        case Leg.REDUCE:
            return plan_reduce(request)
        case _:
            return plan_close(request)


def _size_open(leg: _Leg, move: LeaderMove, request: SizingRequest) -> SizingResult:
    """Open for what this signal adds: a leader's older position is never copied."""
    added = leg.after if move.intent in (Intent.FLIP, Intent.TARGET) else leg.after - leg.before
    result = plan_open(replace(request, leader_before=ZERO, leader_after=added, base=None))
    if result.base is None or added == leg.after:
        return result
    return replace(result, base=CycleBase(result.base.follower_base, leg.after))


def _request(leg: _Leg, move: LeaderMove, facts: Facts, context: RiskContext) -> SizingRequest:
    market = facts.market
    assert market is not None  # noqa: S101 - an unknown instrument was refused before
    running = facts.cycles.get(leg.direction)
    holding = running.holding if running else NOTHING
    opening = leg.leg == Leg.OPEN
    return SizingRequest(
        terms=facts.link.terms,
        rules=market.rules,
        leader_before=leg.before,
        leader_after=leg.after,
        base=base_of(running.cycle) if running else None,
        follower_position=ZERO if opening else holding.filled,
        follower_pending=ZERO if opening else _pending(leg, holding),
        price=market.mark,
        equity=facts.equity,
        caps=_caps(context),
        unit=move.unit,
    )


def _pending(leg: _Leg, holding: Holding) -> Decimal:
    """A close supersedes what was not sent yet, so it does not count on it."""
    if leg.leg != Leg.CLOSE:
        return holding.pending
    return holding.pending - sum(
        (part.sign * part.quantity for part in holding.parts if part.is_unsent), ZERO
    )


def _caps(context: RiskContext) -> Caps:
    limits = context.limits

    def value(kind: LimitKind) -> Decimal | None:
        bound = limits.get(kind)
        return None if bound is None else bound.value

    return Caps(
        max_order_notional=value(LimitKind.ORDER_NOTIONAL),
        remaining_daily_notional=remaining_daily_notional(context),
        max_position_notional=value(LimitKind.POSITION_NOTIONAL),
        max_order_quantity=value(LimitKind.ORDER_QUANTITY),
    )


def _nothing_to_do(result: SizingResult) -> RiskVerdict:
    """Nothing to trade: denied when a limit left nothing, otherwise skipped."""
    outcome = DecisionOutcome.DENIED if result.capped else DecisionOutcome.SKIPPED
    return RiskVerdict(outcome, result.reason or Reason.ALREADY_AT_TARGET)


def _order(
    leg: _Leg, facts: Facts, result: SizingResult, leverage: Decimal | None
) -> OrderDraft:
    market = facts.market
    assert market is not None  # noqa: S101 - it was sized with these rules
    value = notional(market.rules, result.quantity, market.mark) if market.mark else None
    return OrderDraft(
        leg=leg.leg,
        direction=leg.direction,
        quantities=split(result.quantity, market.rules),
        price=market.mark,
        notional=value,
        leverage=leverage,
        leader_after=leg.after,
        cycle=None if leg.leg == Leg.OPEN else facts.cycles.get(leg.direction),
        new_base=result.base if leg.leg == Leg.OPEN else None,
    )


def _draft(move: LeaderMove, facts: Facts, planned: list[_Planned]) -> Draft:
    orders = [p.order for p in planned if p.order is not None]
    last = planned[-1]
    outcome, reason = last.verdict.outcome, last.verdict.reason
    if orders:
        outcome = DecisionOutcome.COPIED
        capped = any(p.result is not None and p.result.capped for p in planned)
        reason = Reason.CAPPED if capped else (last.result.reason if last.result else reason)
        if last.order is None:
            reason = last.verdict.reason
    closing = [p for p in planned if p.leg.leg == Leg.CLOSE]
    flipping = move.intent == Intent.FLIP and len(planned) > 1
    if flipping and len(orders) == 2:  # noqa: PLR2004 - the close and the open
        orders[1] = replace(orders[1], waits_for_close=True)
    over = _over(move, facts, planned)
    return Draft(
        facts=facts,
        outcome=outcome,
        reason=reason,
        numbers=_numbers(move, planned),
        orders=tuple(orders),
        new_cycle=_new_cycle(planned),
        rebased=_rebased(facts, planned),
        ended=over,
        released=_released(facts, flipping),
        canceled=tuple(
            facts.cycles[p.leg.direction] for p in closing if p.leg.direction in facts.cycles
        ),
    )


def _new_cycle(planned: list[_Planned]) -> CycleBase | None:
    """The base of the cycle that opens: also when its first target is below the minimum."""
    opened = next((p for p in planned if p.leg.leg == Leg.OPEN and p.result is not None), None)
    return opened.result.base if opened and opened.result else None


def _rebased(facts: Facts, planned: list[_Planned]) -> dict[UUID, CycleBase]:
    found = {}
    for plan in planned:
        running = facts.cycles.get(plan.leg.direction)
        if plan.leg.leg != Leg.OPEN and running and plan.result and plan.result.base:
            found[running.cycle.pk] = plan.result.base
    return found


def _over(move: LeaderMove, facts: Facts, planned: list[_Planned]) -> tuple[Running, ...]:
    """Cycles that end now: closed with nothing left to close, or replaced by a new opening."""
    over = []
    for plan in planned:
        running = facts.cycles.get(plan.leg.direction)
        if running is None or (plan.order is not None and plan.leg.leg != Leg.OPEN):
            continue
        quiet = running.holding.filled + running.holding.pending <= 0
        closed = plan.leg.leg == Leg.CLOSE and plan.result is not None and quiet
        if closed or (plan.leg.leg == Leg.OPEN and _is_over(running, move)):
            over.append(running)
    return tuple(over)


def _released(facts: Facts, flipping: bool) -> tuple[Running, ...]:
    """In net mode a flip hands the instrument's one place to the new cycle."""
    return tuple(facts.cycles.values()) if flipping and facts.is_net else ()


def _numbers(move: LeaderMove, planned: list[_Planned]) -> Numbers:
    numbers = {"leader_before": f"{move.before:f}", "leader_after": f"{move.after:f}"}
    several = len(planned) > 1
    for plan in planned:
        prefix = f"{plan.leg.leg}." if several else ""
        steps = plan.result.steps if plan.result else ()
        for name, value in (*plan.verdict.numbers, *steps):
            numbers[prefix + name] = f"{value:f}"
        if several and not plan.verdict.passed:
            numbers[f"{prefix}reason"] = str(plan.verdict.reason)
        if plan.order and plan.order.leverage is not None:
            numbers[f"{prefix}leverage"] = f"{plan.order.leverage:f}"
            if plan.leverage_cap:
                numbers[f"{prefix}leverage_capped_by"] = plan.leverage_cap
        if plan.order and plan.order.price is not None:
            numbers[f"{prefix}price"] = f"{plan.order.price:f}"
    return numbers


def _decide_cancel(move: LeaderMove, facts: Facts) -> Draft:
    running = facts.cycles.get(move.direction)
    waiting = running and any(not p.is_final and p.sign > 0 for p in running.holding.parts)
    if not running or not waiting:
        return _skip(facts, Reason.NOTHING_PENDING)
    return Draft(
        facts, DecisionOutcome.COPIED, Reason.CANCELED_BY_SIGNAL, {}, canceled=(running,)
    )


def _skip(facts: Facts, reason: Reason) -> Draft:
    return Draft(facts, DecisionOutcome.SKIPPED, reason, {})
