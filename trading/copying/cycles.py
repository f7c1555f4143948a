"""What the end of an order means for its cycle. Safe to repeat."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import takewhile
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.questions import Given, Question
from accounts.rows import fetch
from accounts.tenancy import all_tenants
from signals.enums import Direction, SignalPurpose
from signals.models import LeaderPosition, Signal
from signals.standing import opposite
from trading.enums import Leg, OrderCause, ProtectionState
from trading.leases import db_now
from trading.models import Cycle, Instrument, Order, Protection
from trading.positions_held import NOTHING, Holding, OrderPart, read_holdings, rules_of
from trading.sizing import CycleBase, rebase_after_fill, target_quantity
from trading.transition import retried


def settle_cycles(order_ids: Iterable[UUID]) -> int:
    """End the cycles that are flat for good, and follow underfilled ones by what they got.

    Returns how many cycles changed.
    """
    with all_tenants("cycles of orders that finished, of several desks"):
        cycles = Order.objects.filter(id__in=list(order_ids), cycle__isnull=False)
        return _settle(Q(pk__in=set(cycles.values_list("cycle_id", flat=True)))) or 0


def settle_links(signal: Signal, link_uids: Collection[UUID]) -> frozenset[str]:
    """Settle the cycles that a signal is about to be decided on; in which instruments they are.

    Runs in the signal's transaction, under the claim on its source, which alone begins cycles.
    """
    of_source = {"source_id": signal.source_id, "leader": signal.inst_id}
    running = _RUNNING.ask(links=link_uids, **of_source)
    if not running or _settle(Q(pk__in=[key for key, _ in running])) is None:
        return frozenset()
    return frozenset(inst_id for _, inst_id in running)


_RUNNING = Question(
    lambda: (
        Cycle.objects.filter(
            link_uid__among=Given("links"),
            source_id=Given("source_id"),
            leader_inst_id=Given("leader"),
            ended_at__isnull=True,
        )
        .order_by()
        .values_list("pk", "inst_id")
    )
)


def settle_left_over(limit: int = 200) -> int:
    """The sweep: running cycles whose leader is flat, in case an event was lost."""
    with all_tenants("the sweep of cycles"):
        flat = LeaderPosition.objects.filter(quantity=0).values("source_id", "inst_id")
        sources = {(row["source_id"], row["inst_id"]) for row in flat}
        running = Cycle.objects.filter(
            source_id__in={source for source, _ in sources},
            leader_inst_id__in={inst_id for _, inst_id in sources},
            ended_at__isnull=True,
        ).values_list("pk", "source_id", "leader_inst_id")
        due = [pk for pk, source, inst_id in running[:5000] if (source, inst_id) in sources]
        # By lot, so that cycles which cannot end yet keep nobody's place.
        return _settle(Q(pk__in=random.sample(due, min(limit, len(due))))) or 0


@dataclass(frozen=True, slots=True)
class _Cycle:
    """As much of a running cycle as settling it needs, by the names of its columns."""

    pk: UUID
    source_id: int
    subscription_id: int | None
    account_id: int
    inst_id: str
    direction: str
    leader_inst_id: str
    is_reversed: bool
    follower_base: Decimal
    leader_base: Decimal
    account__market: str


@retried
@transaction.atomic
def _settle(which: Q) -> int | None:
    """How many changed; None when there is none."""
    running = Cycle.objects.filter(which, ended_at__isnull=True).order_by("pk")
    # Locked first: an order that is being added to one of them must be seen below.
    locked = list(running.select_for_update().values_list("pk", flat=True))
    if not locked:
        return None
    rows = running.filter(pk__in=locked).values_list(*(f.name for f in fields(_Cycle)))
    cycles = [_Cycle(*row) for row in fetch(rows)]
    instruments = {
        (i.market, i.inst_id): i
        for i in Instrument.objects.filter(inst_id__in={c.inst_id for c in cycles})
    }
    bases = {i.inst_id: i.base_currency for i in instruments.values() if i.is_spot}
    holdings = read_holdings([c.pk for c in cycles], bases)
    changed = 0
    for cycle in cycles:
        holding = holdings.get(cycle.pk, NOTHING)
        instrument = instruments.get((cycle.account__market, cycle.inst_id))
        dust = _dust(instrument)
        if holding.parts and holding.is_quiet and _is_over(cycle, holding, dust):
            changed += Cycle.objects.filter(pk=cycle.pk, ended_at__isnull=True).update(
                ended_at=db_now(), active_key=None
            )
        else:
            changed += _rebase(cycle, holding, instrument)
    return changed


def _dust(instrument: Instrument | None) -> Decimal:
    """On spot a fee leaves less than the exchange takes; that is as good as flat."""
    return instrument.min_size if instrument and instrument.is_spot else Decimal(0)


def _is_over(cycle: _Cycle, holding: Holding, dust: Decimal) -> bool:
    if holding.filled > 0 and holding.filled >= dust:
        return False
    if _leader_is_flat(cycle) or all(part.filled == 0 for part in holding.parts):
        return True
    return _is_stopped_out(cycle) or _is_left(cycle)


def _is_stopped_out(cycle: _Cycle) -> bool:
    """A protection or our staff closed it: what the leader does next with it is not followed."""
    triggered = Protection.objects.filter(cycle_id=cycle.pk, state=ProtectionState.TRIGGERED)
    by_staff = Order.objects.filter(cycle_id=cycle.pk, cause=OrderCause.STAFF)
    return bool(triggered.exists() or by_staff.exists())


def _is_left(cycle: _Cycle) -> bool:
    """Its follower left the leader: nothing of this position is followed any more."""
    mine = Order.objects.filter(cycle_id=cycle.pk, leg=Leg.CLOSE)
    return bool(mine.filter(signal__purpose=SignalPurpose.LEAVE).exists())


def _leader_is_flat(cycle: _Cycle) -> bool:
    key = "" if cycle.subscription_id else f"account:{cycle.account_id}"
    direction = Direction(cycle.direction)
    leads = LeaderPosition.objects.filter(
        source_id=cycle.source_id,
        scope_key=key,
        inst_id=cycle.leader_inst_id,
        direction=opposite(direction) if cycle.is_reversed else direction,
    )
    return all(quantity == 0 for quantity in leads.values_list("quantity", flat=True))


def _base(cycle: _Cycle) -> CycleBase:
    return CycleBase(cycle.follower_base, cycle.leader_base)


def _rebase(cycle: _Cycle, holding: Holding, instrument: Instrument | None) -> int:
    """After an underfilled opening, follow by what is held against where the leader was then.

    Only until something was reduced since: that was sized by the pair as it was. What has not
    left yet is sized anew when it does.
    """
    run = _latest_openings(holding.parts)
    if not run or holding.filled <= 0 or all(p.unfilled <= 0 for p in run):
        return 0
    order = Order.objects.only("leader_after").get(pk=run[-1].id)
    leader = order.leader_after or Decimal(0)
    got_all = all(p.unfilled <= 0 for p in run if p.signal_id == run[-1].signal_id)
    if got_all and not _is_short(cycle, holding, leader, instrument):
        return 0  # it was planned on what the one before it got
    base = rebase_after_fill(_base(cycle), holding.filled, leader)
    if base == _base(cycle):
        return 0
    changed: int = Cycle.objects.filter(pk=cycle.pk).update(
        follower_base=base.follower_base, leader_base=base.leader_base
    )
    return changed


def _latest_openings(parts: Sequence[OrderPart]) -> list[OrderPart]:
    """The openings that nothing was reduced behind, all of them over; empty where one is not."""
    left = list(parts)
    while left and left[-1].sign < 0 and left[-1].is_unsent:
        left.pop()
    run = list(takewhile(lambda part: part.sign > 0, reversed(left)))[::-1]
    return run if all(part.is_final for part in left) else []


def _is_short(
    cycle: _Cycle, holding: Holding, leader: Decimal, instrument: Instrument | None
) -> bool:
    """Was more planned than is held? Then an opening before it got less than it wanted."""
    if instrument is None:
        return False
    return holding.filled < target_quantity(_base(cycle), leader, rules_of(instrument))
