"""Takers walk the book level by level; customers' orders come first at equal price."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice

import pytest

from tests.simulator.core import SPOT, SWAP, Core, told
from trading.simulator.decimals import ZERO, plain
from trading.simulator.requests import Params
from trading.simulator.settings import set_leverage
from trading.simulator.state import Account, Order

RICH = {"USDT": "900000000"}


def asks(core: Core, count: int, inst_id: str = SWAP) -> list[tuple[Decimal, Decimal]]:
    levels = core.market.levels(inst_id, "buy", core.clock.ms())
    return [(each.price, each.size) for each in islice(levels, count)]


def amend(core: Core, account: Account, order: Order, **terms: str) -> None:
    params = {"instId": order.inst_id, "ordId": order.ord_id, **terms}
    core.exchange.amend(account, Params(params))


def test_a_large_order_pays_for_its_size_level_by_level() -> None:
    core = Core()
    account = core.open("rich", **RICH)
    first, second, third = asks(core, 3)

    order = core.order(account, sz=plain(first[1] + second[1] + 1))

    made = [(fill.px, fill.sz) for fill in core.fills(account, order)]
    assert made == [first, second, (third[0], Decimal(1))]
    assert told(order)[:2] == ("filled", "")
    assert len({fill.trade_id for fill in account.fills}) == 3


def test_what_was_taken_is_missing_until_the_book_refills() -> None:
    core = Core()
    account = core.open("rich", **RICH)
    (best, size), (next_price, _) = asks(core, 2)
    core.order(account, sz=plain(size))

    late = core.order(account)
    core.wait(250)
    later = core.order(account)

    assert core.fills(account, late)[0].px == next_price
    assert core.fills(account, later)[0].px == best


def test_a_limit_order_fills_up_to_its_price_and_rests_with_the_remainder() -> None:
    core = Core()
    account = core.open("rich", **RICH)
    price, size = asks(core, 1)[0]

    order = core.order(account, sz=plain(size + 5), px=plain(price))

    assert told(order) == ("partially_filled", "", plain(size))
    assert core.state.resting.best(SWAP, "buy") is order
    core.pin(plain(price - 1))
    assert [(fill.px, fill.sz, fill.exec_type) for fill in core.fills(account, order)] == [
        (price, size, "T"),
        (price, Decimal(5), "M"),
    ]
    assert told(order)[0] == "filled"


@pytest.mark.parametrize(
    ("ord_type", "source", "fills"), [("ioc", "14", 1), ("fok", "13", 0), ("post_only", "31", 0)]
)
def test_what_cannot_be_filled_at_once(ord_type: str, source: str, fills: int) -> None:
    core = Core()
    account = core.open("rich", **RICH)
    price, size = asks(core, 1)[0]

    order = core.order(account, sz=plain(size + 5), px=plain(price), ordType=ord_type)

    assert told(order) == ("canceled", source, plain(size * fills))
    assert len(account.fills) == fills


def test_fok_fills_wholly_over_several_levels() -> None:
    core = Core()
    account = core.open("rich", **RICH)
    (_, first), (price, second) = asks(core, 2)

    order = core.order(account, sz=plain(first + second), px=plain(price), ordType="fok")

    assert told(order) == ("filled", "", plain(first + second))


@pytest.mark.parametrize(("ord_type", "source"), [("market", "27"), ("optimal_limit_ioc", "14")])
def test_an_order_without_price_ends_at_the_price_band(ord_type: str, source: str) -> None:
    core = Core()
    account = core.open("rich", USDT="90000000000")
    inst_id = "LTC-USDT-SWAP"
    limit = core.market.quote(inst_id).buy_limit
    core.market.quotes[inst_id].depth._lots = 2

    order = core.order(account, instId=inst_id, sz="20000", ordType=ord_type)

    assert told(order)[:2] == ("canceled", source)
    assert ZERO < order.filled < 20000
    assert max(fill.px for fill in account.fills) <= limit


def test_customers_meet_each_other_and_share_the_trade_id() -> None:
    core = Core()
    seller, buyer = core.open("seller"), core.open("buyer")
    resting = core.order(seller, side="sell", px="64000.1", sz="3")

    order = core.order(buyer, sz="2")

    taken, made = core.fills(buyer, order)[0], core.fills(seller, resting)[0]
    assert taken.trade_id == made.trade_id
    assert (taken.px, taken.sz, taken.exec_type) == (Decimal("64000.1"), 2, "T")
    assert (made.px, made.sz, made.exec_type) == (Decimal("64000.1"), 2, "M")
    value = Decimal("0.02") * Decimal("64000.1")
    assert (taken.fee, made.fee) == (-value * Decimal("0.0005"), -value * Decimal("0.0002"))
    assert told(resting) == ("partially_filled", "", "2")


def test_better_prices_come_first_and_at_equal_price_the_earlier_customer() -> None:
    core = Core()
    late, early, better = (core.open(key) for key in ("late", "early", "better"))
    first = core.order(early, side="sell", px="64000.1")
    second = core.order(late, side="sell", px="64000.1")
    best = core.order(better, side="sell", px="64000")

    order = core.order(core.open("taker"), sz="2")

    assert [each.state for each in (best, first, second)] == ["filled", "filled", "live"]
    assert order.paid == Decimal("128000.1")


@pytest.mark.parametrize(
    ("terms", "first_in_turn"),
    [
        ({"newSz": "1"}, True),
        ({"newSz": "3"}, False),
        ({"newPx": "64000.1"}, True),
        ({"newPx": "64000.2"}, False),
    ],
)
def test_only_a_smaller_size_keeps_the_place_in_the_queue(
    terms: dict[str, str], first_in_turn: bool
) -> None:
    core = Core()
    one, other = core.open("one"), core.open("other")
    amended = core.order(one, side="sell", px="64000.1", sz="2")
    rival = core.order(other, side="sell", px="64000.1", sz="2")
    amend(core, one, amended, **terms)

    core.order(core.open("taker"), sz="1")

    assert amended.filled == (1 if first_in_turn else 0)
    assert rival.filled == (0 if first_in_turn else 1)


def test_an_order_amended_to_what_is_filled_is_filled() -> None:
    core = Core()
    maker = core.open("maker")
    order = core.order(maker, side="sell", px="64000.1", sz="3")
    core.order(core.open("taker"), sz="2")

    amend(core, maker, order, newSz="2")

    assert told(order) == ("filled", "", "2")
    assert core.state.resting.best(SWAP, "sell") is None


@pytest.mark.parametrize(
    ("mode", "taker", "maker"),
    [
        ("", ("filled", "", "2"), ("canceled", "32", "0")),
        ("cancel_maker", ("filled", "", "2"), ("canceled", "32", "0")),
        ("cancel_taker", ("canceled", "32", "1"), ("live", "", "0")),
        ("cancel_both", ("canceled", "32", "1"), ("canceled", "32", "0")),
    ],
)
def test_an_account_never_trades_with_itself(
    mode: str, taker: tuple[str, str, str], maker: tuple[str, str, str]
) -> None:
    core = Core()
    account, other = core.open("account"), core.open("other")
    core.order(other, side="sell", px="64000")
    own = core.order(account, side="sell", px="64000.1")

    order = core.order(account, sz="2", stpMode=mode)

    assert (told(order), told(own)) == (taker, maker)


def test_the_public_book_shows_customers() -> None:
    core = Core()
    core.order(core.open("one"), px="64000", sz="2")
    core.order(core.open("two"), px="64000", sz="3")

    _, bids = core.market.book(SWAP, 2)

    assert (bids[0].price, bids[0].size, bids[0].orders) == (Decimal(64000), 5, 2)


def test_a_close_only_maker_never_gives_more_than_its_position() -> None:
    core = Core()
    maker = core.open("maker")
    core.order(maker, sz="5")
    resting = core.order(maker, side="sell", sz="4", px="64010", reduceOnly="true")
    core.order(maker, side="sell", sz="3")

    assert told(resting) == ("canceled", "22", "0")
    assert maker.positions[(SWAP, "cross", "net")].qty == 2


def test_spot_money_buys_what_it_reaches() -> None:
    core = Core()
    account = core.open("spender", USDT="5000000")
    (first, size), (second, _) = asks(core, 2, SPOT)
    budget = first * size + second * Decimal("0.5")

    order = core.order(account, instId=SPOT, sz=plain(budget))

    assert [(fill.px, fill.sz) for fill in account.fills] == [
        (first, size),
        (second, Decimal("0.5")),
    ]
    assert told(order)[0] == "filled"
    assert account.balances["USDT"] == 5000000 - budget


def test_a_spot_size_is_cut_to_the_balance_only_for_the_depth_of_the_book() -> None:
    core = Core()
    (first, size), (second, _) = asks(core, 2, SPOT)
    money = plain(first * (size + 1))
    cut, kept, poor = (core.open(key, USDT=money) for key in ("cut", "kept", "poor"))
    terms = {"instId": SPOT, "tgtCcy": "base_ccy", "sz": plain(size + 1)}

    assert core.refused(kept, **terms, banAmend="true") == "51008"
    assert core.refused(poor, **{**terms, "sz": plain(size + 2)}) == "51008"
    order = core.order(cut, **terms)

    assert told(order)[0] == "filled"
    assert size < order.sz == order.filled < size + 1
    assert ZERO <= cut.balances["USDT"] < second * Decimal("0.00000001")


@pytest.mark.parametrize("ord_type", ["market", "fok"])
def test_an_order_that_losses_left_unpaid_is_canceled_in_its_turn(ord_type: str) -> None:
    core = Core()
    loser = core.open("loser", USDT="2500")
    lever = {"instId": SWAP, "mgnMode": "cross", "lever": "10"}
    set_leverage(core.exchange, loser, Params(lever))
    core.order(loser, sz="10")
    unpaid = core.order(loser, instId=SPOT, sz="0.013", px="64000")
    core.market.pin(SWAP, Decimal(44000), core.clock.ms())
    core.order(loser, side="sell", sz="10")
    seller = core.open("seller", BTC="1")
    terms = {"px": "63999.9"} if ord_type == "fok" else {}

    order = core.order(
        seller, instId=SPOT, side="sell", sz="0.01", ordType=ord_type, tgtCcy="base_ccy", **terms
    )

    assert told(unpaid) == ("canceled", "0", "0")
    assert told(order)[0] == "filled"
    assert core.fills(seller, order)[0].px == Decimal("63999.9")
    assert "BTC" not in loser.balances
