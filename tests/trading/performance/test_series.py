"""Curves: carried forward, added up per account, and measured from their peak."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Tenant
from trading.performance.kinds import Kind
from trading.performance.periods import Period, buckets, place_of
from trading.performance.series import Curve, Readings, fall_from_peak, ratio, total
from trading.performance.worth import Worth, add_up

D = Decimal
NOW = datetime(2026, 11, 25, 18, 7, 30, tzinfo=UTC)
money = st.integers(-(10**30), 10**30).map(lambda n: D(f"{n}E-18"))
heard = st.lists(st.none() | money, min_size=6, max_size=6)


def readings(*heard: int | None, before: int | None = None) -> Readings:
    values = tuple(None if v is None else D(v) for v in heard)
    first = next((v for v in values if v is not None), None)
    return Readings(None if before is None else D(before), first, values)


def curve(*accounts: Readings) -> Curve:
    made = Curve(len(accounts[0].heard))
    for account in accounts:
        made.add(account)
    return made


def test_the_last_known_value_is_carried_forward() -> None:
    account = readings(None, 12, None, 15, before=10)

    assert account.carried() == (10, 12, 12, 15)
    assert account.gained() == (0, 2, 2, 5)


def test_before_its_first_reading_an_account_counts_nothing() -> None:
    made = curve(readings(None, None, 7, None))

    assert made.equity == [None, None, 7, 7]
    assert made.profit == [0, 0, 0, 0]


def test_an_account_that_arrives_is_no_profit() -> None:
    made = curve(readings(100, 110, 110, 120, before=100), readings(None, None, 5000, 4990))

    assert made.equity == [100, 110, 5110, 5110]
    assert made.profit == [0, 10, 10, 10]
    assert made.accounts == 2


def test_an_account_never_heard_of_is_not_counted() -> None:
    made = curve(readings(None, None), readings(1, 2))

    assert (made.accounts, made.equity, made.profit) == (1, [1, 2], [0, 1])


def test_drawdown_is_the_fall_from_the_peak_and_knows_no_deposits() -> None:
    assert fall_from_peak([D(100), D(120), D(90), D(120), D(60)]) == (
        0, 0, D("0.25"), 0, D("0.5"),
    )  # fmt: skip
    assert fall_from_peak([D(0), D(-5)]) == (0, 0)
    # The second account's 900 would hide the fall of the first if it made a peak of its own.
    late = curve(readings(100, 100, 50, before=100), readings(None, None, 900))
    assert late.drawdowns() == (0, 0, D("0.05"))


def test_a_ratio_has_eight_places_and_needs_a_whole() -> None:
    assert ratio(D(1), D(3)) == D("0.33333333")
    assert ratio(D(1), D(0)) == 0


@given(st.lists(heard, min_size=1, max_size=4), money | st.none())
def test_curves_lose_no_digit_and_profit_is_equity_when_all_were_there(
    rows: list[list[D | None]], before: D | None
) -> None:
    made = Curve(6)
    accounts = []
    for row in rows:
        first = next((v for v in row if v is not None), None)
        accounts.append(Readings(before, first, tuple(row)))
        made.add(accounts[-1])

    for n in range(6):
        known = [a.carried()[n] for a in accounts]
        there = [value for value in known if value is not None]
        assert made.equity[n] == (total(there) if there else None)
        assert made.profit[n] == total(a.gained()[n] for a in accounts)
        if before is not None:
            assert total([made.profit[n], made.base]) == made.equity[n]
    assert all(fall >= 0 for fall in made.drawdowns())


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("period", list(Period))
def test_buckets_follow_each_other_and_the_last_holds_the_present(
    period: Period, zone: str
) -> None:
    desk = Tenant(timezone=zone, day_starts_at=5)

    cut = buckets(period, desk, NOW)

    assert len(cut) == {"1d": 96, "7d": 168, "30d": 30}[period.value]
    assert all(a.end == b.start for a, b in pairwise(cut))
    assert cut[-1].start <= NOW < cut[-1].end
    assert place_of(cut, cut[3].start) == 3
    assert place_of(cut, cut[3].end) == 4
    assert place_of(cut, cut[0].start - timedelta(seconds=1)) is None
    assert place_of(cut, cut[-1].end) is None


def test_a_month_is_cut_at_the_desks_hour_in_its_zone_through_a_change_of_clocks() -> None:
    desk = Tenant(timezone="Europe/Berlin", day_starts_at=7)

    cut = buckets(Period.MONTH, desk, datetime(2026, 11, 10, 12, 0, tzinfo=UTC))

    local = [bucket.start.astimezone(ZoneInfo("Europe/Berlin")) for bucket in cut]
    assert {at.hour for at in local} == {7}
    assert [str(at.date()) for at in (local[0], local[-1])] == ["2026-10-12", "2026-11-10"]
    spans = {bucket.end - bucket.start for bucket in cut}
    assert spans == {timedelta(hours=24), timedelta(hours=25)}


def test_a_customers_written_beginning_counts_before_what_the_accounts_began_with() -> None:
    whole = [
        Worth(1, Kind.REAL, D(60), D(0), D(50), D(100)),
        Worth(1, Kind.REAL, D(70), D(1), D(50), D(100)),
    ]
    mixed = [whole[0], Worth(1, Kind.SIMULATED, D(70), D(1), D(50), D(100))]

    assert add_up(Kind.REAL, whole).profit == 30
    assert add_up(Kind.REAL, whole).profit_ratio == D("0.3")
    assert (add_up(Kind.REAL, mixed).profit, add_up(Kind.SIMULATED, mixed).profit) == (10, 20)


def test_profit_is_unknown_where_the_beginning_or_the_present_is() -> None:
    found = add_up(Kind.REAL, [Worth(1, Kind.REAL, None, None, D(50)), Worth(2, Kind.REAL, D(9))])

    assert (found.accounts, found.known, found.equity) == (2, 1, 9)
    assert (found.profit, found.initial_balance, found.profit_ratio) == (None, None, None)
