"""An order that has not left, with as much of it and around it as leaving needs.

Named like the columns of the models it is read from, and a small part of their cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q

from accounts.rows import fetch
from strategies.models import Subscription
from trading.enums import Leg, OrderCause
from trading.models import Order


class OutgoingCustomer(NamedTuple):
    status: str


def waits_with(account_id: int, customer_id: int, is_shadow: bool) -> tuple[str, int]:
    """Whose waiting orders are counted together: a customer's, but each shadow's alone."""
    return ("account", account_id) if is_shadow else ("customer", customer_id)


class OutgoingAccount(NamedTuple):
    """The account an order leaves for. Without its key: that is read by `customers.credentials`."""

    pk: int
    tenant_id: int
    customer_id: int
    label: str
    market: str
    api_host: str
    key_version: int
    key_status: str
    position_mode: str
    status: str
    max_order_notional: Decimal | None
    max_daily_notional: Decimal | None
    max_open_positions: int | None
    is_shadow: bool
    customer: OutgoingCustomer

    @property
    def waits_with(self) -> tuple[str, int]:
        return waits_with(self.pk, self.customer_id, self.is_shadow)


@dataclass(frozen=True, slots=True)
class OutgoingStrategy:
    status: str


@dataclass(frozen=True, slots=True)
class OutgoingSubscription:
    strategy_id: int
    status: str
    strategy: OutgoingStrategy


class OutgoingCycle(NamedTuple):
    pk: UUID
    follower_base: Decimal
    leader_base: Decimal


@dataclass
class Outgoing:
    """The row as it was read; `transition` keeps it up to date with what it writes."""

    id: UUID
    tenant_id: int
    signal_at: datetime
    signal_id: UUID
    account_id: int
    subscription_id: int | None
    cycle_id: UUID | None
    cause: str
    leg: str
    leg_number: int
    slice_number: int
    client_order_id: str
    lane_key: str
    lane_at: datetime
    waits_for: UUID | None
    market: str
    inst_id: str
    side: str
    position_side: str
    reduce_only: bool
    order_type: str
    margin_mode: str
    leverage: Decimal | None
    keeps_leverage: bool
    quantity: Decimal
    price: Decimal | None
    reference_price: Decimal | None
    max_slippage: Decimal | None
    notional: Decimal | None
    leader_after: Decimal | None
    take_profit: Decimal | None
    stop_loss: Decimal | None
    state: str
    attempt: int
    cancel_requested: bool
    flattens: bool
    version: int
    created_at: datetime
    expires_at: datetime | None
    not_before: datetime | None
    lease_until: datetime | None
    finished_at: datetime | None
    account: OutgoingAccount
    subscription: OutgoingSubscription | None
    cycle: OutgoingCycle | None

    # What marking and recording write beside.
    exp_at_ms: int | None = None
    claim_token: UUID | None = None
    not_found_count: int = 0
    last_not_found_at: datetime | None = None
    sent_at: datetime | None = None
    reason: str = ""
    exchange_code: str = ""
    exchange_message: str = ""
    exchange_order_id: str = ""
    acked_at: datetime | None = None

    @property
    def pk(self) -> UUID:
        return self.id

    @property
    def opens(self) -> bool:
        """True when the order may enlarge a position."""
        return self.leg in (Leg.OPEN, Leg.ADD)


_NESTED = ("account", "subscription", "cycle")
_OWN = tuple(f.name for f in fields(Outgoing) if f.name not in _NESTED)
_OWN = _OWN[: _OWN.index("exp_at_ms")]
_AT_ACCOUNT, _AT_SUBSCRIPTION, _AT_CYCLE = (
    _OWN.index(f"{name}_id") for name in ("account", "subscription", "cycle")
)
_ACCOUNT = tuple(name for name in OutgoingAccount._fields if name not in ("pk", "customer"))
_COLUMNS = (
    *_OWN,
    "cycle__follower_base",
    "cycle__leader_base",
    "subscription__strategy_id",
    "subscription__status",
    "subscription__strategy__status",
    "account__customer__status",
    *(f"account__{name}" for name in _ACCOUNT),
)


def read_outgoing(which: Q) -> list[Outgoing]:
    """The orders that a condition names, in one query."""
    return [
        _outgoing(row)
        for row in fetch(Order.objects.filter(which).order_by().values_list(*_COLUMNS))
    ]


def _outgoing(row: Any) -> Outgoing:
    own: Any = row[: len(_OWN)]
    rest: Any = row[len(_OWN) :]
    follower_base, leader_base, strategy_id, subscribed, strategy, customer = rest[:6]
    account_values: list[Any] = [own[_AT_ACCOUNT], *rest[6:], OutgoingCustomer(customer)]
    account = OutgoingAccount(*account_values)
    subscription = (
        OutgoingSubscription(strategy_id, subscribed, OutgoingStrategy(strategy))
        if own[_AT_SUBSCRIPTION] is not None
        else None
    )
    key = own[_AT_CYCLE]
    cycle = OutgoingCycle(key, follower_base, leader_base) if key is not None else None
    values: list[Any] = [*own, account, subscription, cycle]
    return Outgoing(*values)


OF_EACH = (
    "id",
    "account_id",
    "subscription_id",
    "cycle_id",
    "client_order_id",
    "lane_key",
    "waits_for",
)
_BLANK: dict[str, Any] = {
    "keeps_leverage": False,
    "cause": OrderCause.SIGNAL,
    "attempt": 0,
    "cancel_requested": False,
    "flattens": False,
    "version": 0,
}


# What nobody has written on a new order.
_UNMARKED = {f.name: f.default for f in fields(Outgoing) if f.name not in (*_OWN, *_NESTED)}


class Alike:
    """New orders that have everything in common but for whom they are.

    Made as reading their rows back would give them.
    """

    def __init__(self, terms: Mapping[str, Any]) -> None:
        values = {**_BLANK, **terms}
        self._same = {name: values.get(name) for name in _OWN} | _UNMARKED

    def make(
        self,
        of_each: tuple[UUID, int, int | None, UUID | None, str, str, UUID | None],
        account: OutgoingAccount,
        subscription: OutgoingSubscription | None,
        cycle: OutgoingCycle | None,
    ) -> Outgoing:
        """`of_each`: the values of `OF_EACH`, in that order."""
        order = Outgoing.__new__(Outgoing)
        own = order.__dict__
        own.update(self._same)
        own.update(zip(OF_EACH, of_each, strict=True))
        order.account, order.subscription, order.cycle = account, subscription, cycle
        return order


def may_be_handed(order: Order | Outgoing) -> bool:
    """May it leave as it was made or read a moment ago? `renew` reads what stands around it.

    Not a reduction: it is sized anew from its cycle as that is when it leaves.
    """
    return order.opens and order.subscription_id is not None and order.waits_for is None


def in_lanes_of(order_ids: Iterable[UUID]) -> Q:
    """All orders of the lanes that these are in."""
    return Q(lane_key__in=Order.objects.filter(id__in=list(order_ids)).values("lane_key"))


_PEOPLE = (
    "pk",
    "status",
    "strategy__status",
    "account__customer__status",
    *(f"account__{name}" for name in _ACCOUNT),
)


def renew(orders: Sequence[Outgoing]) -> None:
    """Bring what stands around orders that were read earlier up to date. One query.

    Whose account, subscription or strategy was changed since must not leave by what was known
    before. What a row of the order itself says is compared by its version instead.
    """
    if not orders:
        return
    ids = {order.subscription_id for order in orders if order.subscription_id is not None}
    found = Subscription.objects.filter(pk__in=ids).order_by()
    rows = {row[0]: row for row in fetch(found.values_list(*_PEOPLE))}
    for order in orders:
        row: Any = rows.get(order.subscription_id)
        if row is None:
            continue
        _, status, strategy, customer, *rest = row
        values: list[Any] = [order.account_id, *rest, OutgoingCustomer(customer)]
        order.account = OutgoingAccount(*values)
        if order.subscription is not None:
            order.subscription = OutgoingSubscription(
                order.subscription.strategy_id, status, OutgoingStrategy(strategy)
            )
