"""What /health looks at: what each part last wrote into the database; nobody is called."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import redis
from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from accounts.tenancy import all_tenants
from customers.models import ExchangeAccount
from trading.leases import alive_count, alive_counts, db_now
from trading.models import ClockReading, MarketPrice, ReconcileRun, StreamLease

PRICE_FRESH: Final = timedelta(seconds=30)
CLOCK_COUNTS_FOR: Final = timedelta(minutes=3)
READ_FRESH: Final = timedelta(seconds=120)
ASKED_ACCOUNTS: Final = 20
REDIS_TIMEOUT_S: Final = 1.0
# What the streams process writes once an account's channels are subscribed.
LIVE: Final = "live"


class Health(StrEnum):
    """Three of these are healthy: nothing to do, or nothing to ask, is no failure."""

    OK = "ok"
    IDLE = "idle"
    NOT_CONFIGURED = "not configured"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """How one part is. The words name no desk, no address and no version."""

    status: Health
    detail: str
    latency_ms: int = 0

    @property
    def is_healthy(self) -> bool:
        return self.status != Health.FAILED


def check_all() -> dict[str, Finding]:
    return {name: _timed(check) for name, check in CHECKS.items()}


def database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return Finding(Health.OK, "answers")


def redis_server() -> Finding:
    if not settings.REDIS_URL:
        return Finding(Health.NOT_CONFIGURED, "the embedded cache and broker are used")
    _client(settings.REDIS_URL).ping()
    return Finding(Health.OK, "answers")


def okx_api() -> Finding:
    """Every market in use sent a price, or let an account be read, lately."""
    now = timezone.now()
    with all_tenants("health: which markets are in use"):
        streamed = ExchangeAccount.objects.streamed().order_by()
        markets = list(streamed.values_list("market", flat=True).distinct())
        silent = [market for market in markets if not _heard(market, now)]
    if not markets:
        return Finding(Health.IDLE, "no account uses it")
    if silent:
        return Finding(Health.FAILED, "a market in use has sent nothing lately")
    return Finding(Health.OK, "every market in use answers")


def websocket() -> Finding:
    """The private sockets of the accounts are open, or most of them are."""
    with all_tenants("health: sockets of every desk"):
        wanted = ExchangeAccount.objects.streamed().order_by()
        ids = set(wanted.values_list("pk", flat=True))
    if not ids:
        return Finding(Health.IDLE, "no account needs one")
    if not alive_count("streams"):
        return Finding(Health.FAILED, "no process keeps them")
    kept = StreamLease.objects.filter(state=LIVE, until__gt=db_now())
    live = len(ids & set(kept.values_list("account_id", flat=True)))
    if live * 2 < len(ids):
        return Finding(Health.FAILED, "most are not open" if live else "none is open")
    return Finding(Health.OK, "all are open" if live == len(ids) else "some are not open")


def workers() -> Finding:
    silent = [kind for kind, n in alive_counts("executor", "worker").items() if not n]
    if silent:
        return Finding(Health.FAILED, f"not heard of: {', '.join(silent)}")
    return Finding(Health.OK, "every queue is served")


def clocks() -> Finding:
    """No process that trades has a clock that halts it."""
    rows = ClockReading.objects.filter(read_at__gte=db_now() - CLOCK_COUNTS_FOR)
    halted = list(rows.values_list("is_halted", flat=True))
    if not halted:
        return Finding(Health.IDLE, "no process has read one lately")
    if any(halted):
        return Finding(Health.FAILED, "too far from the exchange's: nothing is sent there")
    return Finding(Health.OK, "agree with the exchange's")


CHECKS: Final[dict[str, Callable[[], Finding]]] = {
    "database": database,
    "redis": redis_server,
    "okx_api": okx_api,
    "websocket": websocket,
    "workers": workers,
    "clocks": clocks,
}


def _timed(check: Callable[[], Finding]) -> Finding:
    started = time.perf_counter()
    try:
        found = check()
    except Exception:  # noqa: BLE001 - whatever it is, the part is not healthy
        found = Finding(Health.FAILED, "does not answer")
    return Finding(found.status, found.detail, round((time.perf_counter() - started) * 1000))


def _heard(market: str, now: datetime) -> bool:
    newest = MarketPrice.objects.filter(market=market).aggregate(
        mark=Max("mark_at"), ticker=Max("ticker_at")
    )
    prices = [at for at in newest.values() if at is not None]
    if prices and now - max(prices) <= PRICE_FRESH:
        return True
    # A market without strategies has no prices, but its accounts are read.
    some = ExchangeAccount.objects.streamed().filter(market=market).order_by("pk")
    ids = list(some.values_list("pk", flat=True)[:ASKED_ACCOUNTS])
    read = ReconcileRun.objects.filter(account__in=ids, started_at__gte=now - READ_FRESH, ok=True)
    return bool(read.exists())


@lru_cache(maxsize=1)
def _client(url: str) -> Any:
    return redis.Redis.from_url(
        url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
    )
