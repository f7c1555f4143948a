"""Announced maintenance: openings wait, people are told once, and everything is read again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from notifications.quiet import explained
from tests.trading.execution.bench import Bench, diary
from trading.enums import BreakerCause
from trading.exchange.runner import stop_exchange_loop
from trading.models import Breaker, Maintenance, MarketWatch, ReconcileRun
from trading.sync.maintenance import watch_markets

pytestmark = [pytest.mark.django_db, pytest.mark.database_long, pytest.mark.simulator]


def watch() -> int:
    """As by a process that just started: one process asks OKX once in five seconds at most."""
    stop_exchange_loop()
    return watch_markets()


def announce(bench: Bench, *plans: dict[str, Any]) -> None:
    bench.ask("POST", "/maintenance", announcements=list(plans))


def freezes() -> list[str]:
    with all_tenants("read breakers"):
        rows = Breaker.objects.filter(cause=BreakerCause.MAINTENANCE)
        return list(rows.values_list("state", flat=True))


def actions() -> list[str]:
    kinds = ("maintenance.announced", "maintenance.began", "maintenance.over")
    return [entry.action for kind in kinds for entry in diary(kind) if entry.tenant_id]


def test_openings_wait_during_maintenance_and_go_on_when_all_was_read(bench: Bench) -> None:
    link = bench.follower()
    bench.send(bench.open())
    bench.finish()
    (late,) = bench.desk.hear("add", "10")
    announce(bench, {"title": "Upgrade", "begin_in_s": -5, "lasts_s": 3600})

    assert watch() == 1
    watch()

    assert freezes() == ["open"]
    assert actions() == ["maintenance.announced", "maintenance.began"]
    assert bench.send([late]) == 0
    assert (bench.now(late).state, bench.now(late).reason) == ("denied", "EXCHANGE_MAINTENANCE")
    assert bench.desk.hear("add", "10") == []
    assert bench.desk.last(link).reason == "EXCHANGE_MAINTENANCE"
    (close,) = bench.desk.hear("close")
    bench.send([close])
    bench.finish()
    assert bench.now(close).state == "filled"

    announce(bench)
    watch()

    assert freezes() == ["closed"]
    assert actions()[2:] == ["maintenance.over"]
    with tenant_scope(bench.desk.tenant):
        runs = list(ReconcileRun.objects.values_list("cause", "ok"))
        assert runs == [("maintenance", True)]
        assert Maintenance.objects.get().state == "completed"
    (again,) = bench.open()
    bench.send([again])
    bench.finish()
    assert bench.now(again).state == "filled"


@pytest.mark.parametrize(
    ("label", "plan", "frozen"),
    [
        ("a socket upgrade", {"service_type": 0, "begin_in_s": -5}, False),
        ("block trading", {"service_type": 6, "begin_in_s": -5}, False),
        ("trading in batches of accounts", {"service_type": 8, "begin_in_s": -5}, True),
        ("in a minute", {"begin_in_s": 60}, True),
        ("in an hour", {"begin_in_s": 3600}, False),
        ("opening again", {"begin_in_s": -60, "lasts_s": 30, "state": "pre_open"}, True),
        ("canceled", {"begin_in_s": -5, "state": "canceled"}, False),
    ],
)
def test_only_what_stops_trading_and_is_near_stops_openings(
    bench: Bench, label: str, plan: dict[str, Any], frozen: bool
) -> None:
    bench.follower()
    announce(bench, plan)

    watch()

    assert freezes() == (["open"] if frozen else []), label


def test_openings_stay_stopped_until_the_accounts_could_be_read(bench: Bench) -> None:
    bench.follower()
    announce(bench, {"begin_in_s": -5})
    watch()
    announce(bench)
    bench.fault("code:50001", times=1000, path="/api/v5/account/balance")

    for _ in range(4):
        watch()

    assert freezes() == ["half_open"]
    bench.ask("DELETE", "/faults")
    watch()
    assert freezes() == ["closed"]


def test_one_account_that_cannot_be_read_holds_up_nobody_else(bench: Bench) -> None:
    bench.follower()
    link = bench.follower()
    announce(bench, {"begin_in_s": -5})
    watch()
    announce(bench)
    bench.fault("code:50001", link, times=1000, path="/api/v5/account/balance")

    states = []
    for _ in range(3):
        watch()
        states += freezes()

    assert states == ["half_open", "half_open", "closed"]


def test_a_market_that_cannot_be_asked_freezes_nothing_and_shows_its_age(bench: Bench) -> None:
    bench.follower()
    watch()
    read_at = MarketWatch.objects.get().read_at
    bench.fault("http:503", times=100, path="/api/v5/system/status")

    assert watch() == 0

    row = MarketWatch.objects.get()
    assert (freezes(), row.read_at) == ([], read_at)
    assert row.error != ""
    assert row.tried_at > read_at


def test_alerts_that_maintenance_explains_send_no_message(bench: Bench) -> None:
    bench.follower()
    (order,) = bench.open()
    announce(bench, {"begin_in_s": -5})
    watch()
    with tenant_scope(bench.desk.tenant):
        lost, other = (
            audit.record(action=action, obj=order, level=AuditLevel.CRITICAL)
            for action in ("order.unknown", "order.doubled")
        )
    ids = {lost.pk, other.pk}

    with all_tenants("which are quiet"):
        assert explained(ids) == {lost.pk}
        Breaker.objects.update(market="demo")
        assert explained(ids) == set()
        long_ago = timezone.now() - timedelta(hours=1)
        Breaker.objects.update(market="simulator", state="closed", closed_at=long_ago)
        assert explained(ids) == set()
