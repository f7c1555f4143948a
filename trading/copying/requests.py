"""What the sizing of one leg is told, and what it is explained with. Nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from signals.enums import Direction
from signals.models import Signal
from strategies.enums import LeverageMode, MarginChoice
from trading.attached import attached
from trading.copying.leader import LeaderMove
from trading.copying.legs import LegStep
from trading.copying.reading import Facts
from trading.enums import Leg, LimitKind, PositionSide, Reason
from trading.positions_held import NOTHING, Holding, base_of
from trading.risk import (
    INCREASES,
    LimitValue,
    Numbers,
    RiskContext,
    effective_leverage,
    effective_limits,
    remaining_daily_notional,
)
from trading.sizing import Caps, SizingRequest, SizingResult, notional
from trading.switch import limits_of_account

ZERO = Decimal(0)

# Which limit a size met; the answer of sizing names the reason only.
KIND_OF = {
    Reason.ORDER_NOTIONAL_ABOVE_LIMIT: LimitKind.ORDER_NOTIONAL,
    Reason.POSITION_NOTIONAL_ABOVE_LIMIT: LimitKind.POSITION_NOTIONAL,
    Reason.ORDER_QUANTITY_ABOVE_LIMIT: LimitKind.ORDER_QUANTITY,
    Reason.DAILY_LIMIT: LimitKind.DAILY_NOTIONAL,
}


@dataclass(frozen=True, slots=True)
class Leverage:
    """What a position is held with. `is_kept`: the account's own, but never more than `times`.

    `times` None: spot. `capped_by` says whose limit lowered what was wanted.
    """

    times: Decimal | None = None
    capped_by: str = ""
    is_kept: bool = False


def limits_in_force(facts: Facts) -> Mapping[LimitKind, LimitValue]:
    link = facts.link
    own, board = limits_of_account(link.account), facts.switchboard
    return effective_limits([*own, *board.limits_for(link.covered())])


def leverage_of(signal: Signal, facts: Facts) -> Leverage:
    """What to set before an opening: as the terms want it, below every cap."""
    market, link = facts.market, facts.link
    if market is None or market.rules.spot:
        return Leverage()
    bound = limits_in_force(facts).get(LimitKind.LEVERAGE)
    caps = [
        *link.leverage_caps,
        ("limit", bound.value if bound else None),
        ("instrument", market.rules.max_leverage),
    ]
    most = min((cap for _, cap in caps if cap is not None), default=Decimal(1))
    match link.following.leverage_mode:
        case LeverageMode.KEEP:
            return Leverage(most, is_kept=True)
        case LeverageMode.FIXED:
            wanted = link.following.leverage
        case _:
            wanted = signal.leverage
    if wanted is None:
        wanted = most if link.subscription_id else min(most, Decimal(1))
    return Leverage(*effective_leverage(wanted, caps))


def margin_mode_of(signal: Signal, leg: LegStep, facts: Facts) -> str:
    """Cash on spot; what runs keeps its own, or its close would close another position."""
    if facts.market is not None and facts.market.rules.spot:
        return "cash"
    running = facts.cycles.get(leg.direction) if leg.leg != Leg.OPEN else None
    if running is not None and running.holding.margin_mode:
        return running.holding.margin_mode
    wanted = facts.link.following.margin_mode
    if wanted == MarginChoice.COPY:
        return signal.margin_mode or MarginChoice.CROSS.value
    return wanted.value


def margin_mode_conflicts(signal: Signal, leg: LegStep, facts: Facts) -> bool:
    """A position of the other mode is another position: a second one is not opened."""
    if leg.leg not in INCREASES or facts.market is None or facts.market.rules.spot:
        return False
    side = PositionSide.NET if facts.is_net else PositionSide(leg.direction.value)
    mode = margin_mode_of(signal, leg, facts)
    return any(h.margin_mode != mode for h in facts.held if h.position_side == side)


def sizing_request(
    signal: Signal,
    leg: LegStep,
    move: LeaderMove,
    facts: Facts,
    context: RiskContext,
    lever: Leverage,
) -> SizingRequest:
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
        available=facts.available,
        leverage=None if lever.is_kept else lever.times,
        leader=facts.leader,
        stop_loss=_stop_loss(signal, leg, facts, lever),
        caps=_caps(facts, context),
        unit=move.unit,
        limit_order=context.asked.price is not None,
    )


def _stop_loss(signal: Signal, leg: LegStep, facts: Facts, lever: Leverage) -> Decimal | None:
    """Where the position will be stopped: that is what a risk is measured to.

    A price of the leader's own instrument stops nothing in another.
    """
    market, same = facts.market, facts.link.inst_id == signal.inst_id
    return attached(
        facts.link.protection,
        mirrored=(signal.take_profit, signal.stop_loss) if same else (None, None),
        reverses=facts.link.following.reverse,
        rising=leg.direction == Direction.LONG,
        entry=(market.mark if market else None) or signal.reference_price,
        leverage=lever.times,
    ).stop_loss


def _pending(leg: LegStep, holding: Holding) -> Decimal:
    """A close supersedes what was not sent yet, so it does not count on it.

    A reduction counts on what is being canceled: it may fill, and is then reduced as well.
    """
    if leg.leg in INCREASES:
        return holding.pending
    if leg.leg != Leg.CLOSE:
        return holding.pending + holding.leaving
    return (
        holding.pending
        + holding.leaving
        - sum((part.sign * part.quantity for part in holding.parts if part.is_unsent), ZERO)
    )


def _caps(facts: Facts, context: RiskContext) -> Caps:
    limits = context.limits

    def value(kind: LimitKind) -> Decimal | None:
        bound = limits.get(kind)
        return None if bound is None else bound.value

    allocated, exposure = facts.link.terms.allocated_capital, _max_exposure(facts)
    return Caps(
        max_order_notional=value(LimitKind.ORDER_NOTIONAL),
        remaining_daily_notional=remaining_daily_notional(context),
        max_position_notional=value(LimitKind.POSITION_NOTIONAL),
        max_order_quantity=value(LimitKind.ORDER_QUANTITY),
        remaining_allocation=None if allocated is None else allocated - facts.used_margin,
        remaining_exposure=None if exposure is None else exposure - facts.exposure,
    )


def _max_exposure(facts: Facts) -> Decimal | None:
    """What all positions of the account may be worth."""
    times = facts.link.following.max_exposure
    return None if times is None else times * max(facts.equity or ZERO, ZERO)


def numbers_behind(
    result: SizingResult, facts: Facts, context: RiskContext, request: SizingRequest
) -> Numbers:
    """What the size was worked out from, and what it is explained with where it was not wanted."""
    known = (
        ("equity", request.equity),
        ("available", request.available),
        ("leader_equity", request.leader.equity if request.equity is not None else None),
    )
    return (
        *((name, value) for name, value in known if value is not None),
        *_why_other(result, facts, context),
    )


def _why_other(result: SizingResult, facts: Facts, context: RiskContext) -> Numbers:
    market = facts.market
    assert market is not None  # noqa: S101 - it was sized with these rules
    rules = market.rules
    if result.reason in (Reason.BELOW_MIN, Reason.CLOSED_BELOW_MIN):
        return (("min_size", rules.min_size),)
    if not result.capped:
        return ()
    most = rules.max_size(limit_order=context.asked.price is not None)
    if result.reason == Reason.ABOVE_MAX and most is not None:
        return (("max_size", most),)
    told = _met(result.reason, facts, context)
    lots = dict(result.steps).get("lots")
    if lots is not None and (market.mark or rules.inverse):
        told.append(("order_value", notional(rules, lots, market.mark)))
    return tuple((name, value) for name, value in told if value is not None)


def _met(reason: Reason, facts: Facts, context: RiskContext) -> list[tuple[str, Decimal | None]]:
    """The limit that a size met, and how much of it was used before."""
    bound = context.limits.get(KIND_OF[reason]) if reason in KIND_OF else None
    limit = bound.value if bound else None
    used = {
        Reason.DAILY_LIMIT: (limit, context.used_daily_notional),
        Reason.ALLOCATION_FULL: (facts.link.terms.allocated_capital, facts.used_margin),
        Reason.EXPOSURE_ABOVE_LIMIT: (_max_exposure(facts), facts.exposure),
    }
    if reason in used:
        return list(zip(("limit", "used"), used[reason], strict=True))
    return [("limit", limit)]
