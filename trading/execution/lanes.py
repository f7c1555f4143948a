"""Which orders may go: the first unfinished one of each lane, and nothing behind it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol
from uuid import UUID

from django.db.models import Q

from accounts.questions import Given, Question
from accounts.rows import fetch
from trading.enums import RESTING_TYPES, OrderState
from trading.models import Order
from trading.models.orders import OPEN_STATES
from trading.outgoing import Outgoing, in_lanes_of, read_outgoing

_NOT_YET = (OrderState.NEW, OrderState.READY)
# What rests at the exchange has been sent and answered: it may rest for days, and holds nobody up.
_RESTING = Q(state__in=(OrderState.LIVE, OrderState.PARTIALLY_FILLED), order_type__in=RESTING_TYPES)
NOTHING_KNOWN: Mapping[UUID, Outgoing] = MappingProxyType({})
LANE_ORDER = ("lane_at", "signal_id", "leg_number", "slice_number")


def ready_heads(
    order_ids: Iterable[UUID], now: datetime, known: Mapping[UUID, Outgoing] = NOTHING_KNOWN
) -> list[Outgoing]:
    """Of these orders, the ready ones that nothing unfinished stands before, due now.

    `known` are not read again while their row has the version they were known by. One query
    for the lanes, one for what is not known, and one where an order waits for another lane's
    close.
    """
    wanted = set(order_ids)
    standing = _standing(wanted, known)
    first: dict[str, UUID] = {}
    left: dict[str, UUID] = {}
    for one in standing:
        first.setdefault(one.lane_key, one.id)
        if one.state not in _NOT_YET:
            left.setdefault(one.lane_key, one.id)
    heads = first | left
    by_id = {one.id: one for one in standing}
    ready = [
        one
        for one in standing
        if one.id in wanted and _has_its_turn(one, by_id[heads[one.lane_key]]) and _is_due(one, now)
    ]
    return _not_waiting(_filled_in(ready, known, now))


class _Standing(NamedTuple):
    """What of an unfinished order says whose turn it is in its lane."""

    id: UUID
    lane_key: str
    lane_at: datetime
    signal_id: UUID
    leg_number: int
    slice_number: int
    state: str
    order_type: str
    version: int
    not_before: datetime | None
    lease_until: datetime | None
    cancel_requested: bool


def _has_its_turn(one: _Standing, head: _Standing) -> bool:
    """The head of a lane, and the rungs of the ladder that it is one of: those go together."""
    if one.id == head.id:
        return True
    return head.state in _NOT_YET and are_rungs(one, head)


class _Rung(Protocol):
    @property
    def signal_id(self) -> UUID: ...
    @property
    def leg_number(self) -> int: ...
    @property
    def order_type(self) -> str: ...


def are_rungs(one: _Rung, other: _Rung) -> bool:
    """Do they wait at the exchange side by side? Which of them is there first means nothing."""
    same_leg = (one.signal_id, one.leg_number) == (other.signal_id, other.leg_number)
    return same_leg and one.order_type in RESTING_TYPES and other.order_type in RESTING_TYPES


def _standing(wanted: set[UUID], known: Mapping[UUID, Outgoing]) -> list[_Standing]:
    lanes = [known[i].lane_key for i in wanted if i in known]
    unknown = wanted - known.keys()
    which = Q(lane_key__in=lanes)
    if unknown:
        which |= in_lanes_of(unknown)
    rows = fetch(
        Order.objects.filter(which, state__in=OPEN_STATES)
        .exclude(_RESTING)
        .order_by()
        .values_list(*_Standing._fields)
    )
    standing = [_Standing(*row) for row in rows]
    standing.sort(key=lambda one: (one.lane_at, one.signal_id, one.leg_number, one.slice_number))
    return standing


def _filled_in(
    ready: Sequence[_Standing], known: Mapping[UUID, Outgoing], now: datetime
) -> list[Outgoing]:
    """The whole of these orders. What changed between two readings is left for the next round."""
    found = {
        one.id: known[one.id]
        for one in ready
        if one.id in known and _is_as_known(one, known[one.id])
    }
    missing = [one.id for one in ready if one.id not in found]
    if missing:
        found |= {
            order.id: order
            for order in read_outgoing(Q(id__in=missing, state=OrderState.READY))
            if _is_due(order, now)
        }
    return [found[one.id] for one in ready if one.id in found]


def _is_as_known(one: _Standing, known: Outgoing) -> bool:
    """The wish to cancel is the one column that is written without a new version."""
    return (one.version, one.cancel_requested) == (known.version, known.cancel_requested)


def _is_due(order: Outgoing | _Standing, now: datetime) -> bool:
    return (
        order.state == OrderState.READY
        and (order.not_before is None or order.not_before <= now)
        and (order.lease_until is None or order.lease_until < now)
    )


def unfinished_lanes(lane_keys: Collection[str]) -> set[str]:
    """Of these lanes, those with an order that holds up whatever comes behind it. One query."""
    return {lane for (lane,) in _UNFINISHED.ask(lanes=lane_keys)}


_UNFINISHED = Question(
    lambda: (
        Order.objects.filter(lane_key__among=Given("lanes"), state__in=OPEN_STATES)
        .exclude(_RESTING)
        .order_by()
        .values_list("lane_key")
    )
)


def lane_heads(lane_keys: Iterable[str]) -> dict[str, UUID]:
    """The unfinished order of each lane that has its turn: what left already, else the first.

    One query.
    """
    first: dict[str, UUID] = {}
    left: dict[str, UUID] = {}
    rows = (
        Order.objects.filter(lane_key__in=list(lane_keys), state__in=OPEN_STATES)
        .exclude(_RESTING)
        .order_by("lane_key", *LANE_ORDER)
        .values_list("lane_key", "id", "state")
    )
    for lane, order, state in rows:
        first.setdefault(lane, order)
        if state not in _NOT_YET:
            left.setdefault(lane, order)
    return first | left


def successors(finished: Iterable[UUID]) -> list[UUID]:
    """Ready orders that may go now that these are final: next in lane, or waiting for them."""
    ids = list(finished)
    lanes = Order.objects.filter(id__in=ids).values_list("lane_key", flat=True)
    rows = Order.objects.filter(state=OrderState.READY).filter(
        Q(lane_key__in=list(lanes)) | Q(waits_for__in=ids)
    )
    return list(rows.values_list("id", flat=True))


def _not_waiting(orders: list[Outgoing]) -> list[Outgoing]:
    """Leave out the orders whose close, in another lane, has not finished."""
    awaited = {order.waits_for for order in orders if order.waits_for}
    if not awaited:
        return orders
    open_ids = set(
        Order.objects.filter(id__in=awaited, state__in=OPEN_STATES).values_list("id", flat=True)
    )
    return [order for order in orders if order.waits_for not in open_ids]
