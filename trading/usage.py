"""What is used of the limits when orders are about to leave: read once per batch, then counted on.

Only what a limit in force asks for is read. Whoever reads it to add to it holds it first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from customers.models import ExchangeAccount
from trading.enums import Leg, LimitKind, OrderState, PositionSide, Side
from trading.just_filled import JustFilled, read_just_filled
from trading.models import Instrument, Order, Position
from trading.outgoing import Outgoing
from trading.pace import Pace, pace, sends_of_accounts

ZERO = Decimal(0)
OPENINGS = (Leg.OPEN, Leg.ADD)
UNSENT = (OrderState.NEW, OrderState.READY)
NOT_TRADED = (OrderState.DENIED, OrderState.REJECTED, OrderState.EXPIRED)
# Sent, and perhaps not yet among the positions.
ON_THE_WAY = (
    OrderState.SENDING,
    OrderState.UNKNOWN,
    OrderState.LIVE,
    OrderState.PARTIALLY_FILLED,
    OrderState.MANUAL,
)
# What orders of several lanes of one account add up to.
ADD_UP = frozenset(
    {LimitKind.DAILY_NOTIONAL, LimitKind.OPEN_POSITIONS, LimitKind.POSITION_NOTIONAL}
)
_HELD = frozenset({LimitKind.OPEN_POSITIONS, LimitKind.POSITION_NOTIONAL})
Place = tuple[int, str, str]  # desk, market, instrument


@dataclass(slots=True)
class Usage:
    """Of accounts and of desks, without the orders at hand until they are taken."""

    today: dict[int, Decimal] = field(default_factory=dict)
    positions: dict[int, dict[str, int]] = field(default_factory=dict)
    held: dict[tuple[int, str, str], Decimal] = field(default_factory=dict)
    desks: dict[Place, Decimal] = field(default_factory=dict)
    sends: Counter[int] = field(default_factory=Counter)
    sends_of_all: int = 0
    pace: Pace = pace

    def context(self, order: Order | Outgoing) -> dict[str, Any]:
        """The columns of `risk.RiskContext` that this order meets."""
        others = self.positions.get(order.account_id, {})
        return {
            "used_daily_notional": self.today.get(order.account_id, ZERO),
            "open_positions": sum(n for inst, n in others.items() if inst != order.inst_id),
            "desk_notional": self.desks.get(_place(order), ZERO),
            "account_sends": self.sends[order.account_id],
            "system_sends": self.sends_of_all,
        }

    def held_beside(self, order: Order | Outgoing) -> Decimal:
        """Notional of the position that an opening would enlarge."""
        return self.held.get(_position(order), ZERO)

    def knows(self, order: Order | Outgoing) -> bool:
        """Is anything counted that this order's account has used?"""
        account = order.account_id
        return (
            account in self.sends
            or account in self.today
            or account in self.positions
            or _position(order) in self.held
        )

    def take(self, order: Order | Outgoing) -> None:
        """The order leaves: those behind it in the same batch meet it."""
        self.sends[order.account_id] += 1
        self.sends_of_all += self.pace.share(1)
        if not order.opens:
            return
        value = order.notional or ZERO
        self.today[order.account_id] = self.today.get(order.account_id, ZERO) + value
        if not order.account.is_shadow:
            self.desks[_place(order)] = self.desks.get(_place(order), ZERO) + value
        self.held[_position(order)] = self.held.get(_position(order), ZERO) + value
        self.positions.setdefault(order.account_id, {}).setdefault(order.inst_id, 1)


def hold_sums(accounts: Collection[int], places: Collection[tuple[str, str]] = ()) -> None:
    """Let nobody else use up what limits leave these until the transaction ends.

    Two that looked at the same moment would each find room, and together pass the limit.
    `places` are markets with instruments, for what a whole desk holds there. SQLite needs
    none of it, since its writing transactions exclude each other.
    """
    if connection.vendor != "mysql":
        return
    if accounts:
        rows = ExchangeAccount.objects.filter(pk__in=accounts).order_by("pk")
        list(rows.select_for_update().values_list("pk"))
    if places:
        markets, insts = {place[0] for place in places}, {place[1] for place in places}
        there = Instrument.objects.filter(market__in=markets, inst_id__in=insts).order_by("pk")
        list(there.select_for_update().values_list("pk"))


def read_usage(
    orders: Sequence[Order | Outgoing],
    kinds: Collection[LimitKind],
    day_starts: Mapping[int, datetime],
    now: datetime,
) -> Usage:
    """One query for the sends, and one or two for each kind of limit that somebody has set."""
    accounts = {order.account_id for order in orders if order.opens}
    if not accounts:
        return Usage()
    tenants = {order.tenant_id for order in orders}
    usage = Usage(sends_of_all=pace.of_all())
    if LimitKind.ACCOUNT_SENDS in kinds:
        usage.sends.update(sends_of_accounts(accounts, now))
    if LimitKind.DAILY_NOTIONAL in kinds:
        usage.today = _today(accounts, day_starts)
    filled: Sequence[JustFilled] = ()
    if _HELD.intersection(kinds):
        filled = read_just_filled(Q(tenant_id__in=tenants, account_id__in=accounts), now)
    if LimitKind.OPEN_POSITIONS in kinds:
        usage.positions = _positions(accounts, filled)
    if LimitKind.POSITION_NOTIONAL in kinds:
        usage.held = _held(accounts, {order.inst_id for order in orders}, filled)
    if LimitKind.DESK_NOTIONAL in kinds:
        usage.desks = read_desks({_place(order) for order in orders if order.opens}, now)
    return usage


def read_desks(
    places: Iterable[Place], now: datetime, *, unsent: bool = False
) -> dict[Place, Decimal]:
    """Notional per desk, market and instrument: positions, and openings on the way to them.

    `unsent` counts what is decided but did not leave, too. Shadows are in no total.
    """
    wanted = set(places)
    found: dict[Place, Decimal] = {}
    tenants, insts = {p[0] for p in wanted}, {p[2] for p in wanted}
    where = Q(tenant_id__in=tenants, inst_id__in=insts, account__is_shadow=False)
    held = Position.objects.filter(where).open()
    rows = list(held.values_list("tenant_id", "account__market", "inst_id", "notional"))
    states = (*ON_THE_WAY, *UNSENT) if unsent else ON_THE_WAY
    openings = Order.objects.filter(where, state__in=states, leg__in=OPENINGS)
    rows += openings.values_list("tenant_id", "market", "inst_id", "notional")
    # Of an order that still fills everything was counted just now.
    rows += [
        (one.tenant_id, one.market, one.inst_id, one.notional)
        for one in read_just_filled(where, now)
        if one.is_final
    ]
    for tenant, market, inst_id, notional in rows:
        place = (tenant, market, inst_id)
        if place in wanted:
            found[place] = found.get(place, ZERO) + abs(notional or ZERO)
    return found


def _today(accounts: set[int], day_starts: Mapping[int, datetime]) -> dict[int, Decimal]:
    used: dict[int, Decimal] = {}
    for tenant, since in day_starts.items():
        rows = Order.objects.filter(
            tenant_id=tenant, account_id__in=accounts, created_at__gte=since, leg__in=OPENINGS
        ).exclude(state__in=(*UNSENT, *NOT_TRADED))
        for account, notional in rows.values_list("account_id", "notional"):
            used[account] = used.get(account, ZERO) + (notional or ZERO)
    return used


def _positions(accounts: set[int], filled: Iterable[JustFilled]) -> dict[int, dict[str, int]]:
    rows = Position.objects.filter(account_id__in=accounts).open().order_by()
    found: dict[int, dict[str, int]] = {}
    for account, inst_id, count in rows.values_list("account_id", "inst_id").annotate(
        count=Count("pk")
    ):
        found.setdefault(account, {})[inst_id] = count
    coming = Order.objects.filter(account_id__in=accounts, state__in=ON_THE_WAY, leg__in=OPENINGS)
    for account, inst_id in coming.order_by().values_list("account_id", "inst_id").distinct():
        found.setdefault(account, {}).setdefault(inst_id, 1)
    for one in filled:
        found.setdefault(one.account_id, {}).setdefault(one.inst_id, 1)
    return found


def _held(
    accounts: set[int], inst_ids: set[str], filled: Iterable[JustFilled]
) -> dict[tuple[int, str, str], Decimal]:
    rows = Position.objects.filter(account_id__in=accounts, inst_id__in=inst_ids).open()
    found: dict[tuple[int, str, str], Decimal] = {}
    for row in rows:
        side = Side.BUY if row.quantity > 0 else Side.SELL
        key = (row.account_id, row.inst_id, _direction(row.position_side, side))
        found[key] = found.get(key, ZERO) + abs(row.notional or ZERO)
    coming = Order.objects.filter(
        account_id__in=accounts, inst_id__in=inst_ids, state__in=ON_THE_WAY, leg__in=OPENINGS
    )
    for order in coming:
        # What has filled of it is among the positions.
        left = 1 - order.filled_quantity / order.quantity if order.quantity else ZERO
        key = _position(order)
        found[key] = found.get(key, ZERO) + left * (order.notional or ZERO)
    for one in filled:
        key = (one.account_id, one.inst_id, _direction(one.position_side, one.side))
        found[key] = found.get(key, ZERO) + one.notional
    return found


def _direction(position_side: str, side: str) -> str:
    """Long or short, also where the position's side is only net."""
    if position_side != PositionSide.NET:
        return str(position_side)
    return str(PositionSide.LONG if side == Side.BUY else PositionSide.SHORT)


def _position(order: Order | Outgoing) -> tuple[int, str, str]:
    return (order.account_id, order.inst_id, _direction(order.position_side, order.side))


def _place(order: Order | Outgoing) -> Place:
    return (order.tenant_id, order.market, order.inst_id)
