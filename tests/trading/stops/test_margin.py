"""The margin watch: told once per crossing, and below the last threshold nothing is opened."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from accounts.tenancy import tenant_scope
from strategies.models import Subscription
from tests.trading.execution.bench import Bench, diary
from tests.trading.stops.test_losses import breakers, opened, price, read
from trading.models import MarginThreshold, MarginWatch, Position
from trading.stops.margin import watch_margins
from trading.stops.rules import set_margin_threshold

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]
D = Decimal


@pytest.fixture
def held(bench: Bench) -> tuple[Bench, Subscription]:
    """0.1 BTC at 60,000 with 1,000 USDT: 10,000 less and it is gone."""
    with tenant_scope(bench.desk.tenant):
        bench.desk.strategy.max_leverage = D(20)
        bench.desk.strategy.save()
        for level, ratio in (("warn", 10), ("block", 6), ("critical", 4)):
            set_margin_threshold(MarginThreshold(level=level, ratio=D(ratio)), actor=None)
    link = bench.follower(usdt=1000)
    opened(bench)
    read(bench, link)
    return bench, link


def ratio(bench: Bench) -> Decimal:
    with tenant_scope(bench.desk.tenant):
        found: Decimal = Position.objects.values_list("margin_ratio", flat=True).get()
    return found


def fall(bench: Bench, link: Subscription, to: int) -> int:
    price(bench, to)
    read(bench, link)
    return watch_margins()


def level(bench: Bench) -> str:
    with tenant_scope(bench.desk.tenant):
        return str(MarginWatch.objects.values_list("level", flat=True).get())


def test_people_are_told_once_per_crossing_and_openings_end_below_the_last(
    held: tuple[Bench, Subscription],
) -> None:
    bench, link = held
    assert watch_margins() == 0
    assert ratio(bench) > 20

    assert fall(bench, link, 51_700) == 1
    assert 6 < ratio(bench) < 10
    assert watch_margins() == 0
    assert [entry.level for entry in diary("margin.low")] == ["warning"]
    assert breakers(bench) == []
    (waiting,) = bench.desk.hear("add", "1")

    assert fall(bench, link, 51_000) == 0  # still the same level, but nothing is opened any more
    assert 4 < ratio(bench) < 6
    assert breakers(bench) == [("margin_low", "open")]
    (told,) = diary("margin.blocked")
    assert (told.level, "margin ratio" in told.reason) == ("critical", True)
    assert bench.desk.hear("add", "1") == []
    decision = bench.desk.last(link)
    assert (decision.outcome, decision.reason) == ("denied", "MARGIN_LOW")
    assert bench.send([waiting]) == 0
    after = bench.now(waiting)
    assert (after.state, after.reason) == ("denied", "MARGIN_LOW")

    assert fall(bench, link, 50_700) == 1
    assert ratio(bench) < 4
    assert level(bench) == "critical"
    assert [entry.level for entry in diary("margin.critical")] == ["critical"]

    closes = bench.desk.hear("reduce", "50")
    bench.send(closes)
    bench.finish()
    assert [bench.now(order).state for order in closes] == ["filled"]


def test_a_level_is_left_slowly_and_the_block_ends_by_itself(
    held: tuple[Bench, Subscription],
) -> None:
    bench, link = held
    fall(bench, link, 51_000)
    assert breakers(bench) == [("margin_low", "open")]
    fall(bench, link, 51_480)
    assert 6 < ratio(bench) < D("6.6")
    assert breakers(bench) == [("margin_low", "open")]

    assert fall(bench, link, 60_000) == 0

    assert breakers(bench) == [("margin_low", "closed")]
    assert level(bench) == "safe"
    assert len(diary("margin.safe")) == len(diary("margin.unblocked")) == 1
    assert len(bench.desk.hear("add", "1")) == 1
    assert fall(bench, link, 51_700) == 1
    assert len(diary("margin.low")) == 2


def test_a_lower_threshold_needs_a_reason(held: tuple[Bench, Subscription]) -> None:
    bench, _link = held
    with tenant_scope(bench.desk.tenant):
        block = MarginThreshold.objects.get(level="block")
        block.ratio = D(5)
        with pytest.raises(ValidationError):
            set_margin_threshold(block, actor=None)
        with pytest.raises(ValidationError):
            set_margin_threshold(block, actor=None, reason="Agreed", may_loosen=False)
        set_margin_threshold(block, actor=None, reason="Agreed")
        block.ratio = D(7)
        set_margin_threshold(block, actor=None, may_loosen=False)


def test_what_the_exchange_does_not_tell_for_a_while_is_no_relief(
    held: tuple[Bench, Subscription],
) -> None:
    bench, link = held
    fall(bench, link, 51_000)
    assert (breakers(bench), level(bench)) == ([("margin_low", "open")], "warn")
    with tenant_scope(bench.desk.tenant):
        Position.objects.update(margin_ratio=None, liquidation_price=None)

    assert watch_margins() == 0

    assert (breakers(bench), level(bench)) == ([("margin_low", "open")], "warn")
    bench.send(bench.desk.hear("close"))
    bench.finish()
    read(bench, link)
    watch_margins()
    assert (breakers(bench), level(bench)) == ([("margin_low", "closed")], "safe")
