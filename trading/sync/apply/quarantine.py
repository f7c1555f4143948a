"""News that cannot be believed or read: set aside, counted by kind, the last one kept."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from trading.leases import db_now
from trading.models import QuarantinedReport

UNKNOWN_INSTRUMENT = "unknown instrument"
OLDER = "older"


def quarantine(account: ExchangeAccount, kind: str, reason: str, excerpt: str = "") -> None:
    """Count one report that was not applied. `reason` comes from a small set of words."""
    with tenant_scope(account.tenant_id), transaction.atomic():
        set_aside(account, kind, reason, excerpt, now=db_now())


def set_aside(
    account: ExchangeAccount, kind: str, reason: str, excerpt: str, *, now: datetime
) -> None:
    identity = {"account": account, "kind": kind[:40], "reason": reason[:200]}
    if _count(identity, excerpt, now):
        return
    try:
        with transaction.atomic():
            QuarantinedReport.objects.create(
                **identity, excerpt=excerpt[:500], first_at=now, last_at=now
            )
    except IntegrityError:
        _count(identity, excerpt, now)  # another process was first


def _count(identity: dict[str, object], excerpt: str, now: datetime) -> int:
    rows = QuarantinedReport.objects.filter(**identity)
    return int(rows.update(count=F("count") + 1, excerpt=excerpt[:500], last_at=now))
