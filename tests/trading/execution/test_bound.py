"""Openings at the bound, as the exchange takes them: filled at once within it, or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.tenancy import all_tenants
from strategies.models import Strategy
from tests import factories as make
from tests.trading.copying.desk import BTC, d
from tests.trading.execution.bench import LOOKUP, Bench
from tests.trading.execution.test_departing import has_departed, ready, say
from trading.auditing import audit_desks
from trading.models import Order
from trading.sync.reconcile import reconcile_accounts

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.simulator]


@pytest.fixture
def at_bound(bench: Bench) -> Bench:
    with all_tenants("openings are sent at the bound"):
        Strategy.objects.filter(pk=bench.desk.strategy.pk).update(open_orders="ioc")
    return bench


def test_an_opening_within_the_bound_is_filled_and_the_books_agree(
    at_bound: Bench, settings: Any
) -> None:
    settings.SIMULATOR_CONTROL_URL = at_bound.control
    for mode in ("net", "long_short"):
        at_bound.follower(pos_mode=mode)
    at_bound.send(at_bound.open())
    at_bound.finish()
    at_bound.send(at_bound.desk.hear("reduce", "3"))
    at_bound.finish()

    told = at_bound.entries(kind="order")
    assert {each["ord_type"] for each in told if each["side"] == "buy"} == {"ioc"}
    assert {each["ord_type"] for each in told if each["side"] == "sell"} == {"market"}
    assert all(run.ok for run in reconcile_accounts(list(at_bound.opened), cause="test"))
    (report,) = audit_desks(tenant_id=at_bound.desk.tenant.pk, settle=timedelta(0))
    assert report.findings == []


def test_what_the_market_does_not_give_within_the_bound_is_left_out(at_bound: Bench) -> None:
    """The market moves on its way there: the exchange keeps the bound where we cannot."""
    at_bound.follower()
    (order,) = at_bound.open()
    at_bound.ask("POST", "/prices", **{BTC: "60900"})

    at_bound.send([order])
    at_bound.finish()

    order = at_bound.now(order)
    assert (order.state, order.reason) == ("canceled", "UNDERFILLED_SLIPPAGE")
    assert order.filled_quantity == 0
    assert [cycle.ended_at is None for cycle in at_bound.desk.cycles()] == [False]


def test_the_guard_looks_again_before_an_opening_leaves(at_bound: Bench) -> None:
    link = at_bound.follower()
    (order,) = at_bound.open()
    (market,) = _at_market(at_bound)
    make.set_price(BTC, 60_301)

    assert at_bound.send([order, market]) == 0

    assert [(o.state, o.reason) for o in map(at_bound.now, (order, market))] == [
        ("denied", "SLIPPAGE")
    ] * 2
    assert at_bound.accepted(order, market) == [0, 0]
    assert link.pk == order.subscription_id


def _at_market(bench: Bench) -> list[Order]:
    """An opening of another follower, who takes the market's price."""
    with all_tenants("another strategy"):
        Strategy.objects.filter(pk=bench.desk.strategy.pk).update(open_orders="market")
    link = bench.follower()
    found = [o for o in bench.open(inst_id=BTC) if o.subscription_id == link.pk]
    return [order for order in found if order.order_type == "market"]


def test_it_leaves_with_its_decision_where_nothing_stands_before_it(at_bound: Bench) -> None:
    ready(at_bound, 2)

    orders = say(at_bound)

    assert [order.order_type for order in orders] == ["ioc", "ioc"]
    assert all(has_departed(at_bound, order) for order in orders)
    at_bound.finish()
    assert at_bound.accepted(*orders) == [1, 1]


def test_one_that_nobody_heard_of_is_looked_up_and_not_sent_again(at_bound: Bench) -> None:
    link = at_bound.follower()
    at_bound.fault("drop_after_accept", link)
    at_bound.fault("code:50026", link, times=2, **LOOKUP)
    (order,) = at_bound.open()

    at_bound.send([order])
    at_bound.finish()

    order = at_bound.now(order)
    assert (order.state, order.filled_quantity) == ("filled", d(1))
    assert at_bound.accepted(order) == [1]
