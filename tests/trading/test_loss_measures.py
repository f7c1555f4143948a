"""What counts as lost, how much of a limit that is, and when a period begins."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Tenant
from trading.enums import LossMeasure, LossPeriod, MarginLevel, PeriodClock
from trading.stops.measuring import Course, course_of_account, course_of_link, lost, used
from trading.stops.nearness import Nearness, Threshold, distance_of, is_blocked, level_of
from trading.stops.periods import counted_from, period_start

D = Decimal
M = LossMeasure
DESK = Tenant(timezone="Asia/Shanghai", day_starts_at=8)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def account(equity: int, open_pnl: int = 0, **more: int) -> Course:
    known = {"base": 1000, "base_unrealized": 0, "paid": 0, "peak": 0} | more
    numbers = {name: D(value) for name, value in known.items()}
    return course_of_account(equity=D(equity), unrealized=D(open_pnl), **numbers)


@pytest.mark.parametrize(
    ("course", "realized", "unrealized", "equity", "drawdown"),
    [
        (account(900), 100, 0, 100, 100),
        (account(900, -60), 40, 60, 100, 100),
        (account(1100, -60), 0, 60, 0, 0),
        # It had been 50 ahead: what was gained and lost again is drawdown, not loss.
        (account(1000, peak=50), 0, 0, 0, 50),
        (account(980, peak=50), 20, 0, 20, 70),
        # What was already unrealized when the period began is not lost again.
        (account(900, -100, base=900, base_unrealized=-100), 0, 100, 0, 0),
        (account(850, 0, base=900, base_unrealized=-100), 150, 0, 50, 50),
        # Money paid out is no loss, money paid in hides none.
        (account(400, paid=-600), 0, 0, 0, 0),
        (account(1400, paid=500), 100, 0, 100, 100),
    ],
)
def test_each_measure_counts_its_own(
    course: Course, realized: int, unrealized: int, equity: int, drawdown: int
) -> None:
    found = [lost(m, course) for m in (M.REALIZED, M.UNREALIZED, M.EQUITY, M.DRAWDOWN)]
    assert found == [D(realized), D(unrealized), D(equity), D(drawdown)]


def test_a_following_counts_what_its_own_trades_made() -> None:
    course = course_of_link(realized=D(-30), unrealized=D(-20), base_unrealized=D(-5), peak=D(10))
    assert lost(M.REALIZED, course) == 30
    assert lost(M.UNREALIZED, course) == 20
    assert lost(M.EQUITY, course) == 45
    assert lost(M.DRAWDOWN, course) == 55


def test_of_two_bounds_the_nearer_one_counts() -> None:
    assert used(D(50), most=D(100), part=None, base=D(1000)) == D("0.5")
    assert used(D(50), most=D(100), part=D("0.05"), base=D(1000)) == D(1)
    assert used(D(50), most=D(40), part=D("0.1"), base=D(1000)) == D("1.25")
    assert used(D(50), most=None, part=D("0.1"), base=D(0)) == 0  # of nothing nothing can be said
    assert used(D(1), most=D(3), part=None, base=D(0)) == D("0.333333")


@pytest.mark.parametrize(
    ("period", "clock", "begins"),
    [
        (LossPeriod.DAY, PeriodClock.UTC, "2026-11-01T00:00"),
        (LossPeriod.WEEK, PeriodClock.UTC, "2026-10-26T00:00"),
        (LossPeriod.MONTH, PeriodClock.UTC, "2026-11-01T00:00"),
        # 07:30 in Shanghai: the desk's day, which begins at eight, is still the one before.
        (LossPeriod.DAY, PeriodClock.DESK, "2026-10-31T00:00"),
        (LossPeriod.WEEK, PeriodClock.DESK, "2026-10-26T00:00"),
        (LossPeriod.MONTH, PeriodClock.DESK, "2026-10-01T00:00"),
    ],
)
def test_a_period_begins_by_its_clock(period: LossPeriod, clock: PeriodClock, begins: str) -> None:
    now = datetime(2026, 11, 1, 7, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    if clock == PeriodClock.UTC:
        now = at("2026-11-01T05:00")
    assert period_start(period, clock, DESK, now) == at(begins)


def test_what_was_before_the_start_does_not_count() -> None:
    limit = SimpleNamespace(
        period="day", clock="utc", starts_at=None, created_at=at("2026-10-01T10:00")
    )
    now = at("2026-11-05T12:00")
    assert counted_from(limit, DESK, now) == at("2026-11-05T00:00")
    limit.starts_at = at("2026-11-05T09:00")
    assert counted_from(limit, DESK, now) == at("2026-11-05T09:00")
    limit.period = "lifetime"
    assert counted_from(limit, DESK, now) == at("2026-11-05T09:00")
    limit.starts_at = at("2026-11-09T09:00")
    assert counted_from(limit, DESK, now) == now  # until then it begins anew at every look
    limit.starts_at = None
    assert counted_from(limit, DESK, now) == at("2026-10-01T10:00")


def test_the_way_to_liquidation_is_a_part_of_the_mark() -> None:
    assert distance_of(D(100), D(90), rising=True) == D("0.1")
    assert distance_of(D(100), D(110), rising=False) == D("0.1")
    assert distance_of(D(100), D(110), rising=True) == 0
    assert distance_of(None, D(90), rising=True) is None
    assert distance_of(D(100), None, rising=True) is None


THRESHOLDS = {
    MarginLevel.WARN: Threshold(D(2), D("0.1")),
    MarginLevel.CRITICAL: Threshold(D("1.3"), None),
    MarginLevel.BLOCK: Threshold(D("1.5"), D("0.05")),
}


@pytest.mark.parametrize(
    ("ratio", "distance", "before", "level", "blocked"),
    [
        ("5", "0.5", "safe", "safe", False),
        ("1.9", "0.5", "safe", "warn", False),
        ("5", "0.09", "safe", "warn", False),
        ("5", "0.04", "safe", "warn", True),
        ("1.4", "0.5", "safe", "warn", True),
        ("1.2", "0.5", "safe", "critical", True),
        # A level is kept until it is clearly left: at a tenth more than its threshold.
        ("2.1", "0.5", "warn", "warn", False),
        ("2.3", "0.5", "warn", "safe", False),
        ("1.35", "0.5", "critical", "critical", True),
        ("1.45", "0.5", "critical", "warn", True),
        ("2.1", "0.5", "critical", "warn", False),
        ("1.35", "0.5", "warn", "warn", True),
        (None, None, "critical", "safe", False),
    ],
)
def test_levels_are_reached_at_once_and_left_slowly(
    ratio: str | None, distance: str | None, before: str, level: str, blocked: bool
) -> None:
    near = Nearness(*(None if each is None else D(each) for each in (ratio, distance)))
    assert level_of(near, THRESHOLDS, MarginLevel(before)) == level
    assert is_blocked(near, THRESHOLDS, before=False) is blocked


def test_a_block_ends_when_there_is_clearly_more() -> None:
    near = Nearness(D("1.6"), None)
    assert not is_blocked(near, THRESHOLDS, before=False)
    assert is_blocked(near, THRESHOLDS, before=True)
    assert not is_blocked(Nearness(D("1.66"), None), THRESHOLDS, before=True)
