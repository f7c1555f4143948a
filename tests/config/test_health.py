"""What machines ask: alive, ready, healthy, and the numbers."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.health import checks, domain, views
from config.health.checks import Health
from config.health.remembered import Remembered
from customers.models import ExchangeAccount
from tests import factories as make
from tests.world import World, make_world
from trading.leases import beat_heartbeat, end_heartbeat
from trading.models import ClockReading, Heartbeat, MarketPrice, StreamLease

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    for kept in (views.findings, views.unready, domain.domain):
        kept.forget()
    views.unready.migrated = False
    yield
    for kind in ("executor", "worker", "streams"):
        end_heartbeat(kind)


@pytest.fixture
def account() -> ExchangeAccount:
    account = make.make_account()
    make.set_price()
    return account


def ask(path: str = "/health") -> tuple[int, Any]:
    answer = Client().get(path)
    return answer.status_code, json.loads(answer.content)


def all_alive() -> None:
    for kind in ("executor", "worker", "streams"):
        beat_heartbeat(kind)


def lease(account: ExchangeAccount, **fields: Any) -> None:
    fields = {"state": "live", "until": timezone.now() + timedelta(seconds=30)} | fields
    StreamLease.objects.update_or_create(
        account_id=account.pk, defaults={"owner": uuid.uuid4(), **fields}
    )


def test_without_accounts_nothing_is_missing_but_workers() -> None:
    code, told = ask()

    assert code == 503
    assert told["status"] == "unhealthy"
    assert {name: part["status"] for name, part in told["checks"].items()} == {
        "database": "ok",
        "redis": "not configured",
        "okx_api": "idle",
        "websocket": "idle",
        "workers": "failed",
        "clocks": "idle",
    }
    assert told["checks"]["workers"]["detail"] == "not heard of: executor, worker"


def test_with_workers_it_is_healthy() -> None:
    all_alive()

    code, told = ask()

    assert (code, told["status"]) == (200, "healthy")
    assert all(part["latency_ms"] >= 0 for part in told["checks"].values())


@pytest.mark.parametrize(
    ("label", "fields", "status"),
    [
        ("right", {}, Health.OK),
        ("too far off", {"is_halted": True, "offset_ms": -5000}, Health.FAILED),
        ("gone", {"read_at": timezone.now() - timedelta(minutes=4)}, Health.IDLE),
    ],
)
def test_no_clock_may_halt_trading(label: str, fields: dict[str, Any], status: Health) -> None:
    known = {"key": "a", "market": "simulator", "process": "a", "offset_ms": 5}
    ClockReading.objects.create(**{**known, "read_at": timezone.now(), **fields})

    assert checks.clocks().status == status, label


def test_every_queue_must_be_served() -> None:
    all_alive()
    Heartbeat.objects.filter(kind="worker").update(beat_at=timezone.now() - timedelta(seconds=26))

    code, told = ask()

    assert (code, told["checks"]["workers"]["detail"]) == (503, "not heard of: worker")


def test_a_market_in_use_must_be_heard_of(account: ExchangeAccount) -> None:
    assert checks.okx_api().status == Health.OK
    MarketPrice.objects.update(mark_at=timezone.now() - timedelta(seconds=31), ticker_at=None)

    assert checks.okx_api().status == Health.FAILED
    from accounts.tenancy import tenant_scope
    from trading.models import ReconcileRun

    with tenant_scope(account.tenant_id):
        now = timezone.now()
        ReconcileRun(account=account, cause="due", started_at=now, finished_at=now, ok=True).save()
    assert checks.okx_api().status == Health.OK


def test_a_market_that_only_archived_accounts_use_does_not_count(account: ExchangeAccount) -> None:
    from accounts.tenancy import tenant_scope

    MarketPrice.objects.all().delete()
    with tenant_scope(account.tenant_id):
        ExchangeAccount.objects.update(status="archived")

    assert checks.okx_api().status == Health.IDLE
    assert checks.websocket().status == Health.IDLE


@pytest.mark.parametrize(
    ("label", "fields", "status"),
    [
        ("open", {}, Health.OK),
        ("opening", {"state": "connecting"}, Health.FAILED),
        ("its keeper died", {"until": timezone.now() - timedelta(hours=1)}, Health.FAILED),
    ],
)
def test_sockets_must_be_open(
    label: str, fields: dict[str, Any], status: Health, account: ExchangeAccount
) -> None:
    beat_heartbeat("streams")
    lease(account, **fields)

    assert checks.websocket().status == status


def test_one_customers_broken_key_is_not_a_broken_house(account: ExchangeAccount) -> None:
    beat_heartbeat("streams")
    lease(account)
    lease(make.make_account(account.customer), state="connecting")

    assert checks.websocket() == checks.Finding(Health.OK, "some are not open")


def test_a_failing_part_says_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise DatabaseError("host db.internal version 8.4 refused")

    monkeypatch.setitem(checks.CHECKS, "database", away)

    code, told = ask()

    assert code == 503
    assert told["checks"]["database"]["detail"] == "does not answer"
    assert "db.internal" not in json.dumps(told)


def test_an_answer_names_no_desk(account: ExchangeAccount) -> None:
    text = json.dumps(ask())

    assert account.customer.name not in text
    assert account.tenant.name not in text
    assert "simulator" not in text


def test_asking_often_costs_nothing(django_assert_num_queries: Any) -> None:
    client = Client()
    client.get("/health")

    with django_assert_num_queries(0):
        for _number in range(20):
            client.get("/health")


def test_what_is_remembered_is_made_again_when_it_is_old() -> None:
    made = iter(range(10))
    kept = Remembered(lambda: next(made), 0.0)

    assert [kept.get(), kept.get()] == [0, 1]


def test_probes_need_no_session_and_no_host(django_assert_num_queries: Any) -> None:
    client = Client(HTTP_HOST="10.1.2.3")
    client.cookies["sessionid"] = "made-up"

    assert client.get("/livez").content == b"ok"
    with django_assert_num_queries(0):
        client.get("/livez")
    assert client.get("/readyz").status_code == 200
    assert client.post("/health").status_code == 405


def test_ready_means_the_migrations_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [("0005", False)])

    answer = Client().get("/readyz")

    assert (answer.status_code, answer.content) == (503, b"the database waits for migrations")


def test_ready_means_the_database_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(MigrationExecutor, "__init__", away)

    assert Client().get("/readyz").content == b"the database does not answer"


# /metrics


def numbers(**headers: Any) -> dict[str, float]:
    answer = Client(**headers).get("/metrics")
    assert answer.status_code == 200
    lines = re.findall(r"^(copydesk_\S+) (\S+)$", answer.content.decode(), re.MULTILINE)
    return {name: float(value) for name, value in lines}


@pytest.fixture
def world() -> World:
    return make_world("Secret desk", 3, "c4n4ry", customers=6)


def test_the_numbers_of_the_trade(world: World) -> None:
    from accounts.tenancy import tenant_scope
    from trading.models import Order

    beat_heartbeat("executor")
    with tenant_scope(world.tenant):
        now = timezone.now()
        Order.objects.update(created_at=now - timedelta(hours=1))
        order = Order.objects.filter(state="filled").first()
        Order.objects.filter(pk=order.pk).update(created_at=now)
        type(order.signal).objects.filter(pk=order.signal_id).update(
            received_at=now - timedelta(milliseconds=400)
        )
        Order.objects.filter(pk=order.pk).update(acked_at=now)
        unknown = Order.objects.filter(state="unknown")
        unknown.update(created_at=now - timedelta(seconds=90))
        count = unknown.count()

    told = numbers()

    assert told["copydesk_up"] == 1
    assert told['copydesk_orders_unfinished{state="unknown"}'] == count
    assert 90 <= told["copydesk_orders_unknown_oldest_seconds"] < 100
    assert told['copydesk_latency_5m_seconds_bucket{le="0.3"}'] == 0
    assert told['copydesk_latency_5m_seconds_bucket{le="0.5"}'] == 1
    assert told['copydesk_signals_5m{status="copied"}'] >= 1
    assert told['copydesk_sockets{state="live"}'] >= 1
    assert told['copydesk_processes_alive{kind="executor"}'] == 1
    assert told['copydesk_heartbeat_age_seconds{kind="executor"}'] < 5
    assert told["copydesk_diary_untold"] >= 1


def test_no_label_names_anybody(world: World) -> None:
    text = Client().get("/metrics").content.decode()

    assert "c4n4ry" not in text
    assert "Secret desk" not in text
    labels = set(re.findall(r"copydesk_\w+\{(\w+)=", text))
    assert labels <= {"state", "status", "outcome", "kind", "le", "cause", "market"}


def test_the_queries_of_a_scrape_do_not_grow(world: World) -> None:
    from django.db import connection

    def count() -> int:
        domain.domain.forget()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            Client().get("/metrics")
        return len(queries)

    one = count()
    make_world("Another desk", 4, customers=6)

    assert count() == one
    assert one <= 17
    with CaptureQueriesContext(connection) as queries:
        Client().get("/metrics")
    assert len(queries) == 0


def test_a_database_that_is_away_does_not_fail_the_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_asked: Any) -> Any:
        raise DatabaseError

    monkeypatch.setattr(domain, "_flow", away)

    assert numbers() == {"copydesk_up": 0}


def test_requests_are_counted_by_view() -> None:
    Client().get("/admin/login/")

    text = Client().get("/metrics").content.decode()

    assert 'view="admin:login"' in text


@pytest.mark.parametrize(
    ("label", "token", "headers", "code"),
    [
        ("this machine", "", {}, 200),
        ("another machine", "", {"REMOTE_ADDR": "203.0.113.9"}, 403),
        ("behind a proxy that nobody counted", "", {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ("the token", "s3cret", {"HTTP_AUTHORIZATION": "Bearer s3cret"}, 200),
        ("from anywhere", "s3cret",
         {"HTTP_AUTHORIZATION": "Bearer s3cret", "REMOTE_ADDR": "203.0.113.9"}, 200),
        ("another token", "s3cret", {"HTTP_AUTHORIZATION": "Bearer s3creT"}, 401),
        ("no token on this machine", "s3cret", {}, 401),
    ],
)  # fmt: skip
def test_who_may_read_the_numbers(
    label: str, token: str, headers: dict[str, str], code: int, settings: Any
) -> None:
    settings.METRICS_TOKEN = token

    answer = Client(**headers).get("/metrics")

    assert answer.status_code == code
    assert (b"python_info" in answer.content) == (code == 200)


def test_behind_our_proxy_this_machine_is_who_called_the_proxy(settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1

    assert Client(HTTP_X_FORWARDED_FOR="203.0.113.9").get("/metrics").status_code == 403
    assert Client(HTTP_X_FORWARDED_FOR="unknown").get("/metrics").status_code == 403
    assert Client(HTTP_X_FORWARDED_FOR="127.0.0.1").get("/metrics").status_code == 200
