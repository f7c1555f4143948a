"""Exchange, own orders and target of every holding of some accounts, and what they say together.

Read from our own rows, in a fixed number of queries: who compares for a repair has read the
exchange just before. Spot has balances instead of positions and is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F

from customers.enums import PositionMode
from customers.models import ExchangeAccount
from signals.enums import Direction, SignalPurpose, SignalStatus
from signals.models import LeaderPosition
from signals.standing import opposite
from strategies.enums import StrategyStatus, SubscriptionStatus
from trading.comparing import Evidence, Three, classify
from trading.enums import (
    DecisionOutcome,
    DriftClass,
    Leg,
    OrderCause,
    OrderState,
    OrderType,
    Reason,
)
from trading.models import Cycle, Decision, Instrument, Order, Position, Repair
from trading.models.orders import OPEN_STATES
from trading.positions_held import rules_of
from trading.sizing import CycleBase, target_quantity
from trading.sync.sums import Beginnings, Key, Sums, books_begin, sum_fills

ZERO = Decimal(0)
# Positions may be told a moment after the order that changed them.
SETTLED = timedelta(seconds=2)
_ASKED_LATELY = timedelta(days=1)
_RESTING = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)
_WAITS_AT_EXCHANGE = (OrderType.LIMIT, OrderType.POST_ONLY)
_BESIDE_TARGET = (
    DriftClass.ORPHAN,
    DriftClass.OVER,
    DriftClass.UNDER,
    DriftClass.MISSING,
    DriftClass.WRONG_SIDE,
)
_PURPOSES = (
    OrderCause.TAKE_PROFIT,
    OrderCause.STOP_LOSS,
    OrderCause.STAFF,
    OrderCause.EXTERNAL,
)
# Decisions after which there is nothing that should be held more.
_NO_EXCUSE = (Reason.ALREADY_AT_TARGET, Reason.NOTHING_PENDING, Reason.ALREADY_FLAT)


@dataclass(frozen=True, slots=True)
class Followed:
    """The running cycle of a holding, and where its leader is."""

    cycle_id: UUID
    link_uid: UUID
    subscription_id: int | None
    subscription_status: str
    direction: Direction
    leader: Decimal
    leader_entry: Decimal | None
    max_slippage: Decimal | None
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Compared:
    """One holding. `why` is the reason of the decision that excuses it, if one does."""

    account_id: int
    inst_id: str
    position_side: str
    three: Three
    evidence: Evidence
    kind: DriftClass
    external: Decimal
    followed: Followed | None = None
    why: str = ""

    @property
    def is_left_to_customer(self) -> bool:
        return (
            self.followed is not None
            and self.followed.subscription_status == SubscriptionStatus.STOPPED
        )

    @property
    def row(self) -> dict[str, str]:
        """As a run keeps it."""
        row = {
            "inst_id": self.inst_id,
            "position_side": self.position_side,
            "exchange": f"{self.three.exchange:f}",
            "ours": f"{self.three.ours:f}",
            "target": f"{self.three.target:f}",
            "class": str(self.kind),
        }
        return {**row, "why": self.why} if self.why else row


class _Target(NamedTuple):
    quantity: Decimal
    lot: Decimal
    followed: Followed
    closed_to_openings: bool


def find_drifts(account: ExchangeAccount) -> list[dict[str, str]]:
    """Every difference of an account, with its class. Needs the account's desk to be open."""
    return [one.row for one in compare([account]) if one.kind != DriftClass.CLEAN]


def compare(accounts: Sequence[ExchangeAccount], read_at: datetime | None = None) -> list[Compared]:
    """Every holding of the accounts, in their order. Needs their desk to be open.

    With `read_at`, the time before the exchange was read, what an order changed since is not
    judged: the reading may not have seen it.
    """
    ids = [account.pk for account in accounts]
    since = books_begin(accounts)
    held, sums = _held(ids), sum_fills(accounts, since)
    targets = _targets(accounts)
    moving, resting = _orders(ids, read_at)
    moving |= _being_copied(ids)
    accepted = _accepted(ids, since)
    spot = _spot(accounts, {key[1] for key in sums})
    keys = {key for key in held.keys() | sums.keys() | targets.keys() if key[1] not in spot}
    found = []
    for key in sorted(keys):
        target = targets.get(key)
        own = sums.get(key, Sums())
        taken = accepted.get(key, (ZERO, ZERO))
        three = Three(
            held.get(key, ZERO), own.ours, target.quantity if target else ZERO,
            target.lot if target else ZERO,
        )  # fmt: skip
        evidence = Evidence(
            moving=key[:2] in moving,
            resting=key in resting,
            accepted=taken[0],
            external=own.external - taken[1],
        )
        found.append(_compared(key, three, evidence, own.external, target))
    return _excused(found, targets)


def _compared(
    key: Key, three: Three, evidence: Evidence, external: Decimal, target: _Target | None
) -> Compared:
    return Compared(
        account_id=key[0],
        inst_id=key[1],
        position_side=key[2],
        three=three,
        evidence=evidence,
        kind=classify(three, evidence),
        external=external,
        followed=target.followed if target else None,
    )


def _held(account_ids: Sequence[int]) -> dict[Key, Decimal]:
    held: dict[Key, Decimal] = defaultdict(Decimal)
    rows = Position.objects.filter(account_id__in=account_ids).open().order_by()
    for account, inst_id, side, quantity in rows.values_list(
        "account_id", "inst_id", "position_side", "quantity"
    ):
        held[account, inst_id, side] += quantity
    return dict(held)


def _targets(accounts: Sequence[ExchangeAccount]) -> dict[Key, _Target]:
    """What the running cycles want, by the holding it would be."""
    modes = {account.pk: account.position_mode for account in accounts}
    markets = {account.pk: account.market for account in accounts}
    cycles = list(
        Cycle.objects.filter(account_id__in=modes, ended_at__isnull=True)
        .select_related("subscription__strategy")
        .order_by("opened_at", "pk")
    )
    if not cycles:
        return {}
    names = {cycle.inst_id for cycle in cycles}
    led = {cycle.leader_inst_id for cycle in cycles}
    instruments = {
        (i.market, i.inst_id): i
        for i in Instrument.objects.filter(market__in=set(markets.values()), inst_id__in=names)
    }
    leads = {
        (lead.source_id, lead.scope_key, lead.inst_id, lead.direction): lead
        for lead in LeaderPosition.objects.filter(
            source_id__in={cycle.source_id for cycle in cycles}, inst_id__in=led
        )
    }
    found: dict[Key, _Target] = {}
    for cycle in cycles:
        instrument = instruments.get((markets[cycle.account_id], cycle.inst_id))
        if instrument is None or instrument.is_spot:
            continue
        lead = leads.get(_leader_of(cycle))
        key, sign = _place(cycle, modes[cycle.account_id])
        wanted = _wanted(cycle, lead, instrument) * sign
        if (before := found.get(key)) is not None:
            # A flip's two halves are one holding in net mode: what is left of the first counts.
            if wanted == 0:
                continue
            wanted += before.quantity
        found[key] = _Target(
            wanted, instrument.lot_size, _followed(cycle, lead), _is_closed_to_openings(cycle)
        )
    return found


def _leader_of(cycle: Cycle) -> tuple[int, str, str, str]:
    """Whose position it follows: on the leader's own instrument, turned where it is reversed."""
    scope = "" if cycle.subscription_id else f"account:{cycle.account_id}"
    direction = Direction(cycle.direction)
    turned = opposite(direction) if cycle.is_reversed else direction
    return (cycle.source_id, scope, cycle.leader_inst_id, turned)


def _place(cycle: Cycle, mode: str) -> tuple[Key, int]:
    if mode == PositionMode.LONG_SHORT:
        return (cycle.account_id, cycle.inst_id, cycle.direction), 1
    sign = 1 if cycle.direction == Direction.LONG else -1
    return (cycle.account_id, cycle.inst_id, "net"), sign


def _wanted(cycle: Cycle, lead: LeaderPosition | None, instrument: Instrument) -> Decimal:
    if lead is None:
        return ZERO
    base = CycleBase(cycle.follower_base, cycle.leader_base)
    target = target_quantity(base, lead.quantity, rules_of(instrument))
    return target if target >= instrument.min_size else ZERO


def _followed(cycle: Cycle, lead: LeaderPosition | None) -> Followed:
    return Followed(
        cycle_id=cycle.pk,
        link_uid=cycle.link_uid,
        subscription_id=cycle.subscription_id,
        subscription_status=cycle.subscription.status if cycle.subscription else "",
        direction=Direction(cycle.direction),
        leader=lead.quantity if lead else ZERO,
        leader_entry=lead.average_entry if lead else None,
        max_slippage=_max_slippage(cycle),
        begun_at=cycle.opened_at,
    )


def _max_slippage(cycle: Cycle) -> Decimal | None:
    link = cycle.subscription
    if link is None:
        return None
    own: Decimal | None = link.max_slippage
    return link.strategy.max_slippage if own is None else own


def _is_closed_to_openings(cycle: Cycle) -> bool:
    link = cycle.subscription
    if link is None:
        return False
    active = link.status == SubscriptionStatus.ACTIVE
    return not (active and link.strategy.status == StrategyStatus.ACTIVE)


def _orders(
    account_ids: Sequence[int], read_at: datetime | None
) -> tuple[set[tuple[int, str]], set[Key]]:
    """Where orders of ours may be changing what is held, and where openings wait for a price."""
    moving: set[tuple[int, str]] = set()
    resting: set[Key] = set()
    columns = ("account_id", "inst_id", "position_side", "state", "order_type", "leg")
    rows = Order.objects.filter(account_id__in=account_ids, state__in=OPEN_STATES).order_by()
    for account, inst_id, side, state, kind, leg in rows.values_list(*columns):
        waits = state in _RESTING and kind in _WAITS_AT_EXCHANGE and leg in (Leg.OPEN, Leg.ADD)
        if waits:
            resting.add((account, inst_id, side))
        else:
            moving.add((account, inst_id))
    if read_at is not None:
        since = read_at - SETTLED
        ended = Order.objects.filter(
            account_id__in=account_ids,
            created_at__gte=since - _ASKED_LATELY,
            finished_at__gte=since,
            sent_at__isnull=False,
        )
        moving.update(ended.order_by().values_list("account_id", "inst_id"))
    return moving, resting


def _being_copied(account_ids: Sequence[int]) -> set[tuple[int, str]]:
    """Where a signal of the leader waits or is copied at this moment, chunk by chunk: orders may
    have followed it already, while the leader counts as moved only when the last one has.
    """
    cycles = Cycle.objects.filter(
        account_id__in=account_ids,
        ended_at__isnull=True,
        source__signals__status=SignalStatus.ACCEPTED,
        source__signals__inst_id=F("leader_inst_id"),
    )
    return set(cycles.order_by().values_list("account_id", "inst_id"))


def _accepted(account_ids: Sequence[int], since: Beginnings) -> dict[Key, tuple[Decimal, Decimal]]:
    """What a person last took for the customer's own, and what the customer had traded by then."""
    rows = (
        Repair.objects.filter(
            account_id__in=account_ids, kind=DriftClass.FOREIGN, decided_at__isnull=False
        )
        .exclude(open_key__isnull=False)
        .order_by("decided_at")
        .values_list("account_id", "inst_id", "position_side", "accepted", "evidence", "decided_at")
    )
    return {
        (account, inst_id, side): (accepted, Decimal(evidence.get("external", "0")))
        for account, inst_id, side, accepted, evidence, at in rows
        if (begun := since.of(account, inst_id)) is None or at >= begun
    }


def _spot(accounts: Sequence[ExchangeAccount], names: Collection[str]) -> set[str]:
    markets = {account.market for account in accounts}
    rows = Instrument.objects.filter(market__in=markets, inst_type="SPOT", inst_id__in=set(names))
    return set(rows.values_list("inst_id", flat=True))


def _excused(found: Iterable[Compared], targets: Mapping[Key, _Target]) -> list[Compared]:
    """Less than the target is as it should be where it was decided so; and what a following
    left to the customer when it was stopped is theirs to close.
    """
    excused = []
    for one in found:
        key = (one.account_id, one.inst_id, one.position_side)
        if one.is_left_to_customer and one.kind in _BESIDE_TARGET:
            excused.append(_with_excuse(one, str(Reason.LINK_PAUSED)))
        elif one.kind in (DriftClass.UNDER, DriftClass.MISSING) and key in targets:
            why = _excuse(one, targets[key])
            excused.append(_with_excuse(one, why) if why else one)
        else:
            excused.append(one)
    return excused


def _excuse(one: Compared, target: _Target) -> str:
    if target.closed_to_openings:
        return str(Reason.LINK_PAUSED)
    if (cause := _on_purpose(target.followed.cycle_id)) is not None:
        return cause
    last: Any = (
        Decision.objects.filter(
            account_id=one.account_id,
            link_uid=target.followed.link_uid,
            signal__inst_id=one.inst_id,
        )
        .order_by("-decided_at", "-id")
        .values_list("outcome", "reason")
        .first()
    )
    if last is None or last[0] == DecisionOutcome.COPIED or last[1] in _NO_EXCUSE:
        return ""
    return str(last[1])


def _on_purpose(cycle_id: UUID) -> str | None:
    """What closed a part of it since it was opened last, if that was no signal of its source."""
    orders = Order.objects.filter(cycle_id=cycle_id).exclude(filled_quantity=0)
    told = orders.order_by("-lane_at", "-signal_id", "-leg_number")
    last = told.values_list("cause", "signal__purpose").first()
    if last is None:
        return None
    cause, purpose = last
    if purpose == SignalPurpose.LEAVE:
        return str(purpose)
    return str(cause) if cause in _PURPOSES else None


def _with_excuse(one: Compared, why: str) -> Compared:
    return Compared(
        account_id=one.account_id,
        inst_id=one.inst_id,
        position_side=one.position_side,
        three=one.three,
        evidence=one.evidence,
        kind=DriftClass.EXPLAINED,
        external=one.external,
        followed=one.followed,
        why=why,
    )
