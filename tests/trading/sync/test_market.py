"""Instruments and prices of a market."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from tests import factories as make
from tests.factories import make_instrument
from tests.trading.sync.rows import BTC, ETH, at
from trading.exchange.types import InstrumentReport, InstrumentType, MarkPriceReport, TickerReport
from trading.leases import db_now
from trading.models import Instrument, InstrumentVersion, MarketPrice, Position
from trading.sync.listing import watch_delistings
from trading.sync.market import PricesApplied, apply_instruments, apply_marks, apply_tickers

pytestmark = [pytest.mark.django_db, pytest.mark.database]

SWAP = InstrumentReport(
    inst_id=BTC,
    inst_id_code=None,
    inst_type=InstrumentType.SWAP,
    base_currency="BTC",
    quote_currency="USDT",
    settle_currency="USDT",
    contract_value=Decimal("0.01"),
    contract_multiplier=Decimal(10),
    contract_value_currency="BTC",
    contract_type="linear",
    lot_size=Decimal("0.01"),
    tick_size=Decimal("0.1"),
    min_size=Decimal("0.01"),
    max_market_size=Decimal(1000),
    max_limit_size=None,
    max_leverage=Decimal(100),
    state="live",
    listed_at=None,
    expires_at=None,
)
SPOT = replace(
    SWAP,
    inst_id="BTC-USDT",
    inst_type=InstrumentType.SPOT,
    contract_value=None,
    contract_multiplier=None,
    contract_type="",
)


def ticker(price: int, ms: int, inst_id: str = BTC) -> TickerReport:
    value = Decimal(price)
    return TickerReport(inst_id=inst_id, last=value, bid=value - 1, ask=None, at=at(ms))


def mark(price: int, ms: int, inst_id: str = BTC) -> MarkPriceReport:
    return MarkPriceReport(inst_id=inst_id, price=Decimal(price), at=at(ms))


def test_instruments_are_written_when_they_change() -> None:
    assert apply_instruments("simulator", [SWAP, SPOT]) == 2
    assert apply_instruments("simulator", [SWAP, SPOT]) == 0
    assert apply_instruments("simulator", [replace(SWAP, state="suspend")]) == 1
    assert apply_instruments("demo", [SWAP]) == 1

    swap = Instrument.objects.get(market="simulator", inst_id=BTC)
    spot = Instrument.objects.get(market="simulator", inst_id="BTC-USDT")
    assert (swap.contract_value, swap.state, swap.inst_type) == (Decimal("0.1"), "suspend", "SWAP")
    assert (spot.contract_value, spot.is_spot, spot.max_limit_size) == (1, True, None)


def test_only_newer_prices_are_written(django_assert_num_queries: Any) -> None:
    make_instrument(BTC)
    make_instrument(ETH)

    apply_tickers("simulator", [ticker(100, 10), ticker(7, 10, ETH)])
    applied = apply_tickers("simulator", [ticker(101, 30), ticker(99, 20), ticker(6, 5, ETH)])
    apply_marks("simulator", [mark(102, 40)])
    with django_assert_num_queries(2):
        again = apply_marks("simulator", [mark(102, 40)])

    assert applied == PricesApplied(written=1, older=2)
    assert again == PricesApplied(older=1)
    row = MarketPrice.objects.get(inst_id=BTC)
    assert (row.last, row.bid, row.ask, row.mark) == (101, 100, None, 102)
    assert (row.ticker_at, row.mark_at) == (at(30), at(40))
    assert MarketPrice.objects.get(inst_id=ETH).last == 7


def test_prices_of_unknown_instruments_are_counted_not_written() -> None:
    make_instrument(BTC, market="demo")

    assert apply_marks("simulator", [mark(1, 1)]) == PricesApplied(unknown=1)
    assert not MarketPrice.objects.exists()


def test_changed_rules_are_kept_by_version_and_each_desk_is_told() -> None:
    desk = make.make_account(make.make_customer(make.make_tenant())).tenant_id
    apply_instruments("simulator", [SWAP, SPOT])
    apply_instruments("simulator", [replace(SWAP, max_leverage=Decimal(50))])
    assert not InstrumentVersion.objects.exists()  # no rule that orders are sized by

    apply_instruments("simulator", [replace(SWAP, lot_size=Decimal("0.1"))])
    twice = replace(SWAP, lot_size=Decimal("0.1"), contract_value=Decimal("0.001"))
    apply_instruments("simulator", [twice])
    apply_instruments("simulator", [twice])

    kept = list(InstrumentVersion.objects.order_by("valid_from", "pk"))
    assert [(v.lot_size, v.contract_value) for v in kept] == [
        (Decimal("0.01"), Decimal("0.1")),
        (Decimal("0.1"), Decimal("0.1")),
        (Decimal("0.1"), Decimal("0.01")),
    ]
    assert [v.valid_until for v in kept] == [kept[1].valid_from, kept[2].valid_from, None]
    with all_tenants("read the diary"):
        told = AuditEntry.objects.filter(action="instrument.changed", tenant=desk).order_by("pk")
        assert [(entry.level, entry.reason) for entry in told] == [
            ("notice", f"{BTC}: lot_size 0.01 → 0.1"),
            ("warning", f"{BTC}: contract_value 0.1 → 0.01"),
        ]


def test_positions_in_what_is_delisted_are_told_once_and_on_the_last_day() -> None:
    holder, other = (make.make_account(make.make_customer(make.make_tenant())) for _ in range(2))
    apply_instruments("simulator", [SWAP])
    with tenant_scope(holder.tenant_id):
        Position(account=holder, inst_id=BTC, position_side="net", margin_mode="cross",
                 quantity=1, updated_at=db_now()).save()  # fmt: skip
    assert watch_delistings() == 0

    apply_instruments("simulator", [replace(SWAP, expires_at=db_now() + timedelta(days=9))])
    assert [watch_delistings(), watch_delistings()] == [1, 0]
    apply_instruments("simulator", [replace(SWAP, expires_at=db_now() + timedelta(hours=9))])
    assert [watch_delistings(), watch_delistings()] == [1, 0]

    with all_tenants("read the diary"):
        told = list(AuditEntry.objects.filter(action="instrument.delisting").order_by("pk"))
        assert [(entry.tenant_id, entry.level, entry.after["stage"]) for entry in told] == [
            (holder.tenant_id, "warning", "announced"),
            (holder.tenant_id, "critical", "last_day"),
        ]
    assert other.tenant_id not in {entry.tenant_id for entry in told}
