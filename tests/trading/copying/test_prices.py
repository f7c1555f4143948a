"""Which price an opening may get: the guard, the bound, and what is not filled within it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import tenant_scope
from strategies.models import Strategy, Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, make_desk
from trading.copying.prices import worst_price
from trading.enums import Leg
from trading.models import Order
from trading.risk import PriceNumbers, RiskContext, check

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def at_bound(desk: Desk) -> Desk:
    terms(desk, open_orders="ioc")
    return desk


def terms(desk: Desk, **columns: Any) -> None:
    with tenant_scope(desk.tenant):
        Strategy.objects.filter(pk=desk.strategy.pk).update(**columns)


def verdict(desk: Desk, link: Subscription) -> tuple[str, str]:
    decision = desk.last(link)
    return str(decision.outcome), str(decision.reason)


def slipped(mark: str, *, buys: bool = True, leg: Leg = Leg.OPEN) -> str:
    asked = PriceNumbers(reference=d(100), max_slippage=d("0.005"), buys=buys)
    return str(check(leg, RiskContext(mark=Decimal(mark), asked=asked)).reason)


def test_only_a_worse_price_is_slippage() -> None:
    assert [slipped(mark) for mark in ("100.5", "100.51", "90")] == ["", "SLIPPAGE", ""]
    assert [slipped(mark, buys=False) for mark in ("99.5", "99.49", "110")] == ["", "SLIPPAGE", ""]


def test_nobody_is_kept_from_getting_out_by_a_price() -> None:
    assert [slipped("200", leg=leg) for leg in (Leg.ADD, Leg.REDUCE, Leg.CLOSE)] == [
        "SLIPPAGE",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("reference", "slippage", "tick", "bought", "sold"),
    [
        ("60000", "0.005", "0.1", "60300", "59700"),
        ("60000.07", "0.005", "0.1", "60300", "59700.1"),
        ("3.333", "0.003", "0.01", "3.34", "3.33"),
        ("0.00001234", "0.005", "0.0000001", "0.0000124", "0.0000123"),
    ],
)
def test_the_bound_is_a_tick_inside_it(
    reference: str, slippage: str, tick: str, bought: str, sold: str
) -> None:
    for buys, expected in ((True, bought), (False, sold)):
        price = worst_price(Decimal(reference), Decimal(slippage), Decimal(tick), buys=buys)

        assert price == Decimal(expected)
        bound = Decimal(reference) * (1 + Decimal(slippage) * (1 if buys else -1))
        assert price <= bound if buys else price >= bound


@pytest.mark.parametrize(("direction", "price"), [("long", "60300"), ("short", "59700")])
def test_an_opening_goes_out_at_the_bound_at_once_or_not_at_all(
    at_bound: Desk, direction: str, price: str
) -> None:
    at_bound.follower()

    (order,) = at_bound.hear("open", "10", direction=direction)

    assert (order.order_type, order.price, order.quantity) == ("ioc", d(price), 1)
    assert (order.reference_price, order.max_slippage) == (60_000, d("0.005"))


def test_what_reduces_goes_to_the_market(at_bound: Desk) -> None:
    at_bound.follower()
    (opened,) = at_bound.hear("open", "10")
    ended(opened)
    make.set_price(BTC, 90_000)

    (half,) = at_bound.hear("reduce", "5", reference_price=d(90_000))
    ended(half)
    (close,) = at_bound.hear("close", reference_price=d(30_000))

    assert [(o.order_type, o.price, o.max_slippage) for o in (half, close)] == [
        ("market", None, None)
    ] * 2


def test_without_the_leader_s_price_the_market_is_taken(at_bound: Desk) -> None:
    at_bound.follower()

    (order,) = at_bound.hear("open", "10", reference_price=None)

    assert (order.order_type, order.price, order.reference_price) == ("market", None, 60_000)


def test_a_strategy_may_send_openings_to_the_market(desk: Desk) -> None:
    desk.follower()

    (order,) = desk.hear("open", "10")

    assert (order.order_type, order.price, order.max_slippage) == ("market", None, d("0.005"))


@pytest.mark.parametrize("kind", ["market", "ioc"])
def test_a_price_that_ran_away_is_not_followed(desk: Desk, kind: str) -> None:
    terms(desk, open_orders=kind)
    link = desk.follower()
    make.set_price(BTC, 60_301)

    assert desk.hear("open", "10") == []

    assert verdict(desk, link) == ("skipped", "SLIPPAGE")
    numbers = desk.last(link).numbers
    assert d(numbers["slippage"]) == (d(60_301) - 60_000) / 60_000
    assert numbers["limit"] == "0.005"


def test_a_better_price_is(at_bound: Desk) -> None:
    at_bound.follower()
    make.set_price(BTC, 50_000)

    orders = at_bound.hear("open", "10")

    assert [order.price for order in orders] == [60_300], at_bound.decisions()[0].numbers


def test_one_account_may_allow_less_than_its_strategy(desk: Desk) -> None:
    terms(desk, open_orders="ioc")
    strict, usual = desk.follower(max_slippage=d("0.001")), desk.follower()
    make.set_price(BTC, 60_100)

    (order,) = desk.hear("open", "10")

    assert order.subscription_id == usual.pk
    assert verdict(desk, strict) == ("skipped", "SLIPPAGE")


def test_what_was_too_small_at_first_is_measured_by_the_leader_s_whole_position(
    at_bound: Desk,
) -> None:
    link = at_bound.follower()
    assert at_bound.hear("open", "0.05") == []
    assert verdict(at_bound, link) == ("skipped", "BELOW_MIN")
    make.set_price(BTC, 61_000)

    late = at_bound.hear("add", "1", reference_price=d(61_000), leader_entry=d("60500"))

    assert late == []
    assert verdict(at_bound, link) == ("skipped", "SLIPPAGE")
    make.set_price(BTC, 60_700)
    (order,) = at_bound.hear("add", "1", reference_price=d(61_000), leader_entry=d("60500"))
    assert (order.leg, order.price) == ("add", d("60802.5"))
    ended(order)
    (more,) = at_bound.hear("add", "1", reference_price=d(60_700), leader_entry=d("60500"))
    assert more.reference_price == 60_700


def test_what_the_bound_left_out_is_not_chased(at_bound: Desk) -> None:
    at_bound.follower()
    (opened,) = at_bound.hear("open", "10")

    ended(opened, "0.4")

    with tenant_scope(at_bound.tenant):
        opened = Order.objects.get(pk=opened.pk)
    assert (opened.state, opened.reason) == ("canceled", "UNDERFILLED_SLIPPAGE")
    (cycle,) = at_bound.cycles()
    assert (cycle.follower_base, cycle.leader_base) == (d("0.4"), 10)
    assert at_bound.hear("target", "10") == []
    (half,) = at_bound.hear("reduce", "5")
    assert half.quantity == d("0.2")


def test_an_opening_that_got_nothing_ends_its_cycle(at_bound: Desk) -> None:
    link = at_bound.follower()
    (opened,) = at_bound.hear("open", "10")

    ended(opened, "0")

    assert [cycle.ended_at is None for cycle in at_bound.cycles()] == [False]
    assert at_bound.hear("add", "5") == []
    assert verdict(at_bound, link) == ("skipped", "NOT_IN_CYCLE")


@pytest.mark.parametrize("policy", ["follow", "close_only"])
def test_a_reversal_is_followed_as_the_strategy_says(policy: str, db: None) -> None:
    from accounts.models import Installation

    Installation.objects.get_or_create(pk=1)
    desk = make_desk(flip_policy=policy)
    link = desk.follower()
    (opened,) = desk.hear("open", "10")
    ended(opened)

    orders = desk.hear("flip", "20", direction="short")

    legs = [str(order.leg) for order in orders]
    if policy == "follow":
        assert legs == ["close", "open"]
        return
    assert legs == ["close"]
    assert verdict(desk, link) == ("copied", "FLIP_CLOSE_ONLY")
    ended(orders[0])
    assert desk.hear("add", "5", direction="short") == []
    assert verdict(desk, link) == ("skipped", "NOT_IN_CYCLE")


def test_who_holds_nothing_follows_a_reversal_all_the_same(desk: Desk) -> None:
    terms(desk, flip_policy="close_only")
    desk.follower()

    (order,) = desk.hear("flip", "20", direction="short")

    assert (order.leg, order.side) == ("open", "sell")
