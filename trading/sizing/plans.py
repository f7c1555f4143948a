"""The four legs of following: open, add, reduce, close, and what happens before they are sent.

Following is by target, not by difference: `target = floor_lot(F_base * L' / L_base)`, with the
pair fixed when the cycle opens. Rounding each difference by itself would drift.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from strategies.enums import FIXED_AMOUNTS, MinSizePolicy
from trading.enums import Leg, Reason
from trading.sizing.caps import Bounded, apply_caps
from trading.sizing.exact import EXACT, ZERO, ceil_lot, ceil_ratio, floor_lot, floor_ratio, product
from trading.sizing.opening import CannotSizeError, opening_quantity
from trading.sizing.terms import CycleBase, SizingRequest, SizingResult, Steps
from trading.sizing.units import InstrumentRules, PriceUnknownError


def target_quantity(base: CycleBase, leader_after: Decimal, rules: InstrumentRules) -> Decimal:
    """The follower's contracts for the leader's position; 0 once the leader is flat."""
    if leader_after <= 0 or base.leader_base <= 0:
        return ZERO
    return floor_ratio(product(base.follower_base, leader_after), base.leader_base, rules.lot_size)


def plan_open(request: SizingRequest) -> SizingResult:
    """Size the first order of a cycle.

    Below the minimum nothing is traded and the base is kept, so that a later add opens. An
    opening that a limit leaves nothing of opens no cycle.
    """
    if request.leader_after <= 0:
        return _nothing(Reason.ALREADY_FLAT)
    try:
        base = CycleBase(opening_quantity(request), request.leader_after)
        result = _sized(replace(request, base=base), base.follower_base)
    except PriceUnknownError:
        return _nothing(Reason.PRICE_UNKNOWN)
    except CannotSizeError as error:
        return _nothing(error.reason)
    if result.quantity == 0:
        return result if result.reason == Reason.BELOW_MIN else replace(result, base=None)
    return result


def plan_add(request: SizingRequest) -> SizingResult:
    """Size what lifts the follower to its target after the leader added; never a reduction."""
    base = request.base
    if base is None or base.follower_base <= 0:
        return _nothing(Reason.NOT_IN_CYCLE)
    expected = _expected(request)
    again = request.terms.per_signal and request.terms.mode in FIXED_AMOUNTS
    if again and request.leader_after > request.leader_before:
        try:
            base = _once_more(request, base)
        except PriceUnknownError:
            return _nothing(Reason.PRICE_UNKNOWN)
        request = replace(request, base=base)
    target = target_quantity(base, request.leader_after, request.rules)
    steps: Steps = (("expected", expected), ("target", target))
    if expected > 0 and target <= expected:
        return _nothing(Reason.ALREADY_AT_TARGET, steps)
    wanted = target - expected
    if expected <= 0:  # not opened so far: the exact share decides on rounding up
        wanted = ceil_ratio(product(base.follower_base, request.leader_after), base.leader_base)
    try:
        result = _sized(request, wanted)
    except PriceUnknownError:
        return _nothing(Reason.PRICE_UNKNOWN, steps)
    stored = result.base if result.capped or again else None
    return replace(result, base=stored, steps=steps + result.steps)


def plan_reduce(request: SizingRequest) -> SizingResult:
    """Size what brings the follower down to its target; never an increase, never past flat."""
    base = request.base
    if base is None:
        return _nothing(Reason.NOT_IN_CYCLE)
    expected = _expected(request)
    if expected <= 0:
        return _nothing(Reason.ALREADY_FLAT, (("expected", expected),))
    if request.leader_after >= request.leader_before:
        return _nothing(Reason.ALREADY_AT_TARGET, (("expected", expected),))
    target = target_quantity(base, request.leader_after, request.rules)
    quantity = _reduction(expected, target, request.rules)
    steps: Steps = (("expected", expected), ("target", target), ("quantity", quantity))
    if quantity == 0:
        reason = Reason.BELOW_MIN if target < expected else Reason.ALREADY_AT_TARGET
        return _nothing(reason, steps)
    sized_up = quantity > expected - target or (target == 0 and request.leader_after > 0)
    reason = Reason.CLOSED_BELOW_MIN if sized_up else Reason.NONE
    return SizingResult(quantity, None, reason, capped=False, steps=steps)


def plan_close(request: SizingRequest) -> SizingResult:
    """Size the end of a cycle: everything that is, or may still become, open.

    When pending reductions already cover a filled position, the close is still planned for
    it: they may end unfilled, and `resize_at_send` finds out.
    """
    expected = _expected(request)
    left = expected if expected > 0 else request.follower_position
    quantity = floor_lot(max(left, ZERO), request.rules.lot_size)
    steps: Steps = (("expected", expected), ("quantity", quantity))
    if quantity == 0:
        return _nothing(Reason.ALREADY_FLAT, steps)
    return SizingResult(quantity, None, Reason.NONE, capped=False, steps=steps)


def resize_at_send(
    base: CycleBase,
    leader_after: Decimal,
    follower_filled: Decimal,
    rules: InstrumentRules,
    leg: Leg,
) -> Decimal:
    """Contracts of a reduce or close at the head of its lane, from what is really filled.

    0 means there is nothing left to do for it. `leader_after` is the leader's position
    after the signal of this leg.
    """
    if leg == Leg.CLOSE:
        return floor_lot(max(follower_filled, ZERO), rules.lot_size)
    if leg != Leg.REDUCE:
        raise ValueError(f"{leg} is not sized from the filled position")
    if follower_filled <= 0:
        return ZERO
    return _reduction(follower_filled, target_quantity(base, leader_after, rules), rules)


def rebase_after_fill(
    base: CycleBase, filled_position: Decimal, leader_position: Decimal
) -> CycleBase:
    """The pair to follow by after an order ended with less than it wanted.

    With the leader flat there is no position to relate to, and the pair stays.
    """
    if leader_position <= 0:
        return base
    return CycleBase(filled_position, leader_position)


def split(
    quantity: Decimal, rules: InstrumentRules, *, limit_order: bool = False
) -> tuple[Decimal, ...]:
    """Slices of at most the exchange's maximum, none below its minimum when that can be had."""
    maximum = rules.max_size(limit_order=limit_order)
    if maximum is None or quantity <= maximum:
        return (quantity,)
    whole = floor_lot(maximum, rules.lot_size)
    if whole <= 0:
        return (quantity,)
    count = int(EXACT.divide_int(quantity, whole))
    rest = EXACT.subtract(quantity, product(whole, Decimal(count)))
    if rest == 0:
        return (whole,) * count
    lent = ceil_lot(max(rules.min_size - rest, ZERO), rules.lot_size)
    return (*(whole,) * (count - 1), whole - lent, rest + lent)


def _expected(request: SizingRequest) -> Decimal:
    return EXACT.add(request.follower_position, request.follower_pending)


def _once_more(request: SizingRequest, base: CycleBase) -> CycleBase:
    """The pair after the fixed amount was added to what the leader's position stood for."""
    followed = product(base.follower_base, request.leader_before)
    before = ceil_ratio(followed, base.leader_base) if base.leader_base > 0 else ZERO
    return CycleBase(EXACT.add(before, opening_quantity(request)), request.leader_after)


def _sized(request: SizingRequest, wanted: Decimal) -> SizingResult:
    """An increase of `wanted` contracts through minimum policy and caps, lots only.

    The result's base is the pair to follow by from here on, rebased when a cap was met.
    """
    expected = max(_expected(request), ZERO)
    lots = floor_lot(wanted, request.rules.lot_size)
    steps: Steps = (("wanted", wanted), ("lots", lots))
    minimum = ceil_lot(request.rules.min_size, request.rules.lot_size)
    lifted = lots < minimum
    if lifted:
        if expected > 0 or not _may_round_up(request, wanted):
            return _below_min(request, steps)
        lots = minimum
        steps += (("rounded_up", lots),)
    bounded = apply_caps(request, Bounded(lots, Reason.NONE, steps), expected)
    if bounded.quantity == lots:
        steps = (*bounded.steps, ("quantity", lots))
        return SizingResult(lots, request.base, Reason.NONE, capped=False, steps=steps)
    if lifted:
        return _below_min(request, bounded.steps)
    quantity = bounded.quantity if bounded.quantity >= minimum else ZERO
    return SizingResult(
        quantity,
        CycleBase(EXACT.add(expected, quantity), request.leader_after),
        bounded.reason,
        capped=True,
        steps=(*bounded.steps, ("quantity", quantity)),
    )


def _may_round_up(request: SizingRequest, wanted: Decimal) -> bool:
    if request.terms.min_policy != MinSizePolicy.ROUND_UP or wanted <= 0:
        return False
    return wanted >= product(request.terms.round_up_floor, request.rules.min_size)


def _below_min(request: SizingRequest, steps: Steps) -> SizingResult:
    steps = (*steps, ("quantity", ZERO))
    return SizingResult(ZERO, request.base, Reason.BELOW_MIN, capped=False, steps=steps)


def _reduction(held: Decimal, target: Decimal, rules: InstrumentRules) -> Decimal:
    """Contracts off a held position: down to the target, or all when less than a minimum stays."""
    if target < rules.min_size:
        return floor_lot(held, rules.lot_size)
    quantity = floor_lot(max(held - target, ZERO), rules.lot_size)
    return quantity if quantity >= rules.min_size else ZERO


def _nothing(reason: Reason, steps: Steps = ()) -> SizingResult:
    return SizingResult(ZERO, None, reason, capped=False, steps=steps)
