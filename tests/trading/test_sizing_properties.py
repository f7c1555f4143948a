"""Whatever the leader does: no drift, no limit exceeded, no dust, no buying on a reduction."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.enums import MinSizePolicy, SizingMode
from trading.enums import Leg
from trading.sizing import (
    Caps,
    CycleBase,
    InstrumentRules,
    SizingRequest,
    SizingTerms,
    notional,
    plan_add,
    plan_close,
    plan_open,
    plan_reduce,
    resize_at_send,
    split,
    target_quantity,
)

D = Decimal
BTC = InstrumentRules("BTC-USDT-SWAP", D("0.01"), D("0.01"), D("0.01"), D("0.1"))
RATIO = SizingTerms(SizingMode.FIXED_RATIO, ratio=D("0.13"))

hundredths = st.integers(0, 5_000).map(lambda count: D(count).scaleb(-2))
ratios = st.integers(1, 30_000).map(lambda count: D(count).scaleb(-4))
lots = st.sampled_from(
    [("0.01", "0.01"), ("1", "1"), ("0.1", "0.1"), ("0.001", "0.001"), ("0.7", "0.7")]
)


def exact_target(pair: CycleBase, leader: D, rules: InstrumentRules) -> Fraction:
    lot = Fraction(rules.lot_size)
    wanted = Fraction(pair.follower_base) * Fraction(leader) / Fraction(pair.leader_base)
    return wanted // lot * lot


def follow(
    pair: CycleBase, held: D, before: D, after: D, asked: SizingRequest
) -> tuple[D, CycleBase]:
    """The follower's position and pair after the leader moved, every order filled."""
    leg = replace(
        asked, base=pair, leader_before=before, leader_after=after, follower_position=held
    )
    if after == before:
        return held, pair
    if after == 0:
        return held - plan_close(leg).quantity, pair
    result = plan_add(leg) if after > before else plan_reduce(leg)
    sign = 1 if after > before else -1
    assert result.quantity >= 0
    return held + sign * result.quantity, result.base or pair


@settings(max_examples=200, deadline=None)
@given(ratio=ratios, lot=lots, path=st.lists(hundredths, min_size=1, max_size=12))
def test_the_follower_never_drifts_from_the_formula(
    ratio: D, lot: tuple[str, str], path: list[D]
) -> None:
    rules = replace(BTC, lot_size=D(lot[0]), min_size=D(lot[1]))
    asked = SizingRequest(
        leader_before=D(0), leader_after=D(1), rules=rules, terms=replace(RATIO, ratio=ratio)
    )
    opened = plan_open(asked)
    assert opened.base is not None
    held, leader = opened.quantity, D(1)

    for after in path:
        held, _ = follow(opened.base, held, leader, after, asked)
        leader = after

        assert Fraction(held) == exact_target(opened.base, leader, rules)
        assert held == 0 or held >= rules.min_size


caps_or_none = st.one_of(st.none(), hundredths)


@settings(max_examples=200, deadline=None)
@given(
    ratio=ratios,
    caps=st.builds(Caps, caps_or_none, caps_or_none, caps_or_none, caps_or_none),
    policy=st.sampled_from(MinSizePolicy),
    minimum=st.sampled_from(["0.01", "0.05", "0.5"]),
    path=st.lists(hundredths, min_size=1, max_size=8),
)
def test_limits_hold_and_reductions_only_reduce(
    ratio: D, caps: Caps, policy: MinSizePolicy, minimum: str, path: list[D]
) -> None:
    rules = replace(BTC, min_size=D(minimum), max_market_size=D(30))
    terms = replace(RATIO, ratio=ratio, min_policy=policy)
    asked = SizingRequest(
        leader_before=D(0), leader_after=D(1), rules=rules, terms=terms, caps=caps, price=D(37)
    )
    opened = plan_open(asked)
    pair, held, leader = opened.base, opened.quantity, D(1)
    assert_within(caps, rules, opened.quantity, held)

    for after in path if pair is not None else []:
        was = held
        held, pair = follow(pair, held, leader, after, asked)
        assert held >= 0
        if after < leader:
            assert held <= was
            assert held == 0 or held >= rules.min_size
        else:
            assert held >= was
            assert_within(caps, rules, held - was, held)
        leader = after
        if leader == 0:
            assert held == 0
            break


def assert_within(caps: Caps, rules: InstrumentRules, quantity: D, held: D) -> None:
    """An increase of `quantity` that led to `held` met every limit and the exchange's sizes."""
    if quantity == 0:
        return
    worth = notional(rules, quantity, D(37))
    assert rules.min_size <= quantity <= (rules.max_market_size or quantity)
    assert quantity % rules.lot_size == 0
    assert caps.max_order_quantity is None or quantity <= caps.max_order_quantity
    assert caps.max_order_notional is None or worth <= caps.max_order_notional
    assert caps.remaining_daily_notional is None or worth <= caps.remaining_daily_notional
    if caps.max_position_notional is not None:
        assert notional(rules, held, D(37)) <= caps.max_position_notional


@settings(max_examples=300, deadline=None)
@given(
    pair=st.builds(CycleBase, hundredths, hundredths.filter(bool)),
    leader=hundredths,
    filled=hundredths,
    leg=st.sampled_from([Leg.REDUCE, Leg.CLOSE]),
)
def test_an_exit_never_flips_and_leaves_no_dust(
    pair: CycleBase, leader: D, filled: D, leg: Leg
) -> None:
    rules = replace(BTC, min_size=D("0.05"))

    quantity = resize_at_send(pair, leader, filled, rules, leg)

    assert 0 <= quantity <= filled
    left = filled - quantity
    if quantity:
        assert left == 0 or left >= max(rules.min_size, target_quantity(pair, leader, rules))


@settings(max_examples=200, deadline=None)
@given(quantity=hundredths.filter(bool), maximum=st.integers(5, 900), minimum=st.integers(1, 5))
def test_slices_add_up(quantity: D, maximum: int, minimum: int) -> None:
    rules = replace(BTC, min_size=D(minimum).scaleb(-2), max_market_size=D(maximum * 2).scaleb(-2))

    slices = split(quantity, rules)

    assert sum(slices) == quantity
    assert all(0 < part <= rules.max_market_size for part in slices)  # type: ignore[operator]
    assert len(slices) == 1 or all(part >= rules.min_size for part in slices)
