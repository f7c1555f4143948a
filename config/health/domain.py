"""The numbers of the trade itself, read from the database when Prometheus asks.

No label names a desk, a customer or an account. Every query is bounded: by an index on what is
unfinished, or by the last minutes of each desk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, Max, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from accounts.models import AuditPending, Tenant
from accounts.tenancy import all_tenants
from config.health.remembered import Remembered
from notifications.enums import State
from notifications.models import Notification
from signals.models import Signal
from trading.enums import BreakerState, OrderState
from trading.leases import ALIVE_S, db_now
from trading.models import (
    Breaker,
    ClockReading,
    Decision,
    Heartbeat,
    MarketWatch,
    Order,
    StreamLease,
)

WINDOW: Final = timedelta(minutes=5)
REMEMBERED_S: Final = 5.0
TIMED_ORDERS: Final = 5000
BUCKETS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
UNSENT: Final = (OrderState.NEW, OrderState.READY)
UNFINISHED: Final = (
    *UNSENT,
    OrderState.SENDING,
    OrderState.UNKNOWN,
    OrderState.LIVE,
    OrderState.PARTIALLY_FILLED,
    OrderState.MANUAL,
)
UNDELIVERED: Final = (State.PENDING, State.SENDING, State.FAILED)


@dataclass(frozen=True)
class Asked:
    """When, and of which desks."""

    now: datetime
    desks: list[int]

    @property
    def since(self) -> datetime:
        return self.now - WINDOW


class DomainCollector(Collector):
    """Reads at most once in five seconds; a database that is away leaves these numbers out."""

    def __init__(self) -> None:
        self._remembered = Remembered(read, REMEMBERED_S)

    def collect(self) -> Iterable[Metric]:
        return self._remembered.get()

    def describe(self) -> Iterable[Metric]:
        """Nothing: else registering would read the database before there is one."""
        return []

    def forget(self) -> None:
        self._remembered.forget()


def read() -> list[Metric]:
    try:
        with all_tenants("metrics: numbers of the whole installation"):
            asked = Asked(timezone.now(), list(Tenant.objects.values_list("pk", flat=True)))
            families = [
                *_flow(asked),
                *_unfinished(asked),
                *_told(asked),
                *_safety(),
                *_processes(),
            ]
            return [*families, _gauge("up", "Whether the database could be read.", 1)]
    except Exception:  # noqa: BLE001 - a scrape says so, and must not fail
        return [_gauge("up", "Whether the database could be read.", 0)]


def _flow(asked: Asked) -> Iterator[Metric]:
    recent = {"tenant__in": asked.desks}
    signals = Signal.objects.filter(received_at__gte=asked.since, **recent)
    yield _by("signals_5m", "Signals of the last 5 minutes.", "status", signals)
    decisions = Decision.objects.filter(decided_at__gte=asked.since, **recent)
    yield _by("decisions_5m", "Decisions of the last 5 minutes.", "outcome", decisions)
    orders = Order.objects.filter(created_at__gte=asked.since, **recent)
    yield _by("orders_5m", "Orders made in the last 5 minutes.", "state", orders)
    yield _latency(orders)


def _unfinished(asked: Asked) -> Iterator[Metric]:
    orders = Order.objects.filter(state__in=UNFINISHED).order_by()
    found = {
        row["state"]: row
        for row in orders.values("state").annotate(n=Count("pk"), oldest=Min("created_at"))
    }
    family = GaugeMetricFamily(
        "copydesk_orders_unfinished", "Orders that are not final.", labels=["state"]
    )
    for state in UNFINISHED:
        family.add_metric([state], found[state]["n"] if state in found else 0)
    yield family
    yield _age("orders_unknown_oldest_seconds", asked, found, (OrderState.UNKNOWN,))
    yield _age("orders_unsent_oldest_seconds", asked, found, UNSENT)
    waiting = Signal.objects.waiting().order_by().aggregate(n=Count("pk"), at=Min("received_at"))
    yield _gauge("signals_waiting", "Accepted signals that are not copied.", waiting["n"])
    yield _gauge(
        "signals_waiting_oldest_seconds", "Age of the oldest.", _seconds(asked.now, waiting["at"])
    )


def _told(asked: Asked) -> Iterator[Metric]:
    rows = Notification.objects.filter(state__in=UNDELIVERED)
    yield _by("notifications_undelivered", "Messages that did not leave yet.", "state", rows)
    given_up = Notification.objects.filter(
        state=State.GIVEN_UP, tenant__in=asked.desks, created_at__gte=asked.now - timedelta(days=1)
    )
    yield _gauge("notifications_given_up_24h", "Messages of a day given up.", given_up.count())
    yield _gauge("diary_untold", "Diary entries nobody was told of.", AuditPending.objects.count())


def _safety() -> Iterator[Metric]:
    rows = Breaker.objects.exclude(state=BreakerState.CLOSED)
    yield _by("breakers_open", "Breakers that are not closed.", "cause", rows)
    now = db_now()
    offsets = GaugeMetricFamily(
        "copydesk_clock_offset_seconds",
        "The exchange's clock less ours, at worst.",
        labels=["market"],
    )
    worst: dict[str, int] = {}
    readings = ClockReading.objects.filter(read_at__gte=now - timedelta(minutes=3))
    for market, offset in readings.values_list("market", "offset_ms"):
        worst[market] = max(worst.get(market, 0), offset, key=abs)
    for market, offset in sorted(worst.items()):
        offsets.add_metric([market], offset / 1000)
    yield offsets
    ages = GaugeMetricFamily(
        "copydesk_exchange_status_age_seconds",
        "Since the announcements were read.",
        labels=["market"],
    )
    for watch in MarketWatch.objects.order_by("market"):
        ages.add_metric([watch.market], _seconds(now, watch.read_at))
    yield ages


def _processes() -> Iterator[Metric]:
    now = db_now()
    ages = GaugeMetricFamily(
        "copydesk_heartbeat_age_seconds", "Since the last sign of life.", labels=["kind"]
    )
    alive = GaugeMetricFamily("copydesk_processes_alive", "Processes heard of.", labels=["kind"])
    since = now - timedelta(seconds=ALIVE_S)
    newest = dict(Heartbeat.objects.order_by().values_list("kind").annotate(at=Max("beat_at")))
    living = dict(
        Heartbeat.objects.filter(beat_at__gte=since)
        .order_by()
        .values_list("kind")
        .annotate(n=Count("pk"))
    )
    for kind, at in sorted(newest.items()):
        ages.add_metric([kind], _seconds(now, at))
        alive.add_metric([kind], living.get(kind, 0))
    yield from (ages, alive)
    leases = StreamLease.objects.order_by()
    sockets = GaugeMetricFamily("copydesk_sockets", "Private sockets.", labels=["state"])
    held = leases.filter(until__gt=now).values_list("state").annotate(n=Count("pk"))
    for state, count in sorted(held):
        sockets.add_metric([state], count)
    sockets.add_metric(["lapsed"], leases.exclude(until__gt=now).count())
    yield sockets


def _latency(orders: Any) -> Metric:
    """From a signal's arrival to the exchange's acknowledgment."""
    acked = orders.filter(acked_at__isnull=False).order_by()
    pairs = acked.values_list("acked_at", F("signal__received_at"))[:TIMED_ORDERS]
    seconds = [(acked_at - received_at).total_seconds() for acked_at, received_at in pairs]
    buckets = [(str(limit), sum(s <= limit for s in seconds)) for limit in BUCKETS]
    family = HistogramMetricFamily(
        "copydesk_latency_5m_seconds",
        "Signal received to order acknowledged, of the orders made in the last 5 minutes.",
    )
    family.add_metric([], [*buckets, ("+Inf", len(seconds))], sum(seconds))
    return family


def _by(name: str, text: str, label: str, rows: Any) -> Metric:
    family = GaugeMetricFamily(f"copydesk_{name}", text, labels=[label])
    counted = rows.order_by().values_list(label).annotate(n=Count("pk"))
    for value, count in sorted(counted):
        family.add_metric([value], count)
    return family


def _age(name: str, asked: Asked, found: dict[str, Any], states: Iterable[str]) -> Metric:
    oldest = min((found[s]["oldest"] for s in states if s in found), default=None)
    return _gauge(name, "Age of the oldest.", _seconds(asked.now, oldest))


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"copydesk_{name}", text, value=value)


def _seconds(now: datetime, at: datetime | None) -> float:
    return 0.0 if at is None else max(0.0, (now - at).total_seconds())


domain: Final = DomainCollector()


def register() -> None:
    """Add these numbers to those of the process. May be repeated."""
    if domain not in REGISTRY._collector_to_names:  # noqa: SLF001 - it offers no question
        REGISTRY.register(domain)
