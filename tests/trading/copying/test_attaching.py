"""A follower's openings bring the stops that it and its strategy ask for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import tenant_scope
from strategies import services
from strategies.enums import ProtectionBasis
from strategies.models import Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, make_desk
from trading.models import Order, Protection

pytestmark = [pytest.mark.django_db, pytest.mark.database]
D = Decimal


@pytest.fixture
def desk() -> Desk:
    return make_desk(stop_loss_ratio=D("0.05"), max_leverage=D(10))


def prices(orders: list[Order]) -> list[tuple[Decimal | None, Decimal | None]]:
    return [(order.take_profit, order.stop_loss) for order in orders]


def change(desk: Desk, link: Subscription, **terms: Any) -> None:
    with tenant_scope(desk.tenant):
        services.change_subscription(subscription=link, actor=None, **terms)


def test_each_opening_carries_the_strategys_ratio_and_protects_what_it_opened(desk: Desk) -> None:
    desk.follower()
    orders = desk.hear("open", "10")
    assert prices(orders) == [(None, D(57_000))]
    added = desk.hear("add", "10")
    assert prices(added) == [(None, D(57_000))]
    with tenant_scope(desk.tenant):
        kept = list(Protection.objects.values_list("stop_loss", "quantity", "order_id"))
    assert {row[2] for row in kept} == {order.pk for order in orders + added}
    assert all(row[:2] == (D(57_000), D(1)) for row in kept)
    assert prices(desk.hear("reduce", "5")) == [(None, None)]


def test_a_subscriptions_own_ratio_stands_instead(desk: Desk) -> None:
    """Followers of one strategy who differ in nothing else are each given their own prices."""
    links = [desk.follower() for _ in range(4)]
    change(desk, links[1], stop_loss_ratio=D("0.1"), take_profit_ratio=D("0.2"))
    change(desk, links[2], stop_loss_ratio=D(0))
    change(desk, links[3], protection_basis=ProtectionBasis.MARGIN)
    assert prices(desk.hear("open", "10")) == [
        (None, D(57_000)),
        (D(72_000), D(54_000)),
        (None, None),
        (None, D(59_700)),  # 5 % of the margin at ten times: 0.5 % of the price
    ]


def test_of_the_signals_price_and_the_ratio_the_nearer_one_counts(desk: Desk) -> None:
    links = [desk.follower() for _ in range(2)]
    change(desk, links[1], mirror_protection=False)
    orders = desk.hear("open", "10", stop_loss=D(58_000), take_profit=D(66_000))
    assert prices(orders) == [(D(66_000), D(58_000)), (None, D(57_000))]


def test_prices_stand_on_the_tick_that_is_reached_earlier(desk: Desk) -> None:
    link = desk.follower()
    change(desk, link, stop_loss_ratio=D("0.0123456"), take_profit_ratio=D("0.0123456"))
    assert prices(desk.hear("open", "10")) == [(D("60740.7"), D("59259.3"))]
    make.make_instrument("ETH-USDT-SWAP", tick_size=D("0.01"))
    make.set_price("ETH-USDT-SWAP", 3400)
    short = desk.hear(
        "open", "10", inst_id="ETH-USDT-SWAP", direction="short", reference_price=D(3400)
    )
    assert prices(short) == [(D("3358.03"), D("3441.97"))]


def test_a_resting_order_counts_from_its_own_price_and_a_taken_one_from_the_mark() -> None:
    desk = make_desk(stop_loss_ratio=D("0.05"), open_orders="ioc")
    desk.follower()
    (taken,) = desk.hear("open", "10")
    assert taken.order_type == "ioc"
    assert taken.price is not None
    assert taken.price > 60_000
    assert taken.stop_loss == D(57_000)
    ladder = make_desk(stop_loss_ratio=D("0.05"), open_orders="limit", rungs=2)
    ladder.follower()
    rungs = ladder.hear("open", "100")
    assert len(rungs) == 2
    assert [order.stop_loss for order in rungs] == [
        order.price * D("0.95") for order in rungs if order.price is not None
    ]


def test_the_leaders_prices_are_those_of_its_own_instrument_and_turn_with_a_reversal() -> None:
    make.make_instrument("ETH-USDT-SWAP", tick_size=D("0.01"))
    make.set_price("ETH-USDT-SWAP", 3400)
    other = {BTC: {"traded_as": "ETH-USDT-SWAP"}}
    desk = make_desk(stop_loss_ratio=D("0.05"), instrument_terms=other)
    desk.follower()
    (order,) = desk.hear("open", "10", take_profit=D(66_000), stop_loss=D(58_000))
    assert order.inst_id == "ETH-USDT-SWAP"
    assert prices([order]) == [(None, D(3230))]
    turned = make_desk(reverse=True)
    turned.follower()
    orders = turned.hear("open", "10", take_profit=D(66_000), stop_loss=D(58_000))
    assert [(o.side, o.take_profit, o.stop_loss) for o in orders] == [
        ("sell", D(58_000), D(66_000))
    ]
