"""Positions, balances and what could not be believed."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from tests.factories import make_account, make_tenant
from tests.trading.sync.rows import BTC, ETH, at, balance, position, report
from trading.enums import EventSource, Grain
from trading.exchange.errors import MalformedReport
from trading.exchange.streams import BalanceEvent, Malformed, OrderEvent, PositionsEvent
from trading.exchange.types import PositionSide
from trading.leases import db_now
from trading.models import Balance, EquitySnapshot, Position, QuarantinedReport
from trading.sync.apply import TOTAL, apply_balance, apply_events, apply_positions, quarantine
from trading.sync.apply.balance import write_balance

pytestmark = pytest.mark.database
STREAM, REST = EventSource.STREAM, EventSource.REST


def held(account: ExchangeAccount) -> dict[str, Decimal]:
    with tenant_scope(account.tenant_id):
        return dict(Position.objects.filter(account=account).values_list("inst_id", "quantity"))


def owned(account: ExchangeAccount) -> dict[str, Decimal]:
    with tenant_scope(account.tenant_id):
        return dict(Balance.objects.filter(account=account).values_list("currency", "equity"))


def set_aside(account: ExchangeAccount) -> list[tuple[Any, ...]]:
    with tenant_scope(account.tenant_id):
        rows = QuarantinedReport.objects.filter(account=account)
        return sorted(rows.values_list("kind", "reason", "count"))


def hear(account: ExchangeAccount, *reports: Any, complete: bool = False, **more: Any) -> Any:
    return apply_positions(account, reports, complete=complete, source=STREAM, **more)


def test_positions_end_the_same_in_whatever_order_they_come(account: ExchangeAccount) -> None:
    steps = [position(quantity=Decimal(n), updated_at=at(n)) for n in (1, 2, 0)]
    steps[2] = position(quantity=Decimal(0), updated_at=at(3), average_price=None)
    ends = []
    for order in itertools.permutations(steps * 1):
        other = make_account(tenant=account.tenant)
        for each in (*order, *order):
            hear(other, each)
        ends.append(held(other))

    assert all(end.get(BTC, Decimal(0)) == 0 for end in ends)


def test_repeating_a_position_writes_nothing(account: ExchangeAccount) -> None:
    assert [hear(account, position()).writes for _ in range(3)] == [1, 0, 0]


def test_an_older_position_is_set_aside(account: ExchangeAccount) -> None:
    hear(account, position(quantity=Decimal(5), updated_at=at(20)))

    applied = hear(account, position(quantity=Decimal(3), updated_at=at(10)))

    assert held(account) == {BTC: 5}
    assert (applied.writes, applied.quarantined) == (0, 1)
    assert set_aside(account) == [("position", "older", 1)]


def test_a_whole_snapshot_closes_what_it_does_not_list(account: ExchangeAccount) -> None:
    hear(account, position(), position(inst_id=ETH))

    hear(account, position(inst_id=ETH), complete=True)

    assert held(account) == {BTC: 0, ETH: 3}


def test_news_of_one_position_closes_no_other(account: ExchangeAccount) -> None:
    hear(account, position(), position(inst_id=ETH))

    hear(account, position(inst_id=ETH, quantity=Decimal(1), updated_at=at(20)))

    assert held(account) == {BTC: 3, ETH: 1}


def test_a_snapshot_does_not_close_what_came_after_it_was_read(account: ExchangeAccount) -> None:
    read_at = db_now() - timedelta(seconds=1)
    hear(account, position())

    hear(account, complete=True, read_at=read_at)

    assert held(account) == {BTC: 3}


def test_a_late_push_does_not_reopen_a_closed_position(account: ExchangeAccount) -> None:
    hear(account, position())
    hear(account, complete=True)

    hear(account, position())
    late = held(account)
    hear(account, position(), complete=True)

    assert (late, held(account)) == ({BTC: 0}, {BTC: 3})


def test_both_sides_are_positions_of_their_own(account: ExchangeAccount) -> None:
    hear(
        account,
        position(position_side=PositionSide.LONG),
        position(position_side=PositionSide.SHORT, quantity=Decimal(2)),
    )

    with tenant_scope(account.tenant_id):
        rows = Position.objects.order_by("position_side").values_list("position_side", "quantity")
        assert list(rows) == [("long", 3), ("short", 2)]


def test_a_position_in_an_unknown_instrument_is_set_aside(account: ExchangeAccount) -> None:
    hear(account, position(), position(inst_id="ODD-USDT-SWAP"), complete=True)

    assert held(account) == {BTC: 3}
    assert set_aside(account) == [("position", "unknown instrument", 1)]


def test_a_balance_is_kept_by_currency_and_in_all(account: ExchangeAccount) -> None:
    apply_balance(account, balance(10_000, BTC="0.5"), source=STREAM)

    assert owned(account) == {"USDT": 10_000, "BTC": Decimal("0.5"), TOTAL: 10_000}


def test_only_a_whole_balance_empties_a_currency(account: ExchangeAccount) -> None:
    apply_balance(account, balance(10_000, BTC="0.5"), source=STREAM)
    apply_balance(account, balance(10_001, 20), source=STREAM)
    kept = owned(account)

    apply_balance(account, balance(10_001, 30), source=REST, complete=True)

    assert (kept["BTC"], owned(account)["BTC"]) == (Decimal("0.5"), 0)


def test_an_older_balance_is_set_aside(account: ExchangeAccount) -> None:
    apply_balance(account, balance(10_000, 20), source=STREAM)

    apply_balance(account, balance(9_000, 10), source=REST, complete=True)

    assert owned(account) == {"USDT": 10_000, TOTAL: 10_000}
    assert set_aside(account) == [("balance", "older", 2)]


def test_equity_is_drawn_once_a_minute(account: ExchangeAccount) -> None:
    for ms in range(10, 60, 10):
        apply_balance(account, balance(10_000 + ms, ms), source=STREAM)

    with tenant_scope(account.tenant_id):
        assert EquitySnapshot.objects.filter(account=account).count() in (1, 2)
        first = EquitySnapshot.objects.order_by("at").first()
    assert first is not None
    assert first.equity == 10_010


def test_a_reading_knows_the_longest_span_that_it_is_the_first_of(db: None) -> None:
    account = make_account(tenant=make_tenant(timezone="Asia/Kathmandu"))  # 5 h 45 min ahead
    day = datetime(2026, 11, 25, tzinfo=UTC)
    with tenant_scope(account.tenant_id):
        for number, minutes in enumerate((600, 601, 614, 615, 660, 800, 1094, 1095, 1096)):
            write_balance(
                account,
                balance(10_000, number),
                source=REST,
                complete=True,
                now=day + timedelta(minutes=minutes, seconds=30),
            )
        told = EquitySnapshot.objects.order_by("at").values_list("grain", flat=True)

        assert list(told) == [
            *(Grain.DAY, Grain.MINUTE, Grain.MINUTE, Grain.QUARTER, Grain.HOUR, Grain.HOUR),
            *(Grain.HOUR, Grain.DAY, Grain.MINUTE),
        ]


def test_a_batch_of_events_is_one_transaction(
    account: ExchangeAccount, django_assert_max_num_queries: Any
) -> None:
    broken = Malformed(MalformedReport("avgPx", "not a number: x"), "positions", '{"a": 1}')
    events = [
        OrderEvent(report()),
        PositionsEvent((position(),), snapshot=True),
        BalanceEvent(balance(), snapshot=True),
        broken,
    ]

    with django_assert_max_num_queries(32):
        applied = apply_events(account, events)

    assert (applied.external, applied.rows, applied.quarantined) == (1, 4, 1)
    assert set_aside(account) == [("positions", "cannot read avgPx", 1)]


def test_quarantine_counts_and_keeps_the_last(account: ExchangeAccount) -> None:
    for number in range(3):
        quarantine(account, "orders", "odd", f"excerpt {number}")

    with tenant_scope(account.tenant_id):
        row = QuarantinedReport.objects.get()
    assert (row.count, row.excerpt) == (3, "excerpt 2")
