"""Compare our books with the exchange's, and say whether every promise held."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from accounts.models import Tenant
from accounts.tenancy import all_tenants
from customers.models import ExchangeAccount
from trading.auditing import Report, audit_desks, keep, plain

CLEAN, BROKEN, UNSEEN = 0, 1, 2
_MOST_SHOWN = 50


class Command(BaseCommand):
    help = (
        "Check the promises I1 to I10 of the order protocol against the exchange. Only reads. "
        "Ends with 0 when all hold, 1 when one is broken, 2 when something could not be looked at."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="this desk only")
        parser.add_argument("--account", type=int, metavar="ID", help="this exchange account only")
        parser.add_argument("--since", metavar="TIME", help="ISO time; else as far as can be seen")
        parser.add_argument(
            "--settle",
            type=float,
            default=60,
            metavar="SECONDS",
            help="what changed less than this ago may still be on its way",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
        parser.add_argument("--no-store", action="store_true", help="leave no row in the admin")

    def handle(self, *args: Any, **options: Any) -> None:
        account_id = options["account"]
        reports = []
        for report in audit_desks(
            tenant_id=_desk(options["tenant"], account_id),
            account_id=account_id,
            since=_moment(options["since"]),
            settle=timedelta(seconds=options["settle"]),
        ):
            reports.append(report)
            if not options["no_store"]:
                keep(report, account_id=account_id)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(reports)))
        else:
            for report in reports:
                self._show(report)
        if status := _status(reports):
            sys.exit(status)

    def _show(self, report: Report) -> None:
        verdict = "clean" if report.is_clean else f"{report.counts.total()} findings"
        self.stdout.write(
            f"desk {report.tenant_id}: {verdict}; {report.accounts} accounts, "
            f"{report.orders} orders, {report.fills} fills, {report.signals} signals, "
            f"{report.in_flight_count} in flight, {report.unseen_count} not to be seen"
        )
        for finding in report.findings[:_MOST_SHOWN]:
            where = f"account {finding.account_id}" if finding.account_id else "desk"
            order = f", order {finding.order_id}" if finding.order_id else ""
            self.stdout.write(
                f"  {finding.promise} {finding.what} ({where}{order}): {finding.detail}"
            )
        for note in report.unread:
            self.stdout.write(f"  account {note.account_id} could not be looked at: {note.detail}")


def _status(reports: list[Report]) -> int:
    if any(not report.is_clean for report in reports):
        return BROKEN
    return UNSEEN if any(report.unread for report in reports) else CLEAN


def _as_json(reports: list[Report]) -> dict[str, Any]:
    return {
        "status": _status(reports),
        "desks": [
            {
                "tenant": report.tenant_id,
                "clean": report.is_clean,
                "accounts": report.accounts,
                "orders": report.orders,
                "fills": report.fills,
                "signals": report.signals,
                "counts": {str(k): v for k, v in sorted(report.counts.items())},
                "findings": [plain(finding) for finding in report.findings],
                "in_flight_count": report.in_flight_count,
                "in_flight": [plain(note) for note in report.in_flight],
                "unseen_count": report.unseen_count,
                "unseen": [plain(note) for note in report.unseen],
                "unread": [plain(note) for note in report.unread],
            }
            for report in reports
        ],
    }


def _desk(slug: str | None, account_id: int | None) -> int | None:
    if slug:
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            raise CommandError(f"--tenant: there is no desk {slug}")
        return int(tenant.pk)
    if account_id is None:
        return None
    with all_tenants("audit: the desk of an account"):
        account = ExchangeAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise CommandError(f"--account: there is no account {account_id}")
    return int(account.tenant_id)


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        at = parse_datetime(text) or None
        day = None if at else parse_date(text)
    except ValueError as error:
        raise CommandError(f"--since: {error}") from error
    if day is not None:
        at = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware below
    if at is None:
        raise CommandError("--since: an ISO time such as 2026-05-01T08:00:00Z")
    return timezone.make_aware(at) if timezone.is_naive(at) else at
