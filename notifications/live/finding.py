"""Whom a change concerns: from ids to what each audience is told. Runs over all desks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from accounts.enums import AuditLevel
from accounts.models import AuditEntry, Membership
from customers.models import ExchangeAccount
from notifications.enums import Stream
from notifications.live.audiences import STAFF, customer_audience, desk_group, user_group
from signals.models import Signal
from trading.models import Decision, Order

ASKED_AT_ONCE = 500
LOUD = (AuditLevel.WARNING, AuditLevel.CRITICAL)


class Source(StrEnum):
    """What kind of ids a nudge carries."""

    SIGNALS = "signals"
    ORDERS = "orders"
    ACCOUNTS = "accounts"
    ENTRIES = "entries"


@dataclass(frozen=True, slots=True)
class Told:
    """One audience should look at one object again."""

    tenant_id: int
    audience: str
    stream: Stream
    kind: str
    object_id: str


Ids = Mapping[Source, Collection[Any]]


def concerned(ids: Ids) -> list[Told]:
    """What each audience is told of these changes; ids that are gone tell nobody anything."""
    finders = {
        Source.SIGNALS: _signals,
        Source.ORDERS: _orders,
        Source.ACCOUNTS: _accounts,
        Source.ENTRIES: _entries,
    }
    found: dict[Told, None] = {}
    for source, finder in finders.items():
        for some in _chunks(ids.get(source, ())):
            found |= dict.fromkeys(finder(some))
    return list(found)


def asked_who_they_are(entry_ids: Collection[Any]) -> set[str]:
    """The groups of sockets whose people's rights these diary entries are about."""
    groups: set[str] = set()
    for some in _chunks(entry_ids):
        rows = AuditEntry.objects.filter(pk__in=some, object_type__startswith="accounts.")
        about = list(rows.order_by().values_list("object_type", "object_id"))
        tenants = [int(key) for kind, key in about if kind == "accounts.tenant"]
        groups |= {desk_group(tenant_id) for tenant_id in tenants}
        people = Membership.objects.filter(
            pk__in=[int(key) for kind, key in about if kind == "accounts.membership"]
        ) | Membership.objects.filter(
            user_id__in=[int(key) for kind, key in about if kind == "accounts.user"]
        )
        if about:
            pairs = people.order_by().values_list("tenant_id", "user_id")
            groups |= {user_group(tenant_id, user_id) for tenant_id, user_id in pairs}
    return groups


def _signals(ids: list[Any]) -> Iterator[Told]:
    rows = Signal.objects.filter(pk__in=ids).order_by().values_list("pk", "tenant_id")
    for pk, tenant_id in rows:
        yield Told(tenant_id, STAFF, Stream.SIGNALS, "signal", str(pk))
    decided = Decision.objects.filter(signal_id__in=ids).order_by()
    for pk, tenant_id, customer_id in decided.values_list(
        "signal_id", "tenant_id", "account__customer_id"
    ):
        audience = customer_audience(customer_id)
        yield Told(tenant_id, audience, Stream.SIGNALS, "signal", str(pk))


def _orders(ids: list[Any]) -> Iterator[Told]:
    rows = Order.objects.filter(pk__in=ids).order_by()
    for pk, tenant_id, customer_id in rows.values_list("pk", "tenant_id", "account__customer_id"):
        yield from _both(tenant_id, customer_id, Stream.ORDERS, "order", str(pk))


def _accounts(ids: list[Any]) -> Iterator[Told]:
    rows = ExchangeAccount.objects.filter(pk__in=ids).order_by()
    for pk, tenant_id, customer_id in rows.values_list("pk", "tenant_id", "customer_id"):
        yield from _both(tenant_id, customer_id, Stream.POSITIONS, "account", str(pk))
        yield from _both(tenant_id, customer_id, Stream.EQUITY, "account", str(pk))


def _entries(ids: list[Any]) -> Iterator[Told]:
    rows = AuditEntry.objects.filter(pk__in=ids, level__in=LOUD, tenant__isnull=False)
    for pk, tenant_id in rows.order_by().values_list("pk", "tenant_id"):
        yield Told(tenant_id, STAFF, Stream.ATTENTION, "alert", str(pk))


def _both(
    tenant_id: int, customer_id: int, stream: Stream, kind: str, object_id: str
) -> Iterator[Told]:
    for audience in (STAFF, customer_audience(customer_id)):
        yield Told(tenant_id, audience, stream, kind, object_id)


def _chunks(ids: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(ids)
    while some := list(islice(rest, ASKED_AT_ONCE)):
        yield some
