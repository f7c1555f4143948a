"""One follower, one signal: copied or not, with the reason and the numbers. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from signals.enums import Direction, Intent
from signals.models import Signal
from strategies.enums import SizingMode
from trading.copying.drafts import OrderDraft
from trading.copying.leader import LeaderMove, opposite
from trading.copying.legs import closes_only, has_nothing, is_replaced, legs_of
from trading.copying.likeness import Likeness
from trading.copying.planning import Planned, plan
from trading.copying.reading import Facts
from trading.enums import DecisionOutcome, Leg, Reason
from trading.risk import INCREASES
from trading.sizing import CycleBase

Numbers = dict[str, str]


class Draft(NamedTuple):
    """A decision before it is written, with what follows from it."""

    facts: Facts
    outcome: DecisionOutcome
    reason: Reason
    numbers: Numbers
    # Equal for followers who were decided alike.
    likeness: Hashable = None
    orders: tuple[OrderDraft, ...] = ()
    new_cycle: CycleBase | None = None
    # By the direction of the running cycle: followers who are alike share everything but facts.
    rebased: Mapping[Direction, CycleBase] = MappingProxyType({})
    ended: tuple[Direction, ...] = ()
    released: tuple[Direction, ...] = ()
    canceled: tuple[Direction, ...] = ()
    # Waiting orders to cancel besides, by their place in what the cycle holds.
    cut: Mapping[Direction, tuple[int, ...]] = MappingProxyType({})
    # The leader left while orders still wait; and came back before they were gone.
    closing: tuple[Direction, ...] = ()
    reopened: tuple[Direction, ...] = ()

    @property
    def waiting(self) -> int:
        """How many orders of it will wait at the exchange."""
        return sum(len(o.quantities) for o in self.orders if o.asking.ladder is not None)

    def for_another(self, facts: Facts) -> Draft:
        """The same for a follower who is alike."""
        return Draft(facts, *self[1:])


def decide(signal: Signal, move: LeaderMove, facts: Facts, now: datetime) -> Draft:
    """Decide one link. Pure: the same facts give the same draft."""
    move = own_move(move, facts)
    if move.intent == Intent.CANCEL:
        return _decide_cancel(move, facts)
    planned = [plan(signal, leg, move, facts, now) for leg in legs_of(move, facts)]
    return _draft(move, facts, planned)


def own_move(move: LeaderMove, facts: Facts) -> LeaderMove:
    """The leader's move as this follower makes it: to the other side where he turns it round."""
    if not facts.link.following.reverse:
        return move
    return replace(move, direction=opposite(move.direction))


class Deciding:
    """Decides the followers of one signal; those who are alike in everything share the work."""

    def __init__(self, signal: Signal, move: LeaderMove, now: datetime) -> None:
        self._signal, self._move, self._now = signal, move, now
        self._likeness = Likeness()
        self._decided: dict[Hashable, Draft] = {}

    def direction_of(self, facts: Facts) -> Direction:
        return own_move(self._move, facts).direction

    def decide(self, facts: Facts) -> Draft:
        alike = self._likeness.of(facts)
        found = self._decided.get(alike)
        if found is not None:
            return found.for_another(facts)
        draft = decide(self._signal, self._move, facts, self._now)
        draft = self._decided[alike] = draft._replace(likeness=len(self._decided))
        return draft


def _draft(move: LeaderMove, facts: Facts, planned: list[Planned]) -> Draft:
    orders = [p.order for p in planned if p.order is not None]
    last = planned[-1]
    outcome, reason = last.verdict.outcome, last.verdict.reason
    if orders:
        outcome = DecisionOutcome.COPIED
        capped = any(p.result is not None and p.result.capped for p in planned)
        reason = Reason.CAPPED if capped else (last.result.reason if last.result else reason)
        held = [p.verdict.reason for p in planned if p.order and not p.verdict.passed]
        if held:
            reason = held[0]
        elif last.order is None:
            reason = last.verdict.reason
        elif closes_only(move, facts):
            reason = Reason.FLIP_CLOSE_ONLY
    closing = [p for p in planned if p.leg.leg == Leg.CLOSE]
    flipping = move.intent == Intent.FLIP and len(planned) > 1
    # What only comes down on its own side waits for nothing: dropped, it would be lost.
    if flipping and len(orders) == 2 and orders[1].leg in INCREASES:  # noqa: PLR2004 - both legs
        orders[1] = replace(orders[1], waits_for_close=True)
    new_cycle = _new_cycle(planned)
    return Draft(
        facts=facts,
        outcome=outcome,
        reason=reason,
        numbers=_numbers(move, facts, planned),
        orders=tuple(orders),
        new_cycle=new_cycle,
        rebased=_rebased(facts, planned),
        ended=_over(move, facts, planned),
        released=_released(facts, new_cycle),
        canceled=tuple(p.leg.direction for p in closing if p.leg.direction in facts.cycles),
        cut={p.leg.direction: p.cut for p in planned if p.cut},
        closing=_still_waiting(facts, closing),
        reopened=_still_waiting(facts, [p for p in planned if p.order and p.leg.leg == Leg.ADD]),
    )


def _new_cycle(planned: list[Planned]) -> CycleBase | None:
    """The base of the cycle that opens: also when its first target is below the minimum."""
    opened = next((p for p in planned if p.leg.leg == Leg.OPEN and p.result is not None), None)
    return opened.result.base if opened and opened.result else None


def _rebased(facts: Facts, planned: list[Planned]) -> dict[Direction, CycleBase]:
    found = {}
    for one in planned:
        running = facts.cycles.get(one.leg.direction)
        if one.leg.leg != Leg.OPEN and running and one.result and one.result.base:
            found[one.leg.direction] = one.result.base
    return found


def _over(move: LeaderMove, facts: Facts, planned: list[Planned]) -> tuple[Direction, ...]:
    """Cycles that end now: closed with nothing left to close, or replaced by a new opening."""
    over = []
    for one in planned:
        running = facts.cycles.get(one.leg.direction)
        if running is None or (one.order is not None and one.leg.leg != Leg.OPEN):
            continue
        known = one.result is not None or running.holding.is_quiet
        closed = one.leg.leg == Leg.CLOSE and known and has_nothing(running)
        if closed or (one.leg.leg == Leg.OPEN and is_replaced(running, move)):
            over.append(one.leg.direction)
    return tuple(over)


def _still_waiting(facts: Facts, planned: list[Planned]) -> tuple[Direction, ...]:
    """The directions among these in which orders rest at the exchange."""
    directions = (one.leg.direction for one in planned)
    return tuple(d for d in directions if d in facts.cycles and facts.cycles[d].holding.waits)


def _released(facts: Facts, new_cycle: CycleBase | None) -> tuple[Direction, ...]:
    """In net mode the instrument has one place: a cycle that opens takes it over.

    What held it is closed by the same flip, or holds nothing any more.
    """
    return tuple(facts.cycles) if new_cycle is not None and facts.is_net else ()


def _numbers(move: LeaderMove, facts: Facts, planned: list[Planned]) -> Numbers:
    numbers = {"leader_before": f"{move.before:f}", "leader_after": f"{move.after:f}"}
    numbers |= _how_followed(facts)
    several = len(planned) > 1
    for one in planned:
        prefix = f"{one.leg.leg}." if several else ""
        steps = one.result.steps if one.result else ()
        asked = one.order.asked_numbers() if one.order else ()
        for name, value in (*one.verdict.numbers, *steps, *one.behind, *asked):
            numbers[prefix + name] = f"{value:f}"
        if one.result and one.result.capped:
            numbers[f"{prefix}capped_by"] = str(one.result.reason)
        if several and not one.verdict.passed:
            numbers[f"{prefix}reason"] = str(one.verdict.reason)
        if one.order and one.order.leverage is not None:
            numbers[f"{prefix}leverage"] = f"{one.order.leverage:f}"
            if one.leverage_cap:
                numbers[f"{prefix}leverage_capped_by"] = one.leverage_cap
        if one.order and one.order.price is not None:
            numbers[f"{prefix}price"] = f"{one.order.price:f}"
    return numbers


def _how_followed(facts: Facts) -> Numbers:
    """What of the terms is not the usual."""
    following = facts.link.following
    said = {"sizing": str(following.sizing.mode), "traded_as": following.inst_id}
    if following.sizing.mode == SizingMode.FIXED_RATIO:
        del said["sizing"]
    if facts.leader.traded is None:
        del said["traded_as"]
    return said | ({"reversed": "yes"} if following.reverse else {})


def _decide_cancel(move: LeaderMove, facts: Facts) -> Draft:
    running = facts.cycles.get(move.direction)
    waiting = running and any(not p.is_final and p.sign > 0 for p in running.holding.parts)
    if not running or not waiting:
        return _skip(facts, Reason.NOTHING_PENDING)
    return Draft(
        facts, DecisionOutcome.COPIED, Reason.CANCELED_BY_SIGNAL, {}, canceled=(move.direction,)
    )


def _skip(facts: Facts, reason: Reason) -> Draft:
    return Draft(facts, DecisionOutcome.SKIPPED, reason, {})
