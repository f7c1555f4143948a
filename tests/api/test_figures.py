"""The desk's figures, chart series and status, and whose they are."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.tenancy import all_tenants, tenant_scope
from tests.api.calls import Programs, fields_of
from trading.breakers import Place, open_breaker
from trading.enums import BreakerCause, Scope, TradingMode
from trading.leases import beat_heartbeat
from trading.models import (
    Balance,
    Breaker,
    ClockReading,
    EquitySnapshot,
    Heartbeat,
    Order,
    StreamLease,
)
from trading.performance import Period, buckets
from trading.switch import set_mode

pytestmark = [pytest.mark.django_db, pytest.mark.database_long]


def test_stats_count_and_add_up_what_may_be_seen(programs: Programs) -> None:
    world = programs.world
    with tenant_scope(world.tenant):
        start = world.tenant.day_start(timezone.now())
        today = Order.objects.filter(created_at__gte=start).count()
        equity = Balance.objects.filter(currency="TOTAL").values_list("equity", flat=True)
        total = sum(equity, Decimal(0))

    whole, own = (p.data("dashboard/stats") for p in (programs.reader, programs.customer))

    assert whole["customers"] == {"total": 3, "active": 3}
    assert own["customers"] == {"total": 1, "active": 1}
    assert whole["trades_today"]["total"] == today
    words = ("waiting", "partly_filled", "filled", "canceled", "failed")
    assert sum(whole["trades_today"][word] for word in words) == today
    (money,) = whole["money"]
    assert (money["kind"], Decimal(money["equity"])) == ("simulated", total)
    assert Decimal(money["profit"]) == total - Decimal(money["initial_balance"])
    assert own["money"][0]["accounts"] == 1
    assert own["trades_today"]["total"] < today or today == 0


@pytest.mark.parametrize(
    ("period", "bucket", "points"), [("1d", "15m", 96), ("7d", "1h", 168), ("30d", "1d", 30)]
)
def test_a_chart_has_a_point_for_every_bucket(
    programs: Programs, period: str, bucket: str, points: int
) -> None:
    for kind in ("profit", "volume", "trades"):
        chart = programs.reader.data("dashboard/charts", type=kind, period=period)

        assert (chart["type"], chart["period"], chart["bucket"]) == (kind, period, bucket)
        assert chart["series"], kind
        for line in chart["series"]:
            assert line["kind"] == "simulated"
            assert len(line["points"]) == points
            assert all(isinstance(p["value"], str) for p in line["points"])
    words = {line["name"] for line in chart["series"]}
    assert words <= {"waiting", "partly_filled", "filled", "canceled", "failed"}


def test_profit_is_told_exactly_and_for_one_customer_alone(programs: Programs) -> None:
    world = programs.world
    account, now = world.accounts[0], timezone.now()
    at = buckets(Period.DAY, world.tenant, now)[50].start
    with tenant_scope(world.tenant):
        EquitySnapshot.objects.filter(account__in=world.accounts).delete()
        for place, value in enumerate(("100", "100.000000000000000001")):
            EquitySnapshot(
                account=account, at=at + timedelta(hours=place), equity=Decimal(value)
            ).save()

    def last(program: object, **query: object) -> str:
        chart = program.data("dashboard/charts", type="profit", period="1d", **query)  # type: ignore[attr-defined]
        return str(chart["series"][0]["points"][-1]["value"])

    assert last(programs.reader) == "0.000000000000000001"
    assert last(programs.customer) == "0.000000000000000001"
    assert last(programs.reader, customer_id=world.customers[0].uid) == "0.000000000000000001"
    assert last(programs.reader, account_id=world.accounts[1].uid) == "0"


def test_a_chart_of_a_foreign_or_absent_row_is_refused_by_name(programs: Programs) -> None:
    foreign = programs.stranger.customers[0].uid
    for program, uid in (
        (programs.reader, foreign),
        (programs.reader, "00000000-0000-4000-8000-000000000000"),
        (programs.customer, programs.world.customers[1].uid),
    ):
        answer = program.get("dashboard/charts", type="volume", period="1d", customer_id=uid)
        assert fields_of(answer) == ["customer_id"]
        assert "no such row" in answer.json()["error"]["fields"][0]["reason"]


def test_status_tells_what_is_wrong_and_no_more_to_a_customer(programs: Programs) -> None:
    world = programs.world
    with all_tenants("none of this world is live"):
        StreamLease.objects.all().delete()
        set_mode(mode=TradingMode.HALTED, reason="Exchange down", actor=None, tenant=None,
                 scope=Scope.SYSTEM)  # fmt: skip
    Heartbeat.objects.all().delete()
    beat_heartbeat("executor")
    beat_heartbeat("streams")

    whole, own = (p.data("status") for p in (programs.reader, programs.customer))

    assert whole["trading"]["mode"] == own["trading"]["mode"] == "halted"
    system = [s for s in whole["trading"]["switches"] if s["scope"] == "system"]
    assert system[0]["reason"] is None
    assert {s["name"] for s in whole["sources"]} >= {"Momentum alerts", "Trend leader"}
    assert own["sources"] == []
    assert whole["workers"] == {"executors": 1, "streams": 1}
    assert whole["status"] == "degraded"
    assert "sockets_not_live" in whole["problems"]
    assert "no_executor" not in whole["problems"]
    assert own["sockets"]["accounts"] == 1
    assert {s["account_id"] for s in own["sockets"]["not_live"]} == {str(world.accounts[0].uid)}
    others = {s["target_id"] for s in own["trading"]["switches"] if s["target_id"]}
    assert others <= {str(world.customers[0].uid), str(world.accounts[0].uid)}
    assert not any(s["reason"] for s in own["trading"]["switches"])


def test_a_live_socket_is_live_while_its_lease_runs(programs: Programs) -> None:
    now = timezone.now()
    account = programs.world.accounts[0]
    StreamLease.objects.update_or_create(
        account_id=account.pk, defaults={"state": "live", "until": now + timedelta(seconds=30)}
    )
    assert programs.customer.data("status")["sockets"]["live"] == 1

    StreamLease.objects.filter(account_id=account.pk).update(until=now - timedelta(seconds=1))
    sockets = programs.customer.data("status")["sockets"]
    assert (sockets["live"], sockets["not_live"][0]["state"]) == (0, "lapsed")


def test_status_names_what_stops_trading_at_the_exchange_and_to_whom(programs: Programs) -> None:
    def problems() -> tuple[set[str], set[str]]:
        words = {"openings_stopped", "clock_off"}
        whole, own = (set(p.data("status")["problems"]) for p in told)
        return whole & words, own & words

    told = programs.reader, programs.customer
    with all_tenants("another customer's account"):
        Breaker.objects.exclude(state="closed").update(state="closed")
        ClockReading.objects.all().delete()
        account = programs.world.accounts[1]
        other = programs.stranger.accounts[0]
        open_breaker(Place(other.market, other), BreakerCause.REJECTS, "foreign")
    assert problems() == (set(), set())

    open_breaker(Place(account.market, account), BreakerCause.REJECTS, "refused")
    assert problems() == ({"openings_stopped"}, set())

    open_breaker(Place(account.market), BreakerCause.MAINTENANCE, "upgrade")
    ClockReading.objects.create(
        key="x", market=account.market, process="x", offset_ms=9_000, is_halted=True,
        read_at=timezone.now(),
    )  # fmt: skip
    assert problems() == ({"openings_stopped", "clock_off"}, {"openings_stopped", "clock_off"})
