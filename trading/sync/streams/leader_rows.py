"""What the streams process reads and writes of leaders. Runs in threads."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts.tenancy import all_tenants, tenant_scope
from signals.enums import LeaderLink
from signals.models import LeaderAccount
from strategies.models import Subscription
from trading.endpoints import keys_of
from trading.exchange.types import Credentials
from trading.leases import claim_streams, db_now, fair_capacity, release_streams
from trading.models import LeaderLease
from trading.sync.leaders.linking import change_link


@dataclass(frozen=True, slots=True)
class WatchedLeader:
    """A leader whose socket is ours to keep, with the key that is its at the moment."""

    leader_id: int
    tenant_id: int
    market: str
    key_version: int


def take_leaders(
    owner: uuid.UUID, markets: frozenset[str], *, copies: int, seconds: float
) -> tuple[WatchedLeader, ...]:
    """Renew what this copy keeps, take its share of the others, and say which they are."""
    with all_tenants("streams: one process keeps the sockets of every desk's leaders"):
        rows = LeaderAccount.objects.watched().order_by()
        everyone = rows.values_list("pk", "tenant_id", "source__market", "key_version")
        wanted = {row[0]: WatchedLeader(*row) for row in everyone if row[2] in markets}
    if not wanted and not LeaderLease.objects.filter(owner=owner).exists():
        return ()
    capacity = fair_capacity(len(wanted), copies)
    held = claim_streams(owner, wanted, seconds=seconds, capacity=capacity, rows=LeaderLease)
    return tuple(wanted[leader_id] for leader_id in sorted(held))


def mirrored(leader_ids: Collection[int]) -> frozenset[int]:
    """Those of them whose followers take over what becomes of their stops."""
    if not leader_ids:
        return frozenset()
    with all_tenants("streams: one process keeps the sockets of every desk's leaders"):
        links = Subscription.objects.mirroring().order_by()
        of_source = links.filter(strategy__source_links__source=OuterRef("source"))
        found = LeaderAccount.objects.filter(Exists(of_source), pk__in=leader_ids)
        return frozenset(found.order_by().values_list("pk", flat=True))


def leave_leaders(owner: uuid.UUID) -> None:
    release_streams(owner, rows=LeaderLease)


@dataclass(frozen=True, slots=True)
class Beginning:
    keys: Credentials
    was_read: bool


def begin_leader(watched: WatchedLeader) -> Beginning:
    """The key for a socket that is about to be opened, and whether it was ever read. Raises
    NoKey."""
    with tenant_scope(watched.tenant_id):
        leader = LeaderAccount.objects.get(pk=watched.leader_id)
        return Beginning(keys_of(leader, purpose="streams"), leader.snapshot_at is not None)


def mark_leader(watched: WatchedLeader, link: LeaderLink, reason: str = "") -> None:
    """Note how a leader is heard. What people must know of goes into the diary, once."""
    with tenant_scope(watched.tenant_id):
        rows = LeaderAccount.objects.filter(pk=watched.leader_id).order_by()
        if rows.values_list("link", "link_reason").first() == (link, reason[:200]):
            return
    with tenant_scope(watched.tenant_id), transaction.atomic():
        LeaderAccount.objects.select_for_update().only("id").get(pk=watched.leader_id)
        leader = LeaderAccount.objects.select_related("source").get(pk=watched.leader_id)
        if leader.key_version == watched.key_version:
            change_link(leader, link, reason)


def note_error(watched: WatchedLeader, words: str) -> None:
    """A reading failed. That alone says nothing of the leader."""
    with tenant_scope(watched.tenant_id):
        LeaderAccount.objects.filter(pk=watched.leader_id).update(
            last_error=words[:300], last_error_at=db_now()
        )
