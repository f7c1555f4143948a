"""What changes about listed instruments: their rules by version, and when they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel
from accounts.models import AuditEntry
from accounts.tenancy import all_tenants, tenant_scope
from trading.leases import db_now
from trading.market_news import tell_market
from trading.models import Instrument, InstrumentVersion, Position

# Orders are sized and priced by these.
RULES: Final = (
    "contract_value", "lot_size", "tick_size", "min_size", "max_market_size",
)  # fmt: skip
SOON: Final = timedelta(days=1)
ANNOUNCED, LAST_DAY = "announced", "last_day"


@dataclass(frozen=True, slots=True)
class Before:
    """An instrument as it was listed until now."""

    rules: Mapping[str, Decimal | None]
    expires_at: datetime | None
    since: datetime


def before_of(row: Instrument) -> Before:
    rules = {name: getattr(row, name) for name in RULES}
    return Before(rules, row.expires_at, row.updated_at)


def write_versions(changed: Sequence[tuple[Before, Instrument]], now: datetime) -> int:
    """Keep what was valid until now beside what is from now on. Runs in the writing transaction.

    The first change of an instrument also writes down what it was before.
    """
    moved = [(was, row) for was, row in changed if was.rules != before_of(row).rules]
    for was, row in moved:
        open_ = InstrumentVersion.objects.filter(instrument=row, valid_until=None)
        if not open_.update(valid_until=now):
            InstrumentVersion.objects.create(
                instrument=row, valid_from=was.since, valid_until=now, **was.rules
            )
        rules = before_of(row).rules
        InstrumentVersion.objects.create(instrument=row, valid_from=now, **rules)
        _tell_rules(was, row)
    return len(moved)


def _tell_rules(was: Before, row: Instrument) -> None:
    """A contract that is worth another amount makes every size mean something else."""
    names = [name for name in RULES if getattr(row, name) != was.rules[name]]
    words = ", ".join(f"{name} {_text(was.rules[name])} → {_text(getattr(row, name))}"
                      for name in names)  # fmt: skip
    level = AuditLevel.WARNING if "contract_value" in names else AuditLevel.NOTICE
    tell_market(
        row.market,
        "instrument.changed",
        level=level,
        reason=f"{row.inst_id}: {words}",
        after={"instrument": row.inst_id},
        obj=row,
    )


def watch_delistings() -> int:
    """Tell each desk of its positions in what is announced to end: once, and on the last day."""
    with all_tenants("positions in instruments that end"):
        ending = Instrument.objects.filter(expires_at__isnull=False)
        ends = {(row.market, row.inst_id): row for row in ending}
        held = Position.objects.exclude(quantity=0).filter(
            inst_id__in={inst_id for _, inst_id in ends}
        )
        places = set(held.values_list("tenant_id", "account__market", "inst_id").order_by())
    now = db_now()
    told = 0
    for tenant_id, market, inst_id in sorted(places):
        row = ends.get((market, inst_id))
        if row is not None and row.expires_at is not None:
            told += _tell_end(tenant_id, row, row.expires_at, now)
    return told


@transaction.atomic
def _tell_end(tenant_id: int, row: Instrument, ends_at: datetime, now: datetime) -> bool:
    stage = LAST_DAY if ends_at - now <= SOON else ANNOUNCED
    said = {"market": row.market, "instrument": row.inst_id, "ends_at": ends_at.isoformat()}
    with tenant_scope(tenant_id):
        known = AuditEntry.objects.filter(
            action="instrument.delisting", object_type="trading.instrument", object_id=str(row.pk)
        )
        if any(entry.after == {**said, "stage": stage} for entry in known):
            return False
        audit.record(
            action="instrument.delisting",
            obj=row,
            level=AuditLevel.CRITICAL if stage == LAST_DAY else AuditLevel.WARNING,
            after={**said, "stage": stage},
            reason=f"{row.inst_id}: {ends_at:%Y-%m-%d %H:%M} UTC",
            tenant=tenant_id,
        )
    return True


def _text(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else "—"
