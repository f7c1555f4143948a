"""How a leader is heard: noted on its row, and told to people when it must be known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from signals.enums import LeaderLink
from signals.models import LeaderAccount, LeaderTrade
from trading.leases import db_now
from trading.models import LeaderLease

GOOD = frozenset({LeaderLink.CONNECTED, LeaderLink.POLLING})
BAD = frozenset({LeaderLink.STALE, LeaderLink.ERROR})
# A streams process renews what it keeps every two seconds, and another takes over after ten.
UNKEPT_FOR = timedelta(seconds=30)
NEW_FOR = timedelta(seconds=60)
KEPT = timedelta(days=30)
AT_ONCE = 5000


def change_link(leader: LeaderAccount, link: LeaderLink, reason: str) -> None:
    """In a transaction that holds the row. Repeating it changes nothing."""
    before = LeaderLink(leader.link)
    if before == link and leader.link_reason == reason[:200]:
        return
    now = db_now()
    values: dict[str, Any] = {"link": link, "link_reason": reason[:200]}
    if before != link:
        values["link_since"] = now
    if reason:
        values |= {"last_error": reason[:300], "last_error_at": now}
    LeaderAccount.objects.filter(pk=leader.pk).update(**values)
    if link == before or not (link in BAD or (before in BAD and link in GOOD)):
        return
    audit.record(
        action=f"leader.{'heard' if link in GOOD else link.value}",
        obj=leader,
        before={"link": before.value},
        after={"link": link.value},
        level=AuditLevel.NOTICE if link in GOOD else AuditLevel.WARNING,
        reason=reason[:300],
    )


def find_unkept() -> int:
    """Mark the leaders whose socket no process keeps: nobody else can say so. How many."""
    now = db_now()
    with all_tenants("leaders of every desk that nobody listens to"):
        watched = LeaderAccount.objects.watched().exclude(link__in=BAD).order_by()
        kept = LeaderLease.objects.filter(until__gte=now - UNKEPT_FOR)
        silent = watched.exclude(pk__in=kept.values("account_id"))
        silent = silent.filter(verified_at__lt=now - NEW_FOR)
        ids = list(silent.values_list("pk", "tenant_id"))
    for leader_id, tenant_id in ids:
        with tenant_scope(tenant_id), transaction.atomic():
            LeaderAccount.objects.select_for_update().only("id").get(pk=leader_id)
            leader = LeaderAccount.objects.select_related("source").get(pk=leader_id)
            change_link(leader, LeaderLink.STALE, "no streams process keeps its socket")
    return len(ids)


def forget_old_trades() -> int:
    """Delete trades that no push and no reading can bring up again, a few at a time."""
    with all_tenants("old trades of every desk's leaders"):
        old = LeaderTrade.objects.filter(traded_at__lt=db_now() - KEPT).order_by()
        ids = list(old.values_list("id", flat=True)[:AT_ONCE])
        return int(LeaderTrade.objects.filter(id__in=ids).delete()[0]) if ids else 0
