"""The rows of a flatten: made, claimed by one process at a time, and written down."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts import audit
from accounts.enums import AuditLevel
from trading.enums import FlattenStep
from trading.execution.flatten.reach import Reach
from trading.leases import db_now
from trading.models import FlattenAccount, FlattenRun
from trading.transition import retried

# Who dies is followed soon, since who lives holds on to what it claimed. Who is only slow is told
# by the version that it was outrun.
CLAIM = timedelta(seconds=3)
AT_ONCE = 50
KEPT = 40
STUCK_AFTER = timedelta(seconds=60)
RESTING = (FlattenStep.FLAT, FlattenStep.MANUAL)


class OutrunError(RuntimeError):
    """Another process has the row by now: what was seen here no longer counts."""


def enroll(run: FlattenRun) -> int:
    """A row for every account that the run reaches and has none yet. Safe to run twice at once."""
    known = FlattenAccount.objects.filter(run=run).values("account_id")
    now = db_now()
    made = 0
    for account in Reach.of(run.state).accounts().exclude(pk__in=known)[:1000]:
        row = FlattenAccount(
            tenant_id=account.tenant_id,
            run=run,
            account=account,
            started_at=now,
            step_at=now,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            continue
        made += 1
    return made


def claim_due(limit: int = AT_ONCE, beside: Collection[int] = ()) -> list[FlattenAccount]:
    """Rows of runs that go on, each for this process alone, for a while; none of `beside`."""
    now = db_now()
    rows = (
        FlattenAccount.objects.filter(run__ended_at__isnull=True)
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=now))
        .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
        .exclude(pk__in=beside)
        .select_related("account__customer", "tenant", "run__state__strategy", "run__started_by")
        .order_by("not_before", "pk")[:limit]
    )
    return [row for row in rows if _claim(row, now)]


def is_busy() -> bool:
    """Is any account still on its way to flat?"""
    rows = FlattenAccount.objects.filter(run__ended_at__isnull=True)
    return bool(rows.exclude(step__in=RESTING).exists())


@retried
def _claim(row: FlattenAccount, now: datetime) -> bool:
    taken: int = FlattenAccount.objects.filter(pk=row.pk, version=row.version).update(
        lease_until=now + CLAIM, version=row.version + 1
    )
    if taken:
        row.version += 1
    return taken == 1


@retried
def hold_on(rows: Sequence[FlattenAccount]) -> None:
    """Claim these for another while, but for those that another process has by now."""
    mine = Q()
    for row in rows:
        mine |= Q(pk=row.pk, version=row.version)
    if rows:
        FlattenAccount.objects.filter(mine).update(lease_until=db_now() + CLAIM)


def write(row: FlattenAccount, step: FlattenStep, now: datetime, **columns: Any) -> None:
    """Let the row go at its next step. In a transaction; raises OutrunError when it was taken.

    The row in hand stays as it was read: a transaction may have to be run again.
    """
    columns.setdefault("problem", "")
    # Out of a batch nobody is behind: a row without `not_before` is due at once.
    columns.setdefault("not_before", now)
    if step != row.step or columns.get("leg", row.leg) != row.leg:
        columns |= {"step_at": now, "history": _history(row, step, now, columns)}
    if step != row.step and step == FlattenStep.FLAT:
        columns["flat_at"] = now
    written = FlattenAccount.objects.filter(pk=row.pk, version=row.version).update(
        step=step, lease_until=None, version=row.version + 1, **columns
    )
    if written != 1:
        raise OutrunError(f"flatten of account {row.account_id}")


def alert_if_stuck(row: FlattenAccount, now: datetime, problem: str = "") -> None:
    """A person hears once of an account that does not become flat. In a transaction."""
    if row.alerted_at is not None or now - row.started_at < STUCK_AFTER or row.step in RESTING:
        return
    FlattenAccount.objects.filter(pk=row.pk).update(alerted_at=now)
    tell(row, "flatten.account_stuck", AuditLevel.CRITICAL, problem or row.problem)


def tell(
    row: FlattenAccount,
    action: str,
    level: AuditLevel,
    reason: str = "",
    remaining: Sequence[Any] = (),
) -> None:
    names = [position["inst_id"] for position in remaining or row.remaining]
    audit.record(
        action=action,
        obj=row.account,
        level=level,
        after={"round": row.round, "open": ", ".join(names)},
        reason=reason or row.run.reason,
        tenant=row.tenant_id,
    )


def _history(
    row: FlattenAccount, step: FlattenStep, now: datetime, columns: dict[str, Any]
) -> list[Any]:
    line = [now.isoformat(), step.value, columns.get("round", row.round), columns["problem"]]
    return [*row.history, line][-KEPT:]
