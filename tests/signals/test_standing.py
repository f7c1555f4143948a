"""What a message about a whole position means beside the position that is known. Pure."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.enums import Direction, Intent, QuantityMode, Stance, Unit
from signals.models import Signal
from signals.parsing import ParseError
from signals.standing import Held, Move, Standing, Stated, apply, settle

LONG, SHORT = Direction.LONG, Direction.SHORT
FLAT_STANCE, LONG_STANCE, SHORT_STANCE = Stance.FLAT, Stance.LONG, Stance.SHORT
ZERO = Decimal(0)


def held(signed: str | Decimal) -> Standing:
    quantity = Decimal(signed)
    return Standing(long=Held(max(quantity, ZERO)), short=Held(max(-quantity, ZERO)))


def stated(
    side: str, before: str | None, after: str | None, amount: str = "1", size: str | None = None
) -> Stated:
    return Stated(
        toward={"buy": LONG, "sell": SHORT, "": None}[side],
        before=None if before is None else Stance(before),
        after=None if after is None else Stance(after),
        amount=Decimal(amount),
        size=None if size is None else Decimal(size),
    )


def move(said: Stated, standing: Standing) -> str:
    made = settle(said, standing)
    words = [made.intent.value, made.direction.value]
    words += [] if made.quantity is None else [str(made.quantity)]
    return " ".join([*words, "gap"] if made.gap else words)


def signed_after(standing: Standing, made: Move, unit: Unit = Unit.CONTRACTS) -> Decimal:
    signal = Signal(unit=unit)
    apply(signal, made)
    after = standing.after(signal)
    return after.long.quantity - after.short.quantity


@pytest.mark.parametrize(
    ("label", "said", "known", "expected"),
    [
        ("open", stated("buy", "flat", "long"), "0", "open long 1"),
        ("add", stated("buy", "long", "long"), "2", "add long 1"),
        ("reduce", stated("sell", "long", "long"), "2", "reduce long 1"),
        ("close", stated("sell", "long", "flat"), "2", "close long"),
        ("reverse", stated("sell", "long", "short", "5", "3"), "2", "flip short 3"),
        ("reverse, netted", stated("sell", "long", "short", "5"), "2", "flip short 3"),
        ("reverse, typed in", stated("sell", "long", "short", "2"), "2", "flip short 2"),
        ("no previous position: open", stated("buy", None, "long"), "0", "open long 1"),
        ("no previous position: add", stated("buy", None, "long"), "2", "add long 1"),
        ("no previous position: flip", stated("buy", None, "long", "5"), "-2", "flip long 3"),
        # an opening was lost
        ("add to what we missed", stated("buy", "long", "long", "1"), "0", "open long 1 gap"),
        ("add, size known", stated("buy", "long", "long", "1", "4"), "0", "open long 4 gap"),
        (
            "reduce, missed",
            stated("sell", "long", "long", "1", "4"),
            "0",
            "reduce long 1 gap",
        ),
        ("close what we missed", stated("sell", "long", "flat"), "0", "close long gap"),
        (
            "reverse, missed",
            stated("sell", "long", "short", "5", "3"),
            "0",
            "open short 3 gap",
        ),
        ("reverse, size unknown", stated("sell", "long", "short", "5"), "0", "close long gap"),
        # a close was lost
        ("open again", stated("buy", "flat", "long", "1"), "3", "target long 1 gap"),
        ("open the other way", stated("sell", "flat", "short", "1"), "3", "flip short 1 gap"),
        ("flat and flat again", stated("sell", "flat", "flat"), "3", "close long gap"),
        # a reversal was lost
        ("close of the other side", stated("sell", "long", "flat"), "-3", "close short gap"),
        ("add on the other side", stated("buy", "long", "long", "1", "4"), "-3", "flip long 4 gap"),
        (
            "reduce, other side",
            stated("sell", "long", "long", "1", "4"),
            "-3",
            "close short gap",
        ),
        (
            "reverse, late",
            stated("sell", "long", "short", "5", "3"),
            "-2",
            "target short 3 gap",
        ),
        (
            "reverse, late, unknown",
            stated("sell", "long", "short", "5"),
            "-2",
            "target short 2 gap",
        ),
        # a target, with its sign
        ("target from flat", stated("", None, "long", "100", "100"), "0", "open long 100"),
        ("target, more", stated("", None, "long", "100", "100"), "40", "target long 100"),
        ("target, less", stated("", None, "long", "100", "100"), "140", "target long 100"),
        ("target from -100", stated("", None, "long", "100", "100"), "-100", "flip long 100"),
        ("target flat", stated("", None, "flat"), "-100", "close short"),
        # orders that net
        ("buy from flat", stated("buy", None, None), "0", "open long 1"),
        ("buy more", stated("buy", None, None), "2", "add long 1"),
        ("buy less than the short", stated("buy", None, None), "-3", "reduce short 1"),
        ("buy the short back", stated("buy", None, None, "3"), "-3", "close short"),
        ("buy more than the short", stated("buy", None, None, "5"), "-3", "flip long 2"),
        ("cancel", stated("", None, None), "-3", "cancel short"),
    ],
)
def test_what_is_done(label: str, said: Stated, known: str, expected: str) -> None:
    assert move(said, held(known)) == expected, label


def test_a_reduction_of_what_is_held_alike_is_exact_and_else_a_share() -> None:
    said = Stated(
        LONG, SHORT_STANCE, SHORT_STANCE, amount=Decimal(1), size=Decimal(2), share=Decimal("33.3")
    )

    assert settle(said, held("-3")) == Move(Intent.REDUCE, SHORT, Decimal(1))
    share = Move(Intent.REDUCE, SHORT, Decimal("33.3"), is_percent=True)
    assert settle(said, held("-30")) == share
    signal = Signal(quantity_mode=QuantityMode.BASE)
    apply(signal, share)
    assert (signal.quantity_mode, signal.quantity) == (QuantityMode.PERCENT, Decimal("33.3"))


def test_percentages_of_a_balance_are_not_subtracted() -> None:
    said = Stated(
        SHORT,
        LONG_STANCE,
        SHORT_STANCE,
        amount=Decimal(50),
        unit=Unit.PERCENT_EQUITY,
        adds_up=False,
    )
    standing = Standing(long=Held(Decimal(20), Unit.PERCENT_EQUITY))

    assert settle(said, standing) == Move(Intent.FLIP, SHORT, Decimal(50))


def test_an_order_is_not_netted_with_what_is_counted_otherwise() -> None:
    standing = Standing(long=Held(Decimal(20), Unit.PERCENT_EQUITY))

    with pytest.raises(ParseError) as caught:
        settle(stated("sell", None, None), standing)

    assert caught.value.field == "quantity.mode"


def test_what_was_said_comes_back_from_the_row() -> None:
    said = Stated(
        LONG, FLAT_STANCE, LONG_STANCE, Decimal("1.50"), size=Decimal(7), share=Decimal(3)
    )

    assert Stated.of_json(said.as_json()) == said


amounts = st.decimals("0.001", "1000", places=3)
known_positions = st.one_of(st.just(ZERO), amounts, amounts.map(lambda amount: -amount))
courses = st.tuples(
    st.sampled_from([LONG, SHORT]), st.sampled_from([None, *Stance]), st.sampled_from(list(Stance))
).filter(lambda c: c[2] == FLAT_STANCE or c[0].value == c[2] or c[1] in (None, c[2]))
statements = st.builds(
    lambda course, amount, size, share: Stated(*course, amount=amount, size=size, share=share),
    courses,
    amounts,
    st.one_of(st.none(), amounts),
    st.one_of(st.none(), st.decimals(1, 99, places=2)),
)


@settings(max_examples=500, deadline=None)
@given(said=statements, known=known_positions)
def test_it_is_never_on_the_wrong_side_afterwards(said: Stated, known: Decimal) -> None:
    after = signed_after(held(known), settle(said, held(known)))

    side = FLAT_STANCE if after == 0 else (LONG_STANCE if after > 0 else SHORT_STANCE)
    assert side in (FLAT_STANCE, said.after)
    if said.after == FLAT_STANCE:
        assert after == 0


@settings(max_examples=500, deadline=None)
@given(said=statements, known=known_positions)
def test_a_reduction_never_opens_nor_adds(said: Stated, known: Decimal) -> None:
    assert said.toward is not None
    if said.after != FLAT_STANCE and said.toward.value == said.after:
        return

    after = signed_after(held(known), settle(said, held(known)))

    assert abs(after) <= abs(known)
    assert after == 0 or (after > 0) == (known > 0)


@settings(max_examples=500, deadline=None)
@given(said=statements, known=known_positions)
def test_a_growing_position_is_never_more_than_what_was_said(said: Stated, known: Decimal) -> None:
    if said.toward is None or said.toward.value != said.after:
        return
    made = settle(said, held(known))
    after = abs(signed_after(held(known), made))

    assert said.amount is not None
    if made.gap:
        # Where a message was lost only the target counts, never what was traded on top of ours.
        assert after <= max(said.size or said.amount, abs(known))
    elif held(known).side == said.after:
        assert after == abs(known) + said.amount
    else:
        assert after == (said.size or after)
        assert after <= max(said.size or ZERO, said.amount)


@settings(max_examples=500, deadline=None)
@given(known=known_positions, amount=amounts, side=st.sampled_from([LONG, SHORT]))
def test_an_order_that_nets_moves_the_position_by_its_amount(
    known: Decimal, amount: Decimal, side: Direction
) -> None:
    made = settle(Stated(side, None, None, amount=amount), held(known))

    assert signed_after(held(known), made) == known + (amount if side == LONG else -amount)
