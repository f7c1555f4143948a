"""Whom a change concerns: from ids to what each audience is told. Runs over all desks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from accounts.enums import AuditLevel
from accounts.models import AuditEntry, Membership
from customers.enums import CustomerStatus
from customers.models import Customer, ExchangeAccount
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


@dataclass(frozen=True, slots=True)
class _Found:
    """The same, before it is known who listens for the customer; None means the staff."""

    tenant_id: int
    customer_id: int | None
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
    found = [
        one
        for source, finder in finders.items()
        for some in _chunks(ids.get(source, ()))
        for one in finder(some)
    ]
    audiences = _audiences({one.customer_id for one in found} - {None})
    told: dict[Told, None] = {}
    for one in found:
        audience = STAFF if one.customer_id is None else audiences.get(one.customer_id)
        if audience:
            told[Told(one.tenant_id, audience, one.stream, one.kind, one.object_id)] = None
    return list(told)


def _audiences(customer_ids: Collection[int | None]) -> dict[int | None, str]:
    """Of customers who have somebody in the portal; a person of several listens as the first."""
    people = Customer.objects.filter(portal_user__isnull=False).order_by("pk")
    people = people.exclude(status=CustomerStatus.ARCHIVED)
    first: dict[tuple[int, int], str] = {}
    found: dict[int | None, str] = {}
    for some in _chunks(customer_ids):
        users = list(people.filter(pk__in=some).values_list("portal_user_id", flat=True))
        rows = people.filter(portal_user_id__in=users)
        for pk, tenant_id, user_id in rows.values_list("pk", "tenant_id", "portal_user_id"):
            found[pk] = first.setdefault((tenant_id, user_id), customer_audience(pk))
    return found


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


def _signals(ids: list[Any]) -> Iterator[_Found]:
    rows = Signal.objects.filter(pk__in=ids).order_by().values_list("pk", "tenant_id")
    for pk, tenant_id in rows:
        yield _Found(tenant_id, None, Stream.SIGNALS, "signal", str(pk))
    decided = Decision.objects.filter(signal_id__in=ids).order_by()
    for pk, tenant_id, customer_id in decided.values_list(
        "signal_id", "tenant_id", "account__customer_id"
    ):
        yield _Found(tenant_id, customer_id, Stream.SIGNALS, "signal", str(pk))


def _orders(ids: list[Any]) -> Iterator[_Found]:
    rows = Order.objects.filter(pk__in=ids).order_by()
    for pk, tenant_id, customer_id in rows.values_list("pk", "tenant_id", "account__customer_id"):
        for whose in (None, customer_id):
            yield _Found(tenant_id, whose, Stream.ORDERS, "order", str(pk))


def _accounts(ids: list[Any]) -> Iterator[_Found]:
    rows = ExchangeAccount.objects.filter(pk__in=ids).order_by()
    for pk, tenant_id, customer_id in rows.values_list("pk", "tenant_id", "customer_id"):
        for stream in (Stream.POSITIONS, Stream.EQUITY):
            for whose in (None, customer_id):
                yield _Found(tenant_id, whose, stream, "account", str(pk))


def _entries(ids: list[Any]) -> Iterator[_Found]:
    rows = AuditEntry.objects.filter(pk__in=ids, level__in=LOUD, tenant__isnull=False)
    for pk, tenant_id in rows.order_by().values_list("pk", "tenant_id"):
        yield _Found(tenant_id, None, Stream.ATTENTION, "alert", str(pk))


def _chunks(ids: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(ids)
    while some := list(islice(rest, ASKED_AT_ONCE)):
        yield some
