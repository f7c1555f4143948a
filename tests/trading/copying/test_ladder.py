"""The rungs of a limit copy: what each is worth waiting for, and what they add up to."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from trading.copying.ladder import discounts, ladder, rung_price, too_far
from trading.copying.price_terms import LadderTerms
from trading.enums import Leg, OrderState, OrderType
from trading.positions_held import OrderPart
from trading.sizing import InstrumentRules

D = Decimal


def rules(lot: str = "0.01", least: str = "0.01", tick: str = "0.1") -> InstrumentRules:
    return InstrumentRules(
        inst_id="BTC-USDT-SWAP",
        contract_value=D("0.01"),
        lot_size=D(lot),
        min_size=D(least),
        tick_size=D(tick),
    )


def terms(rungs: int, nearest: str = "0.01", farthest: str = "0.04") -> LadderTerms:
    return LadderTerms(D(nearest), D(farthest), rungs=rungs, max_orders=20)


def shown(*args: Any, **more: Any) -> list[tuple[str, str]]:
    found = ladder(*args, **more)
    return [(f"{r.price.normalize():f}", f"{r.quantity.normalize():f}") for r in found]


def test_discounts_lie_evenly_between_the_nearest_and_the_farthest() -> None:
    assert discounts(terms(4)) == [D("0.01"), D("0.02"), D("0.03"), D("0.04")]
    assert discounts(terms(1)) == [D("0.01")]
    assert discounts(terms(2, "0.02", "0.02")) == [D("0.02"), D("0.02")]


def test_a_long_waits_below_and_a_short_above_the_leader_s_price() -> None:
    assert rung_price(D("60000"), D("0.02"), D("0.1"), buys=True) == 58_800
    assert rung_price(D("60000"), D("0.02"), D("0.1"), buys=False) == 61_200
    assert rung_price(D("60000.07"), D("0.015"), D("0.1"), buys=True) == 59_100
    assert rung_price(D("60000.07"), D("0.015"), D("0.1"), buys=False) == D("60900.1")


def test_every_rung_gets_its_share_and_the_first_what_is_left() -> None:
    assert shown(D("1.03"), D(60_000), rules(), terms(4), buys=True) == [
        ("59400", "0.28"),
        ("58800", "0.25"),
        ("58200", "0.25"),
        ("57600", "0.25"),
    ]


def test_four_orders_at_one_discount_of_two_percent() -> None:
    """The seed's own example: `{discount_rate: 0.02, max_orders: 4}`."""
    one_price = terms(4, "0.02", "0.02")

    assert shown(D(1), D(60_000), rules(), one_price, buys=True) == [("58800", "0.25")] * 4
    assert shown(D(1), D(60_000), rules(), one_price, buys=False) == [("61200", "0.25")] * 4


def test_shares_below_the_minimum_all_go_to_the_first() -> None:
    small = rules(least="0.1")

    assert shown(D("0.39"), D(60_000), small, terms(4), buys=True) == [("59400", "0.39")]
    assert [q for _, q in shown(D("0.4"), D(60_000), small, terms(4), buys=True)] == ["0.1"] * 4


def test_a_discount_that_leaves_no_price_makes_no_order() -> None:
    assert ladder(D(5), D("0.1"), rules(), terms(2), buys=True) == ()


LOTS = ("0.01", "0.1", "1", "5")
TICKS = ("0.1", "0.01", "0.5", "0.0001")


@given(
    lots=some.integers(1, 10_000),
    lot=some.sampled_from(LOTS),
    least=some.integers(1, 20),
    tick=some.sampled_from(TICKS),
    price=some.decimals(D("10"), D("200000"), places=7),
    rungs=some.integers(1, 20),
    bounds=some.tuples(some.integers(10, 40), some.integers(10, 40)),
    buys=some.booleans(),
)
def test_rungs_add_up_stand_on_ticks_and_go_ever_farther(  # noqa: PLR0913, PLR0917 - all that is drawn
    lots: int,
    lot: str,
    least: int,
    tick: str,
    price: Decimal,
    rungs: int,
    bounds: tuple[int, int],
    buys: bool,
) -> None:
    about = rules(lot, str(D(lot) * least), tick)
    total = D(lot) * max(lots, least)
    nearest, farthest = (D(b) / 1000 for b in sorted(bounds))
    found = ladder(total, price, about, LadderTerms(nearest, farthest, rungs, 20), buys=buys)

    assert sum(rung.quantity for rung in found) == total
    assert 1 <= len(found) <= rungs
    for rung in found:
        assert rung.quantity >= about.min_size
        assert rung.quantity % about.lot_size == 0
        assert rung.price % about.tick_size == 0
        away = (price - rung.price if buys else rung.price - price) / price
        assert nearest <= away <= farthest + about.tick_size / price
    prices = [rung.price for rung in found]
    assert prices == sorted(prices, reverse=buys)
    assert all(rung.quantity == found[-1].quantity for rung in found[1:])


def part(quantity: str, price: str, filled: str = "0", **columns: Any) -> OrderPart:
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "signal_id": uuid.uuid4(),
        "leg": Leg.OPEN,
        "state": OrderState.LIVE,
        "quantity": D(quantity),
        "filled": D(filled),
        "fee_in_kind": D(0),
        "order_type": OrderType.LIMIT,
        "price": D(price),
    }
    return OrderPart(**values | columns)


def test_the_farthest_go_first_until_no_more_than_the_target_can_come_about() -> None:
    parts = [
        part("1", "59400", "1", state=OrderState.FILLED),
        part("1", "58800", "0.5", state=OrderState.PARTIALLY_FILLED),
        part("1", "57600"),
        part("1", "58200"),
        part("1", "57000", cancel_requested=True),
    ]
    expected = D("1") + D("0.5") + D("0.5") + D(2)

    assert too_far(parts, expected, D(4), buys=True) == ()
    assert too_far(parts, expected, D(3), buys=True) == (2,)
    assert too_far(parts, expected, D("2.9"), buys=True) == (2, 3)
    assert too_far(parts, expected, D(0), buys=True) == (2, 3, 1)


def test_of_a_short_the_highest_is_the_farthest() -> None:
    parts = [part("1", "60600"), part("1", "62400"), part("1", "61200")]

    assert too_far(parts, D(3), D(1), buys=False) == (1, 2)


@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.IOC])
def test_what_does_not_wait_is_not_called_back(order_type: OrderType) -> None:
    assert too_far([part("1", "60000", order_type=order_type)], D(1), D(0), buys=True) == ()
