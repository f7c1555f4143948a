"""The figures of accounts as they are read from the tables, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from customers.enums import Market
from customers.models import ExchangeAccount
from tests import factories as make
from trading import performance
from trading.enums import Grain
from trading.models import Balance, EquitySnapshot, Fill, Order
from trading.orders import OrderWord
from trading.performance import Kind, Period, equity, fills

pytestmark = [pytest.mark.django_db, pytest.mark.database]
D = Decimal
NOW = datetime(2026, 11, 25, 18, 7, 30, tzinfo=UTC)
BTC, INVERSE, SPOT = "BTC-USDT-SWAP", "BTC-USD-SWAP", "ETH-USDT"


@dataclass
class Desk:
    tenant: Tenant
    real: ExchangeAccount
    paper: ExchangeAccount
    fills: int = 0

    @property
    def all(self) -> Any:
        return ExchangeAccount.objects.all()

    def snapshot(
        self, account: ExchangeAccount, ago: timedelta, equity: str, grain: Grain = Grain.DAY
    ) -> None:
        EquitySnapshot(account=account, at=NOW - ago, equity=D(equity), grain=grain).save()

    def fill(self, inst_id: str, quantity: str, price: str, **more: Any) -> Fill:
        self.fills += 1
        values = {
            "account": self.real, "inst_id": inst_id, "trade_id": str(self.fills),
            "exchange_order_id": "1", "side": "buy", "position_side": "net",
            "quantity": D(quantity), "price": D(price), "fee_currency": "USDT",
            "filled_at": NOW - timedelta(minutes=self.fills), "received_at": NOW,
        }  # fmt: skip
        fill = Fill(**values | more)
        fill.save()
        return fill


@pytest.fixture
def desk() -> Iterator[Desk]:
    tenant = make.make_tenant(timezone="Asia/Shanghai")
    customer = make.make_customer(tenant)
    real = make.make_account(customer, market=Market.LIVE_GLOBAL, initial_balance=D(1000))
    paper = make.make_account(customer, market=Market.SIMULATOR, initial_balance=D(500))
    for market in (Market.LIVE_GLOBAL, Market.SIMULATOR):
        make.make_instrument(BTC, market=market)
        make.make_instrument(INVERSE, market=market)
        make.make_instrument(SPOT, market=market)
    with tenant_scope(tenant):
        yield Desk(tenant, real, paper)


def lines(series: list[performance.Series]) -> dict[tuple[str, str], list[Any]]:
    return {(s.kind.value, s.name): [p.value for p in s.points] for s in series}


def test_one_reading_stands_for_the_end_of_each_bucket(desk: Desk) -> None:
    desk.snapshot(desk.real, timedelta(hours=30), "999.999999999999999999")
    for minute in range(20):
        desk.snapshot(desk.real, timedelta(minutes=minute), str(1010 - minute))
    desk.snapshot(desk.paper, timedelta(minutes=16), "5")

    equity_found = lines(performance.equity_series(desk.all, Period.DAY, desk=desk.tenant, now=NOW))
    profit = lines(performance.profit_series(desk.all, Period.DAY, desk=desk.tenant, now=NOW))

    start = D("999.999999999999999999")
    assert equity_found["real", "USD"] == [start] * 93 + [D(991), D(1003), D(1010)]
    assert equity_found["simulated", "USD"] == [None] * 94 + [5, 5]
    gained = D("0.000000000000000001")
    assert profit["real", "USD"] == [0] * 93 + [gained - 9, gained + 3, gained + 10]
    assert set(profit["simulated", "USD"]) == {0}


def test_a_month_is_read_by_the_desks_days(desk: Desk) -> None:
    # 15:59 and 16:00 UTC are two days in Shanghai.
    midnight = timedelta(hours=2, minutes=7, seconds=30)
    desk.snapshot(desk.real, midnight + timedelta(minutes=1), "100")
    desk.snapshot(desk.real, midnight, "101")

    found = lines(performance.equity_series(desk.all, Period.MONTH, desk=desk.tenant, now=NOW))

    assert found["real", "USD"] == [None] * 28 + [101, 101]


def test_a_curve_reads_only_as_fine_as_it_draws(desk: Desk) -> None:
    grains = ((200, Grain.MINUTE), (150, Grain.QUARTER), (100, Grain.HOUR), (50, Grain.DAY))
    for minutes, grain in grains:
        desk.snapshot(desk.real, timedelta(minutes=minutes), str(minutes), grain)
    desk.snapshot(desk.real, timedelta(minutes=1), "1", Grain.MINUTE)

    def told(period: Period) -> list[int]:
        (real, _) = performance.equity_series(desk.all, period, desk=desk.tenant, now=NOW)
        values = [int(p.value) for p in real.points if p.value is not None]
        return list(dict.fromkeys(values))

    assert told(Period.DAY) == [150, 100, 50, 1]
    assert told(Period.WEEK) == [100, 50, 1]
    assert told(Period.MONTH) == [1]


def test_the_course_of_a_period_has_profit_and_its_deepest_fall(desk: Desk) -> None:
    for hours, value in ((100, "1000"), (50, "1250"), (20, "1000"), (1, "1100")):
        desk.snapshot(desk.real, timedelta(hours=hours), value)

    real, paper = performance.course(desk.all, Period.WEEK, desk=desk.tenant, now=NOW)

    assert (real.kind, real.accounts, real.profit) == (Kind.REAL, 1, 100)
    assert (real.drawdown, real.max_drawdown) == (D("0.12"), D("0.2"))
    assert (paper.accounts, paper.profit, paper.max_drawdown) == (0, 0, 0)


def test_accounts_are_read_in_chunks_with_the_same_sums(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        account = make.make_account(desk.real.customer, market=Market.LIVE_GLOBAL)
        desk.snapshot(account, timedelta(minutes=number), "1.1")

    def read() -> Any:
        return performance.equity_series(desk.all, Period.MONTH, desk=desk.tenant, now=NOW)

    whole = read()
    monkeypatch.setattr(equity, "ACCOUNTS_AT_ONCE", 2)
    assert read() == whole
    assert whole[0].last == D("5.5")


def test_a_curve_costs_the_same_however_many_snapshots_and_accounts_there_are(
    desk: Desk,
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            performance.equity_series(desk.all, Period.WEEK, desk=desk.tenant, now=NOW)
        return len(caught)

    desk.snapshot(desk.real, timedelta(minutes=1), "1")
    before = cost()
    for number in range(3):
        account = make.make_account(desk.real.customer)
        for minute in range(20):
            desk.snapshot(account, timedelta(minutes=minute * 50), str(number))
    assert (before, cost()) == (6, 6)


def test_volume_is_valued_by_contract_and_kept_by_currency(desk: Desk) -> None:
    desk.fill(BTC, "12.5", "60000.1", fee=D("-1.5"), realized_pnl=D("7.25"))
    desk.fill(INVERSE, "3", "60000", fee=D("-0.0001"), fee_currency="BTC", realized_pnl=D("0.01"))
    desk.fill(SPOT, "2", "3000.5", fee=D("-0.002"), fee_currency="ETH")
    desk.fill(BTC, "1", "60000", account=desk.paper)
    desk.fill("GONE-USDT-SWAP", "1", "1")
    desk.fill(BTC, "9", "9", filled_at=NOW - timedelta(days=2))

    real, paper = performance.flows(desk.all, NOW - timedelta(days=1), NOW)

    assert real.volume == {"USDT": D("7500.0125") + D("6001.0"), "USD": D(300)}
    assert real.realized_pnl == {"USDT": D("7.25"), "BTC": D("0.01")}
    assert real.fees == {"USDT": D("-1.5"), "BTC": D("-0.0001"), "ETH": D("-0.002")}
    assert (real.fills, real.unvalued) == (4, 1)
    assert (paper.kind, paper.volume) == (Kind.SIMULATED, {"USDT": D(600)})


def test_volume_by_bucket_adds_up_to_the_sums_page_by_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fills, "FILLS_AT_ONCE", 2)
    same = NOW - timedelta(minutes=40)
    for _ in range(5):
        desk.fill(BTC, "1", "60000", filled_at=same)
    desk.fill(BTC, "2", "60000")

    (line,) = performance.volume_series(desk.all, Period.DAY, desk=desk.tenant, now=NOW)

    assert (line.kind, line.name) == (Kind.REAL, "USDT")
    values = {p.at: p.value for p in line.points if p.value}
    assert values == {
        datetime(2026, 11, 25, 17, 15, tzinfo=UTC): D(3000),
        datetime(2026, 11, 25, 18, 0, tzinfo=UTC): D(1200),
    }


def test_holdings_tell_real_from_simulated_and_what_was_gained(desk: Desk) -> None:
    for account, value in ((desk.real, "1100.5"), (desk.paper, "450")):
        for currency in ("TOTAL", "USDT"):
            Balance(
                account=account, currency=currency, equity=D(value), unrealized_pnl=D(3),
                updated_at=NOW,
            ).save()  # fmt: skip

    real, paper = performance.holdings(desk.all)

    assert (real.kind, real.accounts, real.known, real.equity) == (Kind.REAL, 1, 1, D("1100.5"))
    assert (real.profit, real.profit_ratio, real.unrealized_pnl) == (D("100.5"), D("0.1005"), 3)
    assert (paper.equity, paper.profit) == (450, -50)


def test_trades_are_counted_by_word_in_the_bucket_they_were_made(desk: Desk) -> None:
    from tests.world import make_world

    world = make_world("Counted", 3, customers=6)
    now = datetime.now(UTC)
    with tenant_scope(world.tenant):
        orders, accounts = Order.objects.all(), ExchangeAccount.objects.all()
        words = performance.count_by_word(orders)
        series = performance.trades_series(accounts, Period.WEEK, desk=world.tenant, now=now)
        total = orders.count()

    by_word = {line.name: sum(p.value or 0 for p in line.points) for line in series}
    assert by_word == {word.value: n for word, n in words.items() if n}
    assert set(words) == set(OrderWord)
    assert sum(words.values()) == total > 0
    first = min(order.created_at for order in world.orders)
    filled = next(line for line in series if line.name == "filled")
    held = [p.at for p in filled.points if p.value]
    assert min(held) <= first.replace(minute=0, second=0, microsecond=0) + timedelta(hours=12)


def test_a_summary_puts_the_figures_of_each_kind_together(desk: Desk) -> None:
    desk.fill(BTC, "1", "60000")

    real, paper = performance.summary(desk.all, Period.DAY, desk=desk.tenant, now=NOW)

    assert (real.kind, real.flows.volume, real.holdings.equity) == (
        Kind.REAL, {"USDT": D(600)}, None,
    )  # fmt: skip
    assert (paper.kind, paper.flows.fills, paper.course.profit) == (Kind.SIMULATED, 0, 0)
