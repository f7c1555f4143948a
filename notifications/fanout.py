"""From the diary to the outbox: who is told of what, decided once for every entry."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.db import transaction

from accounts.bulk import insert_many
from accounts.fields import hash_identity
from accounts.models import AuditEntry, AuditPending
from accounts.tenancy import all_tenants
from notifications.enums import WEIGHTS, DestinationStatus
from notifications.messages import snapshot
from notifications.models import Destination, Notification, NotificationRule
from notifications.quiet import explained
from trading.leases import single_flight

BATCH = 500
BUDGET_S = 20.0
# Longer than the budget: a worker that is slow is not joined, one that died is followed.
LEASE_S = 60

Found = tuple[Destination, UUID]


class _TakenError(Exception):
    """Somebody else worked on the same entries: undo, and read again."""


@single_flight("fan_out", LEASE_S)
def fan_out(budget_s: float = BUDGET_S) -> int:
    """Write the notifications of all entries that nobody was told of; how many were written.

    Works in batches, each in its own transaction, until nothing is left or the time is over.
    Entries of the installation belong to no desk: they stay in the diary and go to nobody.
    """
    ends_at, made = time.monotonic() + budget_s, 0
    with all_tenants("diary entries of every desk become messages"):
        while time.monotonic() < ends_at:
            done, written = _one_batch()
            made += written
            if done < BATCH:
                break
    return made


def _one_batch() -> tuple[int, int]:
    try:
        with transaction.atomic():
            return _work_off()
    except _TakenError:
        return 0, 0


def _work_off() -> tuple[int, int]:
    """Take a batch off the list and write what comes of it, in the same transaction.

    The rows are deleted first: of two workers one waits for the other here, and then finds
    fewer than it read.
    """
    ids = list(AuditPending.objects.order_by("entry_id").values_list("entry_id", flat=True)[:BATCH])
    if not ids:
        return 0, 0
    deleted, _rows = AuditPending.objects.filter(entry_id__in=ids).delete()
    if deleted != len(ids):
        raise _TakenError
    return len(ids), insert_many(_notifications(ids))


def _notifications(ids: Sequence[UUID]) -> list[Notification]:
    found = list(_wanted(ids))
    if not found:
        return []
    entries = AuditEntry.objects.in_bulk({entry_id for _destination, entry_id in found})
    return [_notification(destination, entries[entry_id]) for destination, entry_id in found]


def _wanted(ids: Sequence[UUID]) -> Iterable[Found]:
    """Who is told of which entry. Reads whole entries of none: most match no rule."""
    rules = _rules()
    if not rules:
        return
    columns = ("id", "tenant_id", "action", "level", "at")
    # By key alone: with the desks named too, a database may walk through all of their diaries.
    rows = AuditEntry.objects.filter(pk__in=ids).order_by("pk")
    quiet = explained(ids)
    for entry_id, tenant_id, action, level, at in rows.values_list(*columns):
        if entry_id in quiet:
            continue
        told: set[int] = set()
        for rule in rules.get(tenant_id or 0, ()):
            since = max(rule.created_at, rule.destination.listens_from)
            if rule.destination_id in told or at < since or not matches(rule, action, level):
                continue
            told.add(rule.destination_id)
            yield rule.destination, entry_id


def _rules() -> Mapping[int, list[NotificationRule]]:
    """Of each desk the rules that count now. A failing destination's messages wait for it."""
    rows = NotificationRule.objects.filter(is_active=True).exclude(
        destination__status=DestinationStatus.PAUSED
    )
    rules: dict[int, list[NotificationRule]] = defaultdict(list)
    for rule in rows.select_related("destination").order_by("pk"):
        rules[rule.tenant_id].append(rule)
    return dict(rules)


def matches(rule: NotificationRule, action: str, level: str) -> bool:
    """Whether a rule asks for entries like this one."""
    if WEIGHTS.get(level, 0) < WEIGHTS[rule.minimum_level]:  # type: ignore[call-overload,index]
        return False
    return not rule.kinds or any(
        action == kind or action.startswith(f"{kind}.") for kind in rule.kinds
    )


def _notification(destination: Destination, entry: AuditEntry) -> Notification:
    return Notification(
        tenant_id=destination.tenant_id,
        destination=destination,
        entry=entry,
        dedup_key=hash_identity(f"{destination.uid}|{entry.pk}"),
        kind=entry.action,
        level=entry.level,
        weight=WEIGHTS.get(entry.level, 0),  # type: ignore[call-overload]
        params=snapshot(entry),
    )
