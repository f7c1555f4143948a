"""What the exchange announces about itself, and what follows: openings wait until it is over.

Openings stop a while before trading does, and go on only after every account of the market has
been read again. What cannot be asked freezes nothing by itself: a plan that is known holds for
the time it names.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q

from accounts.enums import AuditLevel
from accounts.models import AuditEntry
from accounts.tenancy import all_tenants
from customers.enums import Market
from customers.models import ExchangeAccount
from trading.breakers import Place, close_breaker, open_breaker
from trading.endpoints import endpoint_of_market
from trading.enums import BreakerCause, BreakerState, MaintenanceState
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import SystemStatusReport
from trading.leases import db_now, job_lease
from trading.market_news import tell_market
from trading.models import Breaker, Maintenance, MarketWatch, ReconcileRun
from trading.models.exchange_status import PLANNED
from trading.sync.reconcile import reconcile_accounts

logger = logging.getLogger(__name__)

# Trading as a whole, by groups of accounts, and by groups of products. Not: sockets, block and
# spread trading, bots, copy trading, others.
TRADING_SERVICES = frozenset({"5", "8", "9"})
ENVIRONMENTS = {Market.DEMO: "2", Market.SIMULATOR: ""}
READ_S = 10  # the door keeps to one question in five seconds
FRESH = timedelta(minutes=5)
AT_ONCE = 40
MOST_TRIES = 3
CAUSE = "maintenance"
# Alerts that maintenance explains: they stay in the diary, and are counted when it is over.
EXPLAINED = ("order.unknown", "breaker.opened")
_LEASE_S = 55
_BUDGET_S = 40.0


def watch_markets() -> int:
    """Read the announcements of every market in use and act on them; how many were read.

    One process at a time; the others return 0 at once.
    """
    with job_lease("watch_markets", _LEASE_S) as held:
        if not held:
            return 0
        with all_tenants("announcements concern every desk in a market"):
            accounts = ExchangeAccount.objects.streamed().order_by()
            used = set(accounts.values_list("market", flat=True))
            markets = sorted(used & set(settings.MARKETS))
            read = sum(_read(market) for market in markets)
            for market in markets:
                freeze_or_thaw(market)
    return read


def _read(market: str) -> bool:
    now = db_now()
    try:
        client = client_for(endpoint_of_market(market))
        reports = exchange_loop().run(client.fetch_system_status(), timeout=READ_S)
    except (ExchangeError, TimeoutError) as error:
        words = (str(error) or type(error).__name__)[:200]
        logger.warning("The status of %s could not be read: %s", market, words)
        MarketWatch.objects.update_or_create(
            market=market, defaults={"tried_at": now, "error": words}
        )
        return False
    apply_announcements(market, reports)
    return True


@transaction.atomic
def apply_announcements(market: str, reports: Sequence[SystemStatusReport]) -> None:
    """Write what the market lists; news goes into the diaries once."""
    now = db_now()
    wanted = ENVIRONMENTS.get(Market(market), "1")
    listed = {
        _identity(market, report): report
        for report in reports
        if not wanted or report.environment in ("", wanted)
    }
    known = {row.identity: row for row in Maintenance.objects.filter(market=market)}
    for identity, report in listed.items():
        _write(market, identity, report, known.get(identity), now)
    for identity, row in known.items():
        if identity not in listed and row.state in PLANNED:
            began = row.begins_at <= now
            row.state = MaintenanceState.COMPLETED if began else MaintenanceState.GONE
            row.save(update_fields=["state"])
    MarketWatch.objects.update_or_create(
        market=market, defaults={"read_at": now, "tried_at": now, "error": ""}
    )


def _identity(market: str, report: SystemStatusReport) -> str:
    parts = (market, report.service_type, report.title, report.begins_at.isoformat())
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _write(
    market: str,
    identity: str,
    report: SystemStatusReport,
    known: Maintenance | None,
    now: datetime,
) -> None:
    row = known or Maintenance(market=market, identity=identity)
    row.title = report.title[:300]
    row.state = report.state if report.state in MaintenanceState else MaintenanceState.SCHEDULED
    row.service_type = report.service_type[:8]
    row.stops_trading = report.service_type in TRADING_SERVICES
    row.begins_at, row.ends_at = report.begins_at, report.ends_at
    row.link = report.link[:300]
    row.seen_at = now
    row.save()
    if known is None and row.stops_trading and row.state in PLANNED:
        tell_market(
            market,
            "maintenance.announced",
            level=AuditLevel.WARNING,
            reason=row.title,
            after=_times(row),
        )


def _times(row: Maintenance) -> dict[str, str]:
    ends = row.ends_at.isoformat() if row.ends_at else ""
    return {"begins_at": row.begins_at.isoformat(), "ends_at": ends}


def freeze_or_thaw(market: str) -> None:
    """Openings stop while maintenance is near or going on, and until the accounts were read."""
    now = db_now()
    row = (
        Breaker.objects.filter(market=market, cause=BreakerCause.MAINTENANCE, account__isnull=True)
        .exclude(state=BreakerState.CLOSED)
        .first()
    )
    covering = covering_maintenance(market, now)
    if covering is not None:
        if row is None:
            open_breaker(Place(market), BreakerCause.MAINTENANCE, covering.title)
        elif row.state == BreakerState.HALF_OPEN:
            Breaker.objects.filter(pk=row.pk, state=row.state).update(
                state=BreakerState.OPEN, probe_at=None
            )
        return
    if row is None:
        return
    if row.state == BreakerState.OPEN:
        Breaker.objects.filter(pk=row.pk, state=row.state).update(
            state=BreakerState.HALF_OPEN, probe_at=now
        )
        row.state, row.probe_at = BreakerState.HALF_OPEN, now
    if read_everybody(market, row.probe_at or now):
        _thaw(row)


def covering_maintenance(market: str, now: datetime) -> Maintenance | None:
    """The maintenance that stops openings now, if any."""
    lead = timedelta(seconds=settings.MAINTENANCE_LEAD_S)
    watch = MarketWatch.objects.filter(market=market).first()
    fresh = watch is not None and watch.read_at is not None and now - watch.read_at <= FRESH
    planned = Maintenance.objects.filter(market=market, state__in=PLANNED, stops_trading=True)
    for row in planned.order_by("begins_at"):
        if row.covers(now, lead) and (fresh or row.ends_at is None or now < row.ends_at):
            return row
    return None


def read_everybody(market: str, since: datetime) -> bool:
    """Reconcile every account of the market anew, once a round; True when that is done.

    One that cannot be read in three rounds holds up nobody else: its runs say so. While none
    can be read, the exchange is not back.
    """
    until, begun = time.monotonic() + _BUDGET_S, db_now()
    while ids := [pk for pk, _tried in _unread(market, since, begun)[:AT_ONCE]]:
        reconcile_accounts(ids, cause=CAUSE)
        if time.monotonic() > until:
            return False
    left = list(_unread(market, since, None))
    if not left:
        return True
    everybody = ExchangeAccount.objects.streamed().filter(market=market).count()
    return len(left) < everybody and all(tried >= MOST_TRIES for _pk, tried in left)


def _unread(market: str, since: datetime, not_after: datetime | None) -> Any:
    """Accounts without a good reading since then, and how often each was tried."""
    runs = Q(reconcile_runs__cause=CAUSE, reconcile_runs__started_at__gte=since)
    counted = {
        "good": Count("reconcile_runs", filter=runs & Q(reconcile_runs__ok=True)),
        "tried": Count("reconcile_runs", filter=runs),
    }
    rows = ExchangeAccount.objects.streamed().filter(market=market)
    if not_after is not None:
        this_round = ReconcileRun.objects.filter(cause=CAUSE, started_at__gte=not_after)
        rows = rows.exclude(pk__in=this_round.values("account"))
    return rows.annotate(**counted).filter(good=0).order_by("pk").values_list("pk", "tried")


@transaction.atomic
def _thaw(row: Breaker) -> None:
    quieted = AuditEntry.objects.filter(
        at__gte=row.opened_at, action__in=EXPLAINED, level__in=("warning", "critical")
    ).count()
    note = "the accounts were read again"
    if quieted:
        note = f"{note}; {quieted} alerts that it explains are in the diary"
    close_breaker(row, note)
