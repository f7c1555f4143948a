"""Openings of the same moment never pass together what each of them may use alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Installation
from accounts.tenancy import all_tenants, tenant_scope
from strategies.models import StrategySource, Subscription
from tests import factories as make
from tests.trading.copying.desk import BTC, Desk, d, ended, make_desk
from tests.trading.copying.test_one_at_a_time import at_once
from trading.copying import overlapping, run
from trading.enums import LimitKind
from trading.execution import mark as marking
from trading.models import Balance, Order
from trading.switch import set_limit

pytestmark = pytest.mark.django_db
USDC = "BTC-USDC-SWAP"
ETH = "ETH-USDT-SWAP"


@pytest.fixture
def desk() -> Desk:
    Installation.objects.get_or_create(pk=1)
    return market_desk()


@pytest.fixture
def open_desk(transactional_db: None) -> Iterator[Desk]:
    Installation.objects.get_or_create(pk=1)
    yield market_desk()
    if overlapping._threads is not None:
        overlapping._threads.shutdown()
        overlapping._forget()


def market_desk() -> Desk:
    for inst_id, coin, price in ((USDC, "0.01", 60_000), (ETH, "0.1", 6_000)):
        make.make_instrument(inst_id, contract_value=d(coin), settle_currency="USDT")
        make.set_price(inst_id, price)  # so that a contract of each is worth 600
    return make_desk(open_orders="market")


def beside(desk: Desk, first: Subscription, **terms: Any) -> Subscription:
    """Another strategy of the same source for the same account, which trades another contract."""
    return make.subscribe(
        make.make_strategy(desk.source, open_orders="market"),
        first.account,
        instrument_terms={BTC: {"traded_as": USDC}},
        **terms,
    )


def another_source(desk: Desk, first: Subscription, **terms: Any) -> Desk:
    """A desk's second source, whose strategy trades for the same account."""
    source = make.make_source(desk.tenant)
    rival = Desk(desk.tenant, source, make.make_strategy(source, open_orders="market"))
    make.subscribe(rival.strategy, first.account, **terms)
    return rival


def funds(desk: Desk, link: Subscription, equity: int) -> None:
    with tenant_scope(desk.tenant):
        Balance.objects.create(
            account=link.account, currency="USDT", equity=d(equity), available=d(equity),
            updated_at=timezone.now(),
        )  # fmt: skip


def worth(orders: Sequence[Order]) -> Decimal:
    return sum((order.notional or d(0) for order in orders), d(0))


def limit(desk: Desk, kind: LimitKind, value: int) -> None:
    set_limit(kind=kind, value=d(value), actor=None, tenant=desk.tenant)


# In one chunk


@pytest.mark.database
def test_two_strategies_in_one_signal_keep_the_exposure_of_their_account(desk: Desk) -> None:
    first = desk.follower(max_account_leverage=d(1))
    second = beside(desk, first, max_account_leverage=d(1))
    funds(desk, first, 900)

    orders = desk.hear("open", "10")

    assert worth(orders) == 900
    assert desk.last(second).numbers["capped_by"] == "EXPOSURE_ABOVE_LIMIT"
    assert Decimal(desk.last(second).numbers["used"]) == 600


@pytest.mark.database
def test_two_strategies_in_one_signal_keep_what_their_account_may_open_in_a_day(
    desk: Desk,
) -> None:
    first = desk.follower(account={"max_daily_notional": d(900)})
    second = beside(desk, first)

    assert worth(desk.hear("open", "10")) == 900
    assert desk.last(second).numbers["capped_by"] == "DAILY_LIMIT"


@pytest.mark.database
def test_two_strategies_in_one_signal_keep_the_number_of_positions(desk: Desk) -> None:
    first = desk.follower(account={"max_open_positions": 1})
    second = beside(desk, first)

    assert len(desk.hear("open", "10")) == 1
    assert desk.last(second).reason == "OPEN_POSITIONS_ABOVE_LIMIT"


@pytest.mark.database
def test_what_the_first_binds_is_not_available_to_the_second(desk: Desk) -> None:
    terms: dict[str, Any] = {"sizing_mode": "PCT_AVAILABLE", "available_ratio": d("0.8")}
    first = desk.follower(**terms)
    beside(desk, first, **terms)
    funds(desk, first, 3_000)

    assert {order.quantity for order in desk.hear("open", "10")} == {d(4), d("0.8")}


@pytest.mark.database
def test_the_limit_of_a_desk_is_counted_from_follower_to_follower(desk: Desk) -> None:
    for _ in range(4):
        desk.follower()
    limit(desk, LimitKind.DESK_NOTIONAL, 1_800)

    assert len(desk.hear("open", "10")) == 3
    (denied,) = [one for one in desk.decisions() if one.outcome == "denied"]
    assert denied.reason == "DESK_NOTIONAL_ABOVE_LIMIT"


# In several processes


def meet(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Whoever reads what is used waits for the other to have read it too, for a while."""
    read, barrier = getattr(module, name), threading.Barrier(2)

    def read_together(*args: Any, **named: Any) -> Any:
        found = read(*args, **named)
        with suppress(threading.BrokenBarrierError):
            barrier.wait(0.5)
        return found

    monkeypatch.setattr(module, name, read_together)


def exposure(desk: Desk) -> tuple[dict[str, Any], dict[str, Any], int]:
    return {"max_account_leverage": d(1)}, {}, 900


def a_day(desk: Desk) -> tuple[dict[str, Any], dict[str, Any], int]:
    return {}, {"max_daily_notional": d(900)}, 900


@pytest.mark.services
@pytest.mark.parametrize("cap", [exposure, a_day])
def test_two_sources_at_once_keep_the_caps_of_an_account(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch, cap: Any
) -> None:
    desk = open_desk
    terms, account, most = cap(desk)
    first = desk.follower(account=account, **terms)
    funds(desk, first, 900)
    rival = another_source(desk, first, **terms)
    desk.say("open", "10")
    rival.say("open", "10", inst_id=ETH, reference_price=d(6_000))
    meet(monkeypatch, run, "read_facts")

    at_once(desk.copy, rival.copy)

    assert worth(desk.orders()) == most


@pytest.mark.services
def test_two_sources_of_one_strategy_keep_what_was_allocated(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk
    desk.follower(allocated_capital=d(900))
    source = make.make_source(desk.tenant)
    with tenant_scope(desk.tenant):
        StrategySource.objects.create(strategy=desk.strategy, source=source)
    rival = Desk(desk.tenant, source, desk.strategy)
    desk.say("open", "10", leverage=d(1))
    rival.say("open", "10", inst_id=ETH, reference_price=d(6_000), leverage=d(1))
    meet(monkeypatch, run, "read_facts")

    at_once(desk.copy, rival.copy)

    assert worth(desk.orders()) == 900


@pytest.mark.services
def test_chunks_side_by_side_keep_the_exposure_of_an_account(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk
    monkeypatch.setattr(run, "CHUNK", 1)
    first = desk.follower(max_account_leverage=d(1))
    beside(desk, first, max_account_leverage=d(1))
    funds(desk, first, 900)
    desk.say("open", "10")
    meet(monkeypatch, run, "read_facts")

    desk.copy()

    assert worth(desk.orders()) == 900


@pytest.mark.services
def test_two_sources_at_once_keep_the_limit_of_their_desk(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk
    desk.follower()
    other = desk.follower()
    rival = another_source(desk, other)
    with tenant_scope(desk.tenant):
        Subscription.objects.filter(pk=other.pk).delete()
    limit(desk, LimitKind.DESK_NOTIONAL, 900)
    desk.say("open", "10")
    rival.say("open", "10")
    meet(monkeypatch, run, "read_facts")

    at_once(desk.copy, rival.copy)

    assert worth(desk.orders()) == 600


@pytest.mark.services
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (LimitKind.OPEN_POSITIONS, 1),
        (LimitKind.DAILY_NOTIONAL, 900),
        (LimitKind.DESK_NOTIONAL, 900),
    ],
)
def test_two_senders_at_once_keep_a_limit_that_was_lowered(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: LimitKind, value: int
) -> None:
    desk = open_desk
    desk.follower()
    (one,) = desk.hear("open", "10")
    if kind == LimitKind.DESK_NOTIONAL:
        other = another_source(desk, desk.follower())
        (two,) = other.hear("open", "10")
    else:
        (two,) = desk.hear("open", "10", inst_id=ETH, reference_price=d(6_000))
    limit(desk, kind, value)
    meet(monkeypatch, marking, "usage_of")

    def marked(order: Order) -> int:
        with all_tenants("mark an order"):
            return len(marking.mark([order], {}))

    went = at_once(lambda: marked(one), lambda: marked(two))

    assert sorted(went) == [0, 1]
    refused = [order.reason for order in desk.orders() if order.state == "denied"]
    assert len(refused) == 1


@pytest.mark.services
def test_reductions_wait_for_nobody(desk: Desk) -> None:
    link = desk.follower(account={"max_daily_notional": d(900)}, max_account_leverage=d(5))
    funds(desk, link, 900)
    with CaptureQueriesContext(connection) as opening:
        orders = desk.hear("open", "10")
    for order in orders:
        ended(order)

    with CaptureQueriesContext(connection) as reducing:
        desk.hear("reduce", "5")
        desk.hear("close")

    assert (len(held(opening)), len(held(reducing))) == (1, 0)


def held(asked: CaptureQueriesContext) -> list[str]:
    """The statements that lock accounts."""
    return [
        query["sql"]
        for query in asked
        if "customers_exchangeaccount" in query["sql"] and "FOR UPDATE" in query["sql"]
    ]
