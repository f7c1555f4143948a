"""The profit share: the worked numbers of its sources, and what must hold for all numbers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.performance.profit_share import (
    CENT,
    Settled,
    moved_mark,
    share_of_equity,
    share_of_profit,
)
from trading.sizing.exact import EXACT, ZERO, product

D = Decimal
rates = st.integers(0, 10_000).map(lambda n: D(n) / 10_000)
money = st.integers(-(10**26), 10**26).map(lambda n: D(f"{n}E-18"))
periods = st.lists(money, min_size=1, max_size=8)


def of_profit(
    rate: Decimal, realized: Sequence[Decimal], high_water: Decimal = ZERO
) -> list[Settled]:
    """Period after period, each from the mark of the one before."""
    found: list[Settled] = []
    for base in realized:
        mark = found[-1].high_water if found else high_water
        found.append(share_of_profit(rate=rate, high_water=mark, realized=base))
    return found


def fees(settled: Sequence[Settled]) -> Decimal:
    total = D(0)
    for one in settled:
        total = EXACT.add(total, one.fee)
    return total


# The worked numbers


@pytest.mark.parametrize(
    ("high_water", "equity", "fee", "mark"),
    [
        ("10000", "12000", "600", "12000"),
        ("12000", "11000", "0", "12000"),  # 11,400 after the fee, and then a loss
        ("12000", "12500", "150", "12500"),
        ("12500", "14000", "450", "14000"),  # from 12,350 after the fee
    ],
)
def test_of_equity_every_new_height_is_shared_once(
    high_water: str, equity: str, fee: str, mark: str
) -> None:
    found = share_of_equity(rate=D("0.3"), high_water=D(high_water), equity=D(equity))

    assert found == Settled(D(equity), D(fee), D(mark))


def test_the_fee_that_was_taken_does_not_lower_the_mark() -> None:
    """The four periods one after another; what is left after each fee is where the next begins."""
    equity, mark, seen = D(10_000), D(10_000), []
    for gained in (2_000, -400, 1_500, 1_650):
        found = share_of_equity(rate=D("0.3"), high_water=mark, equity=equity + gained)
        equity, mark = equity + gained - found.fee, found.high_water
        seen.append((found.base, found.fee, mark, equity))

    assert seen == [
        (12_000, 600, 12_000, 11_400),
        (11_000, 0, 12_000, 11_000),
        (12_500, 150, 12_500, 12_350),
        (14_000, 450, 14_000, 13_550),
    ]


def test_of_cumulative_profit_a_tenth() -> None:
    found = of_profit(D("0.1"), [D(100), D(150), D(140)])

    assert [(one.fee, one.high_water) for one in found] == [(10, 100), (5, 150), (0, 150)]


def test_a_mark_that_falls_by_the_fee_is_not_ours() -> None:
    """Others set the mark at gain minus fee: the 600 that were taken would be shared again."""
    theirs = D(12_000) - 600
    ours = share_of_equity(rate=D("0.3"), high_water=D(10_000), equity=D(12_000)).high_water

    assert share_of_equity(rate=D("0.3"), high_water=theirs, equity=D(12_500)).fee == 330
    assert share_of_equity(rate=D("0.3"), high_water=ours, equity=D(12_500)).fee == 150


@pytest.mark.parametrize(
    ("unrealized", "counts_open_gains", "base", "fee"),
    [
        ("0", False, "100", "10"),
        ("40", False, "100", "10"),
        ("-40", False, "60", "6"),
        ("-140", False, "-40", "0"),
        ("40", True, "140", "14"),
        ("-40", True, "60", "6"),
    ],
)
def test_open_losses_count_and_open_gains_where_it_is_agreed(
    unrealized: str, counts_open_gains: bool, base: str, fee: str
) -> None:
    found = share_of_profit(
        rate=D("0.1"),
        high_water=D(0),
        realized=D(100),
        unrealized=D(unrealized),
        counts_open_gains=counts_open_gains,
    )

    assert (found.base, found.fee, found.high_water) == (D(base), D(fee), max(D(base), D(0)))


@pytest.mark.parametrize(
    ("rate", "gain", "fee"),
    [("0.1", "0.09", "0"), ("0.1", "0.1", "0.01"), ("0.3", "99.99", "29.99"), ("0", "100", "0")],
)
def test_a_fraction_of_a_cent_is_the_customer_s(rate: str, gain: str, fee: str) -> None:
    found = share_of_profit(rate=D(rate), high_water=D(0), realized=D(gain))

    assert (found.fee, found.high_water) == (D(fee), D(gain))


def test_at_another_rate_only_what_comes_after_is_shared() -> None:
    before = share_of_profit(rate=D("0.1"), high_water=D(0), realized=D(100))
    same_day = share_of_profit(rate=D("0.3"), high_water=before.high_water, realized=D(100))
    later = share_of_profit(rate=D("0.3"), high_water=same_day.high_water, realized=D(150))

    assert (before.fee, same_day.fee, later.fee) == (10, 0, 15)


def test_money_paid_in_or_out_keeps_the_distance_to_the_mark() -> None:
    """500 below the mark, whatever comes and goes."""
    mark = moved_mark(moved_mark(D(12_000), D(5_000)), D(-7_000))

    assert mark == 10_000
    assert share_of_equity(rate=D("0.3"), high_water=mark, equity=D(9_500)).fee == 0
    assert share_of_equity(rate=D("0.3"), high_water=mark, equity=D(10_100)).fee == 30


@pytest.mark.parametrize("rate", ["-0.1", "1.01", "30"])
def test_a_rate_that_is_no_share_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        share_of_profit(rate=D(rate), high_water=D(0), realized=D(1))
    with pytest.raises(ValueError, match="from 0 to 1"):
        share_of_equity(rate=D(rate), high_water=D(0), equity=D(1))


def test_a_mark_of_profit_below_nothing_is_refused() -> None:
    """Or a first loss would be charged while it is made good."""
    with pytest.raises(ValueError, match="begins at 0"):
        share_of_profit(rate=D("0.1"), high_water=D(-1), realized=D(0))


# What holds for all numbers


@given(rates, periods)
def test_no_fee_is_negative_and_the_mark_never_falls(rate: Decimal, bases: list[Decimal]) -> None:
    found = of_profit(rate, bases)

    assert all(one.fee >= 0 and one.fee % CENT == 0 for one in found)
    marks = [D(0), *(one.high_water for one in found)]
    assert all(before <= after for before, after in pairwise(marks))
    assert marks[-1] == max(D(0), *bases)


@given(rates, periods)
def test_no_gain_is_charged_twice_or_left_out(rate: Decimal, bases: list[Decimal]) -> None:
    """All fees together are the rate of the height that was reached, less what was rounded."""
    found = of_profit(rate, bases)
    due = product(rate, found[-1].high_water)

    assert EXACT.subtract(due, CENT * len(bases)) < fees(found) <= due


@given(rates, periods)
def test_a_period_that_is_settled_again_costs_nothing(rate: Decimal, bases: list[Decimal]) -> None:
    found = of_profit(rate, bases)
    again = of_profit(rate, bases, high_water=found[-1].high_water)

    assert fees(again) == 0
    assert again[-1].high_water == found[-1].high_water


@given(rates, st.data())
def test_in_whatever_order_they_come_no_more_is_charged(
    rate: Decimal, drawn: st.DataObject
) -> None:
    bases = drawn.draw(periods)
    there, back = of_profit(rate, bases), of_profit(rate, drawn.draw(st.permutations(bases)))

    assert there[-1].high_water == back[-1].high_water
    # Each period may keep less than a cent; nothing else depends on the order.
    assert abs(EXACT.subtract(fees(there), fees(back))) < CENT * len(bases)


@given(rates, periods)
def test_one_long_period_costs_no_more_than_its_parts(rate: Decimal, bases: list[Decimal]) -> None:
    """An end between two periods fixes a height that is lost again; it never takes one away."""
    parts = of_profit(rate, bases)
    whole = of_profit(rate, bases[-1:])

    assert fees(whole) < EXACT.add(fees(parts), CENT * len(bases))


@given(
    rate=rates,
    invested=st.integers(0, 10**9),
    steps=st.lists(st.tuples(money, money), min_size=1, max_size=8),
)
def test_by_equity_is_by_profit_wherever_money_comes_and_goes(
    rate: Decimal, invested: int, steps: list[tuple[Decimal, Decimal]]
) -> None:
    """Deposits and withdrawals change neither fee nor distance, so both ways charge the same."""
    equity = mark = D(invested)
    earned = profit_mark = D(0)
    for gain, paid_in in steps:
        equity, earned = EXACT.add(equity, gain), EXACT.add(earned, gain)
        by_equity = share_of_equity(rate=rate, high_water=mark, equity=equity)
        by_profit = share_of_profit(rate=rate, high_water=profit_mark, realized=earned)

        assert by_equity.fee == by_profit.fee
        profit_mark = by_profit.high_water
        mark = moved_mark(by_equity.high_water, paid_in)
        equity = EXACT.add(equity, paid_in)
        assert EXACT.subtract(mark, equity) == EXACT.subtract(profit_mark, earned)
