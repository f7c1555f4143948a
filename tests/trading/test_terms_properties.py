"""In every mode, whatever the leader does: no drift, no cap broken, no dust, closes never buy."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.enums import FIXED_AMOUNTS, MinSizePolicy, SizingMode
from trading.sizing import (
    Caps,
    CycleBase,
    InstrumentRules,
    LeaderNumbers,
    SizingRequest,
    SizingTerms,
    Traded,
    notional,
    plan_add,
    plan_close,
    plan_open,
    plan_reduce,
)

D = Decimal
RULES = InstrumentRules("BTC-USDT-SWAP", D("0.01"), D("0.01"), D("0.03"), D("0.1"))
THEIRS = Traded(InstrumentRules("BTC-USDC-SWAP", D("0.001"), D(1), D(1), D("0.1")), D(37))

positive = st.integers(1, 5_000).map(lambda count: D(count).scaleb(-2))
steps = st.lists(st.integers(0, 5_000).map(lambda count: D(count).scaleb(-2)), max_size=8)
# The amount of a mode, by what it is an amount of.
AMOUNTS = {
    SizingMode.FIXED_NOTIONAL: st.integers(1, 500).map(D),
    SizingMode.FIXED_MARGIN: st.integers(1, 500).map(D),
    SizingMode.FIXED_QTY: positive,
    SizingMode.PCT_AVAILABLE: st.integers(1, 100).map(lambda n: D(n).scaleb(-2)),
    SizingMode.FIXED_RISK: st.integers(1, 100).map(lambda n: D(n).scaleb(-2)),
}


@st.composite
def requests(draw: st.DrawFn) -> SizingRequest:
    mode = draw(st.sampled_from(SizingMode))
    leader = draw(positive)
    capped = st.one_of(st.none(), st.integers(0, 2_000).map(D))
    terms = SizingTerms(
        mode,
        ratio=draw(positive),
        amount=draw(AMOUNTS[mode]) if mode in AMOUNTS else None,
        multiplier=draw(positive),
        allocated_capital=draw(st.one_of(st.none(), st.integers(1, 900).map(D))),
        slippage=draw(st.sampled_from([D(0), D("0.005"), D("0.1")])),
        min_policy=draw(st.sampled_from(MinSizePolicy)),
    )
    return SizingRequest(
        terms, RULES, D(0), leader, price=D(37), equity=draw(st.integers(1, 900).map(D)),
        available=draw(st.integers(1, 900).map(D)), leverage=draw(st.integers(1, 50).map(D)),
        leader=LeaderNumbers(
            equity=draw(st.integers(1, 9_000).map(D)), leverage=draw(st.integers(1, 50).map(D)),
            price=D(36), traded=draw(st.sampled_from([None, THEIRS])),
        ),
        stop_loss=draw(st.integers(1, 36).map(D)),
        caps=Caps(
            max_order_notional=draw(capped), remaining_allocation=draw(capped),
            remaining_exposure=draw(capped),
        ),
    )  # fmt: skip


def moved(pair: CycleBase, held: D, before: D, after: D, asked: SizingRequest) -> SizingRequest:
    return replace(
        asked, base=pair, leader_before=before, leader_after=after, follower_position=held
    )


def exact(pair: CycleBase, leader: D) -> Fraction:
    lot = Fraction(RULES.lot_size)
    share = Fraction(pair.follower_base) * Fraction(leader) / Fraction(pair.leader_base)
    return share // lot * lot


def within(caps: Caps, asked: SizingRequest, quantity: D) -> bool:
    worth, leverage = notional(RULES, quantity, D(37)), asked.leverage or D(1)
    return (
        (caps.max_order_notional is None or worth <= caps.max_order_notional)
        and (caps.remaining_exposure is None or worth <= caps.remaining_exposure)
        and (caps.remaining_allocation is None or worth <= caps.remaining_allocation * leverage)
    )


@settings(max_examples=300, deadline=None)
@given(asked=requests(), path=steps)
def test_every_mode_keeps_its_promises(asked: SizingRequest, path: list[D]) -> None:
    opened = plan_open(asked)
    pair, held, leader = opened.base, opened.quantity, asked.leader_after
    assert within(asked.caps, asked, held)
    assert held == 0 or held >= RULES.min_size

    for after in path if pair is not None else []:
        leg = moved(pair, held, leader, after, asked)
        was = held
        if after == 0:
            held -= plan_close(leg).quantity
            assert held == 0
            break
        if after < leader:
            result = plan_reduce(leg)
            held -= result.quantity
            assert 0 <= held <= was
            assert held == 0 or held >= RULES.min_size
        elif after > leader:
            result = plan_add(leg)
            held += result.quantity
            assert held >= was
            assert result.quantity == 0 or within(asked.caps, asked, result.quantity)
            pair = result.base or pair
        leader = after


@settings(max_examples=300, deadline=None)
@given(asked=requests(), path=steps)
def test_no_mode_drifts_from_the_formula(asked: SizingRequest, path: list[D]) -> None:
    """Without caps and with a minimum of a lot the follower is where the formula says."""
    rules = replace(RULES, min_size=RULES.lot_size)
    terms = replace(asked.terms, min_policy=MinSizePolicy.SKIP)
    asked = replace(asked, rules=rules, terms=terms, caps=Caps())
    opened = plan_open(asked)
    assert opened.base is not None
    held, leader = opened.quantity, asked.leader_after

    for after in path:
        leg = moved(opened.base, held, leader, after, asked)
        if after == 0:
            held -= plan_close(leg).quantity
        elif after < leader:
            held -= plan_reduce(leg).quantity
        elif after > leader:
            held += plan_add(leg).quantity
        assert Fraction(held) == exact(opened.base, after)
        leader = after
        if leader == 0:
            break


@settings(max_examples=200, deadline=None)
@given(
    asked=requests().filter(lambda one: one.terms.mode in FIXED_AMOUNTS),
    path=st.lists(positive, min_size=1, max_size=6),
)
def test_an_amount_for_each_addition_adds_up(asked: SizingRequest, path: list[D]) -> None:
    """Additions alone hold as many times the amount as there were openings, to a lot."""
    rules = replace(RULES, min_size=RULES.lot_size)
    terms = replace(asked.terms, per_signal=True, min_policy=MinSizePolicy.SKIP)
    asked = replace(asked, rules=rules, terms=terms, caps=Caps())
    opened = plan_open(asked)
    assert opened.base is not None
    pair, held, leader = opened.base, opened.quantity, asked.leader_after

    for more in path:
        result = plan_add(moved(pair, held, leader, leader + more, asked))
        held, pair, leader = held + result.quantity, result.base or pair, leader + more

    times = Fraction(opened.base.follower_base) * (len(path) + 1)
    assert 0 <= times - Fraction(held) < Fraction(RULES.lot_size)
