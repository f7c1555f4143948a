"""Which legs a signal means for one follower, and whether they concern him."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from signals.enums import Direction, Intent
from strategies.enums import FlipPolicy
from trading.copying.leader import LeaderMove, opposite
from trading.copying.reading import Facts, Running
from trading.enums import Leg

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LegStep:
    """One step for a follower: which leg, in which direction, between which leader positions."""

    leg: Leg
    direction: Direction
    before: Decimal
    after: Decimal


def legs_of(move: LeaderMove, facts: Facts) -> list[LegStep]:
    """A flip closes the other direction first; everything else is one leg."""
    running = facts.cycles.get(move.direction)
    legs = []
    if move.intent == Intent.FLIP:
        other = opposite(move.direction)
        if other in facts.cycles:
            legs.append(LegStep(Leg.CLOSE, other, move.opposite_before, ZERO))
            if closes_only(move, facts):
                return legs
    if move.after == 0:
        legs.append(LegStep(Leg.CLOSE, move.direction, move.before, ZERO))
    elif move.after > move.before or move.intent in (Intent.OPEN, Intent.ADD):
        opens = running is None or is_replaced(running, move)
        leg = Leg.OPEN if opens else Leg.ADD
        legs.append(LegStep(leg, move.direction, move.before, move.after))
    else:
        legs.append(LegStep(Leg.REDUCE, move.direction, move.before, move.after))
    return legs


def closes_only(move: LeaderMove, facts: Facts) -> bool:
    """Of a reversal the follower only closes what he holds, where the strategy says so."""
    if move.intent != Intent.FLIP or facts.link.prices.flip_policy != FlipPolicy.CLOSE_ONLY:
        return False
    other = facts.cycles.get(opposite(move.direction))
    return other is not None and not has_nothing(other)


def is_replaced(running: Running, move: LeaderMove) -> bool:
    """The leader was flat and nothing of the old cycle is left: what comes is a new one."""
    return move.before == 0 and has_nothing(running)


def has_nothing(running: Running) -> bool:
    """Nothing is held, nor can it become so."""
    holding = running.holding
    return holding.filled + holding.pending + holding.leaving <= 0


def concerns(leg: LegStep, move: LeaderMove, running: Running | None) -> bool:
    """Only `open`, and what follows from a flat leader, starts a cycle."""
    if running is not None:
        return True
    if leg.leg != Leg.OPEN:
        return False
    return move.intent in (Intent.OPEN, Intent.FLIP) or (
        move.intent == Intent.TARGET and move.before == 0
    )
