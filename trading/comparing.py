"""Three numbers of one holding and what they say together. Pure: nothing here asks anybody.

The exchange holds X, our own orders add up to D, following wants T. What our orders explain may
be repaired; what they do not explain belongs to somebody else until a person says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from trading.enums import DriftClass, RepairAction

ZERO = Decimal(0)
TOLERATED = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class Three:
    """Contracts, signed in net mode, of one account, instrument and position side."""

    exchange: Decimal
    ours: Decimal
    target: Decimal
    lot: Decimal

    @property
    def tolerance(self) -> Decimal:
        return max(self.lot, abs(self.target) * TOLERATED)

    @property
    def foreign(self) -> Decimal:
        """What the exchange holds beside what our own orders add up to."""
        return self.exchange - self.ours


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known beside the numbers.

    `moving`: an order of ours may be changing it at this moment, or its outcome is unknown.
    `resting`: an opening of ours waits at the exchange. `excused`: a decision says why less is
    held. `accepted`: what a person took for the customer's own. `external`: what fills of
    orders that are not ours add up to, since then.
    """

    moving: bool = False
    resting: bool = False
    excused: bool = False
    accepted: Decimal = ZERO
    external: Decimal = ZERO


NOTHING_BESIDE = Evidence()


def classify(three: Three, evidence: Evidence = NOTHING_BESIDE) -> DriftClass:
    """The class of a holding that was read in full; a failed reading has none."""
    if evidence.moving:
        return DriftClass.IN_FLIGHT
    foreign = three.foreign - evidence.accepted
    if foreign:
        if not is_explained(three, evidence) and _near(three.exchange, three):
            return DriftClass.LEDGER_DRIFT
        return DriftClass.FOREIGN
    return _beside_target(three, evidence)


def is_explained(three: Three, evidence: Evidence) -> bool:
    """Do fills of orders that are not ours account for all that is foreign?"""
    foreign = three.foreign - evidence.accepted
    return foreign != 0 and foreign == evidence.external


def _beside_target(three: Three, evidence: Evidence) -> DriftClass:
    """Our own orders explain what is there: is it what following wants?"""
    ours, target = three.ours, three.target
    if _near(ours, three):
        return DriftClass.CLEAN
    if target == 0:
        return DriftClass.ORPHAN
    if ours and (ours > 0) != (target > 0):
        return DriftClass.WRONG_SIDE
    if abs(ours) > abs(target):
        return DriftClass.OVER
    if evidence.resting or evidence.excused:
        return DriftClass.EXPLAINED
    return DriftClass.UNDER if ours else DriftClass.MISSING


def _near(quantity: Decimal, three: Three) -> bool:
    """Flat is exact: a lot that is left over would stay for ever."""
    if three.target == 0 or quantity == 0:
        return quantity == three.target
    return abs(quantity - three.target) <= three.tolerance


@dataclass(frozen=True, slots=True)
class Remedy:
    """What puts it right; `alone`: without asking a person, once it is confirmed."""

    action: RepairAction
    quantity: Decimal = ZERO
    alone: bool = False


def remedy_of(kind: DriftClass, three: Three) -> Remedy:
    """The table of defaults. Whether more may be bought alone is for `may_increase_alone`."""
    owned = abs(three.ours)
    match kind:
        case DriftClass.ORPHAN | DriftClass.WRONG_SIDE:
            alone = three.foreign == 0
            return Remedy(RepairAction.CLOSE, owned, alone)
        case DriftClass.OVER:
            return Remedy(RepairAction.REDUCE, owned - abs(three.target), three.foreign == 0)
        case DriftClass.UNDER | DriftClass.MISSING:
            return Remedy(RepairAction.INCREASE, abs(three.target) - owned)
        case DriftClass.FOREIGN:
            return Remedy(RepairAction.FOLLOW)
        case _:
            return Remedy(RepairAction.NOTHING)


def may_increase_alone(
    *,
    age: timedelta,
    window: timedelta,
    price: Decimal | None,
    leader_entry: Decimal | None,
    max_slippage: Decimal,
    buys: bool,
) -> bool:
    """A late opening only while the leader's own is young and the price not worse than allowed."""
    if age > window or price is None or leader_entry is None or leader_entry <= 0:
        return False
    bound = worst_price(leader_entry, max_slippage, buys=buys)
    return price <= bound if buys else price >= bound


def worst_price(leader_entry: Decimal, max_slippage: Decimal, *, buys: bool) -> Decimal:
    return leader_entry * (1 + max_slippage if buys else 1 - max_slippage)
