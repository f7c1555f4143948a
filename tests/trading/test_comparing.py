"""Three numbers and what they say: every class by vectors, and what must hold for all numbers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.comparing import (
    Evidence,
    Three,
    classify,
    is_explained,
    may_increase_alone,
    remedy_of,
)
from trading.enums import DriftClass, RepairAction

C = DriftClass
LOT = Decimal("0.01")


def three(exchange: str, ours: str, target: str, lot: Decimal = LOT) -> Three:
    return Three(Decimal(exchange), Decimal(ours), Decimal(target), lot)


@pytest.mark.parametrize(
    ("exchange", "ours", "target", "expected"),
    [
        ("0.13", "0.13", "0.13", C.CLEAN),
        ("0", "0", "0", C.CLEAN),
        ("0.14", "0.14", "0.13", C.CLEAN),  # one lot is tolerated
        ("0.12", "0.12", "0.13", C.CLEAN),
        ("100.5", "100.5", "100", C.CLEAN),  # half a percent is
        ("100.51", "100.51", "100", C.OVER),
        ("0.01", "0.01", "0", C.ORPHAN),  # but never of flat
        ("0.13", "0.13", "0", C.ORPHAN),
        ("-0.13", "-0.13", "0", C.ORPHAN),
        ("0.15", "0.15", "0.13", C.OVER),
        ("-0.15", "-0.15", "-0.13", C.OVER),
        ("0.11", "0.11", "0.13", C.UNDER),
        ("0", "0", "0.13", C.MISSING),
        ("0", "0", "0.01", C.MISSING),
        ("-0.13", "-0.13", "0.13", C.WRONG_SIDE),
        ("0.01", "0.01", "-0.01", C.WRONG_SIDE),
        ("0.13", "0", "0.13", C.LEDGER_DRIFT),
        ("0", "0.13", "0", C.LEDGER_DRIFT),
        ("0.13", "0.26", "0.13", C.LEDGER_DRIFT),
        ("0", "0.13", "0.13", C.FOREIGN),  # closed by hand
        ("0.05", "0.13", "0.13", C.FOREIGN),
        ("1.13", "0.13", "0.13", C.FOREIGN),
        ("-0.87", "0.13", "0.13", C.FOREIGN),
        ("2", "0", "0", C.FOREIGN),
    ],
)
def test_every_class_by_its_numbers(
    exchange: str, ours: str, target: str, expected: DriftClass
) -> None:
    assert classify(three(exchange, ours, target)) == expected


def test_what_the_customer_s_fills_explain_is_theirs_and_no_fault_of_our_books() -> None:
    sold = Evidence(external=Decimal("-0.13"))
    numbers = three("0", "0.13", "0")

    assert classify(numbers) == C.LEDGER_DRIFT
    assert classify(numbers, sold) == C.FOREIGN
    assert is_explained(numbers, sold)


def test_what_was_accepted_is_news_only_when_it_changes() -> None:
    theirs = Evidence(accepted=Decimal(1))

    assert classify(three("1.13", "0.13", "0.13"), theirs) == C.CLEAN
    assert classify(three("1.13", "0.13", "0"), theirs) == C.ORPHAN
    assert classify(three("2.13", "0.13", "0.13"), theirs) == C.FOREIGN
    # Beside somebody else's contracts nothing is closed by itself.
    assert not remedy_of(C.ORPHAN, three("1.13", "0.13", "0")).alone
    assert remedy_of(C.ORPHAN, three("0.13", "0.13", "0")).alone


@pytest.mark.parametrize("evidence", [Evidence(resting=True), Evidence(excused=True)])
def test_less_is_as_decided_but_too_much_never_is(evidence: Evidence) -> None:
    assert classify(three("0.05", "0.05", "0.13"), evidence) == C.EXPLAINED
    assert classify(three("0.15", "0.15", "0.13"), evidence) == C.OVER
    assert classify(three("0.15", "0.15", "0"), evidence) == C.ORPHAN


quantities = st.decimals(min_value=-50, max_value=50, places=2)


@given(quantities, quantities, quantities, st.booleans())
def test_nothing_is_judged_while_orders_move(
    exchange: Decimal, ours: Decimal, target: Decimal, resting: bool
) -> None:
    numbers = Three(exchange, ours, target, LOT)

    assert classify(numbers, Evidence(moving=True, resting=resting)) == C.IN_FLIGHT


@given(quantities, quantities, quantities)
def test_only_what_our_own_orders_explain_is_ever_traded_without_asking(
    exchange: Decimal, ours: Decimal, target: Decimal
) -> None:
    numbers = Three(exchange, ours, target, LOT)
    remedy = remedy_of(classify(numbers), numbers)

    if remedy.alone:
        assert exchange == ours
        assert remedy.action in (RepairAction.CLOSE, RepairAction.REDUCE)


@given(quantities, quantities)
def test_a_repair_ends_where_it_should_and_never_on_the_other_side(
    ours: Decimal, target: Decimal
) -> None:
    numbers = Three(ours, ours, target, LOT)
    kind = classify(numbers)
    remedy = remedy_of(kind, numbers)
    sign = 1 if ours >= 0 else -1
    left = abs(ours)
    match remedy.action:
        case RepairAction.CLOSE | RepairAction.REDUCE:
            left -= remedy.quantity
        case RepairAction.INCREASE:
            left += remedy.quantity
            sign = 1 if target >= 0 else -1

    assert left >= 0
    assert remedy.quantity >= 0
    after = Three(sign * left, sign * left, target, LOT)
    if kind == C.WRONG_SIDE:
        assert left == 0  # flat first, then as missing
    else:
        assert classify(after) == C.CLEAN


@pytest.mark.parametrize(
    ("age", "price", "entry", "buys", "alone"),
    [
        (10, "60000", "60000", True, True),
        (10, "60300", "60000", True, True),  # half a percent worse
        (10, "60301", "60000", True, False),
        (10, "50000", "60000", True, True),  # better is always welcome
        (10, "59700", "60000", False, True),
        (10, "59699", "60000", False, False),
        (301, "60000", "60000", True, False),
        (10, None, "60000", True, False),
        (10, "60000", None, True, False),
    ],
)
def test_more_is_bought_alone_only_while_young_and_no_worse(
    age: int, price: str | None, entry: str | None, buys: bool, alone: bool
) -> None:
    assert alone == may_increase_alone(
        age=timedelta(seconds=age),
        window=timedelta(seconds=300),
        price=None if price is None else Decimal(price),
        leader_entry=None if entry is None else Decimal(entry),
        max_slippage=Decimal("0.005"),
        buys=buys,
    )
