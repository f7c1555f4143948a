"""Decide signals of the past once more and say what would come out otherwise today."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from accounts.models import Tenant
from accounts.tenancy import all_tenants, tenant_scope
from signals.models import SignalSource
from strategies.models import Strategy
from trading.copying.replay import Replayed, Verdict, names_of, of_source, replay


class Command(BaseCommand):
    help = (
        "Decide the signals that a source sent in this time once more, by today's code, terms, "
        "limits and switches, and show what differs. Nothing is traded or written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--source", required=True, metavar="NAME", help="name or uid")
        parser.add_argument("--from", required=True, dest="since", metavar="TIME")
        parser.add_argument("--to", required=True, dest="until", metavar="TIME")
        parser.add_argument("--strategy", metavar="NAME", help="followers of this one only")
        parser.add_argument("--tenant", metavar="SLUG", help="needed where desks share the name")
        parser.add_argument("--all", action="store_true", help="also what comes out the same")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        source = _source(options["source"], options["tenant"])
        with tenant_scope(source.tenant_id):
            strategy = _strategy(options["strategy"])
            signals = of_source(source.pk, _time(options["since"]), _time(options["until"]))
            rows = list(replay(signals, strategy_id=strategy.pk if strategy else None))
            shown = [row for row in rows if row.differs or options["all"]]
            names = names_of(shown)
        for row in shown:
            named = str(names.get(row.subscription_id or 0, row.link_uid))
            self.stdout.write(
                json.dumps(_as_json(row, named)) if options["json"] else _line(row, named)
            )
        differing = sum(row.differs for row in rows)
        self.stderr.write(
            f"{len(signals)} signals, {len(rows)} decisions, {differing} would be others today"
        )


def _line(row: Replayed, named: str) -> str:
    signal = row.signal
    steps = "; ".join(f"{name} {was or '-'} -> {now or '-'}" for name, was, now in row.changed)
    return (
        f"{signal.received_at:%Y-%m-%d %H:%M:%S} {signal.inst_id} {signal.intent} "
        f"{signal.direction} | {named} | {_told(row.then)} -> {_told(row.now)}"
        + (f" | {steps}" if steps else "")
    )


def _told(verdict: Verdict | None) -> str:
    if verdict is None:
        return "did not follow"
    reason = f" {verdict.reason}" if verdict.reason else ""
    return f"{verdict.outcome}{reason} {verdict.quantity.normalize():f}"


def _as_json(row: Replayed, named: str) -> dict[str, Any]:
    def side(verdict: Verdict | None) -> dict[str, Any] | None:
        if verdict is None:
            return None
        return {
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "quantity": f"{verdict.quantity:f}",
            "numbers": dict(verdict.numbers),
        }

    return {
        "signal": str(row.signal.pk),
        "subscription": named,
        "link": str(row.link_uid),
        "differs": row.differs,
        "then": side(row.then),
        "now": side(row.now),
    }


def _source(named: str, slug: str | None) -> SignalSource:
    with all_tenants("find the source that is named"):
        rows = SignalSource.objects.select_related("tenant")
        if slug is not None:
            if not Tenant.objects.filter(slug=slug).exists():
                raise CommandError(f"there is no desk {slug!r}")
            rows = rows.filter(tenant__slug=slug)
        found = [row for row in rows.order_by("pk") if named in (row.name, str(row.uid))]
    if len(found) != 1:
        raise CommandError(f"{len(found)} sources are called {named!r}")
    source: SignalSource = found[0]
    return source


def _strategy(named: str | None) -> Strategy | None:
    if named is None:
        return None
    found: Strategy | None = Strategy.objects.filter(name=named).first()
    if found is None:
        raise CommandError(f"there is no strategy {named!r}")
    return found


def _time(text: str) -> datetime:
    """A moment, or the first one of a day; UTC where no offset is said."""
    try:
        day = parse_date(text)
        at = parse_datetime(text) if day is None else datetime(day.year, day.month, day.day)  # noqa: DTZ001 - below
    except ValueError as error:
        raise CommandError(f"{text!r} is no time: {error}") from None
    if at is None:
        raise CommandError(f"{text!r} is no time")
    return at if timezone.is_aware(at) else timezone.make_aware(at, timezone.get_fixed_timezone(0))
