"""What a leader's trades mean, by what it held before. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from signals.enums import Direction, LeaderMarginMode
from tests.trading.sync.rows import BTC, T0, fill, position
from trading.exchange.streams import PositionsEvent
from trading.exchange.types import MarginMode, PositionSide, Side
from trading.sync.leaders.evidence import Difference, Evidence
from trading.sync.leaders.moves import Book, Held, Place, Step, Trade, held_by, is_doubtful

L, S = Direction.LONG, Direction.SHORT
CROSS, ISOLATED = LeaderMarginMode.CROSS, LeaderMarginMode.ISOLATED


def trade(text: str, number: int = 1, mode: LeaderMarginMode | None = CROSS, **more: Any) -> Trade:
    """`buy 3`, `sell 2 at 61000`, `sell 1 of long`."""
    words = text.split()
    values: dict[str, Any] = {"side": Side(words[0]), "quantity": Decimal(words[1])}
    if "at" in words:
        values["price"] = Decimal(words[words.index("at") + 1])
    if "of" in words:
        values["position_side"] = PositionSide(words[words.index("of") + 1])
    return Trade(fill(None, number, **values | more), margin_mode=mode)


def book(**held: str) -> Book:
    """`long_cross="3"`."""
    found = {}
    for name, quantity in held.items():
        direction, mode = name.split("_")
        place = Place(BTC, Direction(direction), LeaderMarginMode(mode))
        found[place] = Held(Decimal(quantity), Decimal(60_000))
    return Book(found)


def plain(steps: list[Step]) -> list[tuple[str, str, str, str]]:
    return [(s.intent.value, s.direction.value, f"{s.before:f}", f"{s.after:f}") for s in steps]


@pytest.mark.parametrize(
    ("held", "what", "meant"),
    [
        ({}, "buy 3", [("open", "long", "0", "3")]),
        ({}, "sell 3", [("open", "short", "0", "3")]),
        ({"long_cross": "3"}, "buy 1", [("add", "long", "3", "4")]),
        ({"long_cross": "3"}, "sell 1", [("reduce", "long", "3", "2")]),
        ({"long_cross": "3"}, "sell 3", [("close", "long", "3", "0")]),
        ({"long_cross": "3"}, "sell 5", [("flip", "short", "0", "2")]),
        ({"short_cross": "3"}, "buy 5", [("flip", "long", "0", "2")]),
        ({"short_cross": "3"}, "sell 1", [("add", "short", "3", "4")]),
        ({}, "buy 3 of long", [("open", "long", "0", "3")]),
        ({}, "sell 3 of short", [("open", "short", "0", "3")]),
        ({"long_cross": "3"}, "sell 1 of long", [("reduce", "long", "3", "2")]),
        ({"long_cross": "3"}, "sell 3 of long", [("close", "long", "3", "0")]),
        ({"long_cross": "3"}, "sell 2 of short", [("open", "short", "0", "2")]),
        ({"long_cross": "3", "short_cross": "2"}, "buy 2 of short", [("close", "short", "2", "0")]),
        # Never more than there is: the rest was not heard.
        ({"long_cross": "3"}, "sell 9 of long", [("close", "long", "3", "0")]),
        ({}, "sell 1 of long", []),
        # The other margin mode is another position; followers see the sum.
        ({"long_isolated": "3"}, "buy 1", [("add", "long", "3", "4")]),
        ({"long_isolated": "3"}, "sell 1", [("open", "short", "0", "1")]),
        (
            {"long_cross": "3", "long_isolated": "2"},
            "sell 4",
            [("reduce", "long", "5", "2"), ("open", "short", "0", "1")],
        ),
    ],
    ids=str,
)
def test_what_a_trade_means(held: dict[str, str], what: str, meant: Any) -> None:
    assert plain(book(**held).take(trade(what))) == meant


def test_the_average_entry_moves_with_what_is_bought_only() -> None:
    leader = Book()
    leader.take(trade("buy 1 at 60000"))
    added = leader.take(trade("buy 3 at 62000"))
    reduced = leader.take(trade("sell 2 at 70000"))
    turned = leader.take(trade("sell 4 at 50000"))

    assert added[0].entry == Decimal(61_500)
    assert reduced[0].entry == Decimal(61_500)
    assert turned[0].entry == Decimal(50_000)


def test_coins_are_averaged_where_contracts_are_worth_dollars() -> None:
    leader = Book(inverse=frozenset({BTC}))
    leader.take(trade("buy 1 at 50000"))
    added = leader.take(trade("buy 1 at 100000"))

    assert added[0].entry is not None
    assert added[0].entry.quantize(Decimal("0.01")) == Decimal("66666.67")


@pytest.mark.parametrize(
    ("held", "what", "found"),
    [
        ({}, "buy 1", CROSS),
        ({"long_isolated": "3"}, "buy 1", ISOLATED),
        ({"long_isolated": "3"}, "sell 1", ISOLATED),
        ({"long_isolated": "3"}, "sell 1 of long", ISOLATED),
        ({"long_isolated": "3"}, "sell 1 of short", CROSS),
        ({"short_cross": "1", "long_isolated": "3"}, "buy 1", CROSS),
    ],
    ids=str,
)
def test_a_trade_that_does_not_say_how_it_is_margined(
    held: dict[str, str], what: str, found: LeaderMarginMode
) -> None:
    assert book(**held).margin_mode(trade(what, mode=None)) == found


@pytest.mark.parametrize(
    ("held", "what", "pnl", "doubtful"),
    [
        ({}, "buy 3", 0, False),
        ({"long_cross": "3"}, "sell 3", 5, False),
        ({"long_cross": "3"}, "sell 4", 5, True),  # a reversal, or an opening was not heard
        ({"long_cross": "3"}, "sell 4 of long", 5, True),
        ({}, "sell 1", 5, True),  # it made money: it closed something
        ({}, "sell 1 of long", 0, True),
    ],
    ids=str,
)
def test_what_makes_no_sense_by_what_is_known(
    held: dict[str, str], what: str, pnl: int, doubtful: bool
) -> None:
    assert is_doubtful(trade(what, realized_pnl=Decimal(pnl)), book(**held)) is doubtful


def test_trades_are_ordered_by_time_and_then_by_number() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    later = trade("buy 1", trade_id="3", filled_at=at + timedelta(seconds=1))
    first, second = (trade("buy 1", trade_id=name, filled_at=at) for name in ("9", "10"))

    assert sorted([later, second, first], key=lambda each: each.order) == [first, second, later]


def test_positions_of_what_is_not_followed_are_left_out() -> None:
    reports = [
        position(quantity=Decimal(-3)),
        position(quantity=Decimal(2), margin_mode=MarginMode.ISOLATED),
        position(inst_id="BTC-USDT", quantity=Decimal(1)),
        position(inst_id="BTC-USD-261225-60000-C"),
        position(inst_id="ETH-USDT-SWAP", quantity=Decimal(0)),
    ]

    found = held_by(reports)

    assert {place: held.quantity for place, held in found.items()} == {
        Place(BTC, S, CROSS): Decimal(3),
        Place(BTC, L, ISOLATED): Decimal(2),
    }


# When a difference is believed.

NOW = T0


def differ(ours: int, theirs: int) -> Difference:
    return Difference(BTC, L, Decimal(ours), Decimal(theirs))


def read(quantity: int) -> dict[Place, Held]:
    return {Place(BTC, L, CROSS): Held(Decimal(quantity))} if quantity else {}


OTHER = {Place("ETH-USDT-SWAP", L, CROSS): Held(Decimal(1))}


def times(evidence: Evidence, seconds: list[int], theirs: int = 0) -> list[bool]:
    """Whether it is believed, at each of these seconds."""
    return [
        bool(
            evidence.believed(
                [differ(3, theirs)], read(theirs) | OTHER, NOW + timedelta(seconds=second)
            )
        )
        for second in seconds
    ]


def test_flat_by_readings_alone_takes_four_of_them_and_twenty_seconds() -> None:
    assert times(Evidence(), [0, 3, 6, 9, 12, 20]) == [False] * 5 + [True]
    assert times(Evidence(), [0, 10, 20]) == [False] * 3
    assert times(Evidence(), [0, 10, 20, 30]) == [False] * 3 + [True]


def test_a_reading_that_agrees_in_between_starts_anew() -> None:
    evidence = Evidence()
    times(evidence, [0, 5, 10])
    evidence.believed([], read(3), NOW + timedelta(seconds=15))

    assert times(evidence, [20, 25, 30]) == [False] * 3


def test_another_quantity_starts_anew() -> None:
    evidence = Evidence()
    times(evidence, [0, 5, 10], theirs=1)

    assert times(evidence, [21], theirs=0) == [False]


def test_a_hint_of_the_socket_needs_one_reading() -> None:
    evidence = Evidence()
    gone = PositionsEvent((position(quantity=Decimal(0)),), snapshot=False)
    evidence.hear(gone, NOW)

    assert times(evidence, [1]) == [True]


def test_an_old_hint_is_none() -> None:
    evidence = Evidence()
    evidence.hear(PositionsEvent((position(quantity=Decimal(0)),), snapshot=False), NOW)

    assert times(evidence, [121]) == [False]


def test_a_hint_of_another_quantity_is_none() -> None:
    evidence = Evidence()
    evidence.hear(PositionsEvent((position(quantity=Decimal(3)),), snapshot=False), NOW)

    assert times(evidence, [1]) == [False]


def test_an_empty_book_is_read_once_more_before_everybody_is_closed() -> None:
    evidence = Evidence()
    evidence.hear(PositionsEvent((), snapshot=True), NOW)

    first = evidence.believed([differ(3, 0)], {}, NOW + timedelta(seconds=1))
    second = evidence.believed([differ(3, 0)], {}, NOW + timedelta(seconds=2))

    assert (first, second) == ([], [differ(3, 0)])


def test_more_than_we_know_is_believed_the_second_time() -> None:
    assert times(Evidence(), [0, 3, 6], theirs=5) == [False, False, True]
