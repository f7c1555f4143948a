"""Audits are kept for a while, and people are told when one is not clean."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from trading.auditing.facts import Finding, Note
from trading.auditing.run import Report, audit_desks
from trading.leases import db_now, single_flight
from trading.models import LedgerAudit

KEPT: Final = timedelta(days=90)
_LEASE_S: Final = 3600


@single_flight("audit_ledger", _LEASE_S)
def audit_all() -> int:
    """The daily audit: every desk, each with a row of its own. Returns how many were not clean."""
    unclean = 0
    for report in audit_desks():
        keep(report)
        unclean += not report.is_clean
    forget_old_audits()
    return unclean


@transaction.atomic
def keep(report: Report, *, account_id: int | None = None) -> LedgerAudit:
    """Write the report down; what is not clean goes into the diary, and so to people."""
    with tenant_scope(report.tenant_id):
        row: LedgerAudit = LedgerAudit.objects.create(
            account_id=account_id,
            since=report.since,
            accounts=report.accounts,
            orders=report.orders,
            fills=report.fills,
            signals=report.signals,
            is_clean=report.is_clean,
            finding_count=report.counts.total(),
            counts={str(promise): count for promise, count in sorted(report.counts.items())},
            findings=[plain(finding) for finding in report.findings],
            in_flight_count=report.in_flight_count,
            in_flight=[plain(note) for note in report.in_flight],
            unseen_count=report.unseen_count,
            unseen=[plain(note) for note in report.unseen],
            unread=[plain(note) for note in report.unread],
            started_at=report.started_at,
            finished_at=report.finished_at,
        )
        if not report.is_clean:
            audit.record(
                action="audit.not_clean",
                obj=row,
                level=AuditLevel.CRITICAL,
                after={"findings": row.counts},
                reason=report.findings[0].detail[:300],
            )
        elif report.unread:
            audit.record(
                action="audit.not_seen",
                obj=row,
                level=AuditLevel.WARNING,
                after={"accounts": len(report.unread)},
                reason=report.unread[0].detail[:300],
            )
    return row


def forget_old_audits(before: datetime | None = None) -> int:
    """Delete audits nobody asks for any more."""
    with all_tenants("audits of every desk grow old"):
        old = LedgerAudit.objects.filter(started_at__lt=before or db_now() - KEPT).order_by()
        ids = list(old.values_list("pk", flat=True)[:1000])
        return int(LedgerAudit.objects.filter(pk__in=ids).delete()[0]) if ids else 0


def plain(found: Finding | Note) -> dict[str, Any]:
    """As JSON holds it: ids as text, nothing that is empty."""
    values = asdict(found)
    return {
        name: value if isinstance(value, int) else str(value)
        for name, value in values.items()
        if value is not None
    }
