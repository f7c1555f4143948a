"""A leader moved its take profit or stop loss: those of its followers that mirror it follow.

Each round compares what the leader has with what its followers have, and asks for what differs.
So a round that is lost costs the time until the next, and one too many asks for nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from signals.enums import Direction
from signals.models import LeaderAccount, LeaderHolding
from strategies.enums import FOLLOWED
from strategies.protection import ProtectionTerms, protection_of
from trading.actions import ActionRefusedError
from trading.attached import NOTHING_ATTACHED, Attached, own_prices, turned
from trading.enums import ActionKind, ActionState, ProtectionState
from trading.leases import db_now, job_lease
from trading.models import Action, Cycle, Instrument, Position, Protection
from trading.positions_held import NOTHING, Holding, read_holdings
from trading.protecting import cancel_protection, is_long, move_protection, protect_position
from trading.stops.mirrored import Todo, agreed, is_ahead, on_tick, own_of, todo, wanted_of

# What is gone may have been triggered, or come with an opening in a moment.
GONE_FOR = timedelta(seconds=5)
ROUND_S = 60

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Leaders:
    """What the leader has on one side of an instrument, and since when nothing changed there.

    `is_settled`: so long ago that what is gone is neither triggered nor on its way.
    """

    prices: Attached
    changed_at: datetime
    is_settled: bool


@dataclass(frozen=True, slots=True)
class _Follower:
    """A running cycle with its position and what protects it."""

    cycle: Cycle
    terms: ProtectionTerms
    leaders: _Leaders
    position: Position
    holding: Holding
    tick: Decimal
    protections: Sequence[Protection]
    actions: Mapping[UUID, Sequence[Action]]

    @property
    def rising(self) -> bool:
        return bool(self.cycle.direction == Direction.LONG)

    def prices(self) -> Attached:
        return turned(self.leaders.prices, reverses=self.cycle.is_reversed)


def leaders_followed() -> list[int]:
    """Those whose followers hold something by them."""
    with all_tenants("leaders of every desk"):
        running = Cycle.objects.filter(ended_at__isnull=True, subscription__isnull=False)
        leaders = LeaderAccount.objects.filter(source_id__in=running.values("source_id"))
        return list(leaders.order_by("pk").values_list("pk", flat=True))


def mirror_stops(leader_id: int) -> int:
    """One round over the followers of a leader; how many changes were asked for."""
    with all_tenants("find the leader's desk"):
        leader = LeaderAccount.objects.filter(pk=leader_id).first()
    if leader is None:
        return 0
    # One at a time: what was read by two would be placed by both.
    with job_lease(f"mirror_stops:{leader_id}", ROUND_S) as mine, tenant_scope(leader.tenant_id):
        return sum(map(_safely, _followers(leader))) if mine else 0


def _safely(follower: _Follower) -> int:
    """One follower who cannot be served keeps nobody else's from following."""
    try:
        return _follow(follower)
    except ActionRefusedError as error:
        log.info("cycle %s does not follow its leader's stops: %s", follower.cycle.pk, error)
    except Exception:
        log.exception("cycle %s does not follow its leader's stops", follower.cycle.pk)
    return 0


def _follow(follower: _Follower) -> int:
    asked = [one for rows in follower.actions.values() for one in rows]
    if any(one.is_open for one in asked):
        return 0  # the change before is still on its way
    by_person = {one.protection_id for one in asked if one.entered_by_id is not None}
    changes = 0
    for row in follower.protections:
        if (
            row.state == ProtectionState.LIVE
            and row.pk not in by_person
            and _is_mirrored(row, follower)
        ):
            changes += _change(row, follower)
    # What a person moved or took away stays as it was left, and is not replaced.
    if changes or by_person:
        return changes
    return _cover(follower)


def _is_mirrored(row: Protection, follower: _Follower) -> bool:
    """It came with an opening by a signal of the leader, or was placed here."""
    if row.order is None:
        return row.entered_by_id is None
    return bool(row.order.signal.source_id == follower.cycle.source_id)


def _change(row: Protection, follower: _Follower) -> int:
    kept = Attached(row.take_profit, row.stop_loss)
    wanted = wanted_of(
        follower.prices(), _own(row, follower), follower.tick, rising=follower.rising
    )
    leaders = follower.leaders
    step = todo(kept, wanted, is_settled=leaders.is_settled)
    mark = follower.position.mark_price
    if step is Todo.NOTHING or not is_ahead(wanted, mark, rising=follower.rising):
        return 0
    kind = ActionKind.MOVE if step is Todo.MOVE else ActionKind.UNPROTECT
    if _was_refused(follower.actions.get(row.pk, ()), kind, wanted, leaders.changed_at):
        return 0
    words = _("The leader's take profit or stop loss changed")
    if step is Todo.MOVE:
        move_protection(
            protection=row,
            take_profit=wanted.take_profit if wanted.take_profit != kept.take_profit else None,
            stop_loss=wanted.stop_loss if wanted.stop_loss != kept.stop_loss else None,
            reason=words,
            actor=None,
        )
    else:
        cancel_protection(protection=row, reason=words, actor=None)
    return 1


def _own(row: Protection, follower: _Follower) -> Attached:
    """The follower's own prices for what the protection protects."""
    order, terms = row.order, follower.terms
    if order is None:
        return _by_ratio(follower, follower.position.average_price, follower.position.leverage)
    signal = order.signal
    then = turned((signal.take_profit, signal.stop_loss), reverses=follower.cycle.is_reversed)
    return own_of(
        Attached(order.take_profit, order.stop_loss),
        on_tick(then, follower.tick, rising=follower.rising),
        own_prices(
            terms,
            rising=follower.rising,
            entry=order.average_price or order.price,
            leverage=order.leverage,
        ),
    )


def _by_ratio(follower: _Follower, entry: Decimal | None, leverage: Decimal | None) -> Attached:
    return own_prices(follower.terms, rising=follower.rising, entry=entry, leverage=leverage)


def _was_refused(
    asked: Sequence[Action], kind: ActionKind, wanted: Attached, since: datetime
) -> bool:
    """What the exchange turned away is asked for anew when the leader changes something."""
    return any(
        one.kind == kind
        and one.state == ActionState.REFUSED
        and one.created_at >= since
        and one.take_profit in (None, wanted.take_profit)
        and one.stop_loss in (None, wanted.stop_loss)
        for one in asked
    )


def _cover(follower: _Follower) -> int:
    """Protect what the cycle holds beside all that protects it already."""
    states = {row.state for row in follower.protections}
    if not follower.holding.is_quiet or ProtectionState.TRIGGERED in states:
        return 0
    position, leaders = follower.position, follower.leaders
    covered = sum((p.quantity for p in follower.protections if p.is_active), Decimal(0))
    bare = min(follower.holding.filled, abs(position.quantity)) - covered
    replaces = any(
        one.kind == ActionKind.UNPROTECT for rows in follower.actions.values() for one in rows
    )
    # Where the leader has nothing, only what was taken away here is put back: the follower's own.
    if bare <= 0 or (follower.prices() == NOTHING_ATTACHED and not replaces):
        return 0
    wanted = wanted_of(
        follower.prices(),
        _by_ratio(follower, position.average_price, position.leverage),
        follower.tick,
        rising=follower.rising,
    )
    nothing = wanted == NOTHING_ATTACHED
    if nothing or not is_ahead(wanted, position.mark_price, rising=follower.rising):
        return 0
    # Once for each change of the leader: what failed is not tried again and again.
    identity = f"mirror:{follower.cycle.pk}:{leaders.changed_at.isoformat()}:{bare.normalize():f}"
    made = protect_position(
        position=position,
        take_profit=wanted.take_profit,
        stop_loss=wanted.stop_loss,
        quantity=bare,
        reason=_("The leader has a take profit or stop loss"),
        actor=None,
        identity=identity,
    )
    return int(all(made.pk != known.pk for known in follower.protections))


def _followers(leader: LeaderAccount) -> list[_Follower]:
    """Everyone whose running cycle mirrors what the leader holds. A constant number of queries."""
    has = _held_by(leader)
    cycles = [
        (cycle, terms)
        for cycle in _cycles(leader)
        if (cycle.leader_inst_id, cycle.leader_direction) in has
        # The leader's prices are those of its own instrument.
        and cycle.inst_id == cycle.leader_inst_id
        and (terms := _terms_of(cycle)).mirror
    ]
    if not cycles:
        return []
    keys = [cycle.pk for cycle, _terms in cycles]
    holdings, positions = read_holdings(keys), _positions([cycle for cycle, _terms in cycles])
    listed = Instrument.objects.filter(inst_id__in={cycle.inst_id for cycle, _terms in cycles})
    ticks = {
        (market, inst_id): tick
        for market, inst_id, tick in listed.values_list("market", "inst_id", "tick_size")
    }
    protections: dict[UUID, list[Protection]] = defaultdict(list)
    for row in Protection.objects.filter(cycle_id__in=keys).select_related("order__signal"):
        protections[row.cycle_id].append(row)
    actions: dict[UUID, dict[UUID, list[Action]]] = defaultdict(lambda: defaultdict(list))
    for one in Action.objects.filter(protection__cycle_id__in=keys).select_related("protection"):
        actions[one.protection.cycle_id][one.protection_id].append(one)
    return [
        _Follower(
            cycle,
            terms,
            has[cycle.leader_inst_id, cycle.leader_direction],
            position,
            holdings[cycle.pk],
            ticks[cycle.account.market, cycle.inst_id],
            protections[cycle.pk],
            actions[cycle.pk],
        )
        for cycle, terms in cycles
        if (cycle.account.market, cycle.inst_id) in ticks
        and holdings.get(cycle.pk, NOTHING).filled > 0
        and (position := _position_of(cycle, holdings[cycle.pk], positions)) is not None
    ]


def _held_by(leader: LeaderAccount) -> dict[tuple[str, Direction], _Leaders]:
    """Where it holds something with stops for all of it, the same in both margin modes."""
    rows: dict[tuple[str, Direction], list[LeaderHolding]] = defaultdict(list)
    for row in LeaderHolding.objects.filter(leader=leader, quantity__gt=0):
        rows[row.inst_id, Direction(row.direction)].append(row)
    found, now = {}, db_now()
    for place, held in rows.items():
        prices = agreed(Attached(row.take_profit, row.stop_loss) for row in held)
        if prices is not None and all(row.stops_for_all for row in held):
            changed_at = max(row.updated_at for row in held)
            found[place] = _Leaders(prices, changed_at, now - changed_at >= GONE_FOR)
    return found


def _cycles(leader: LeaderAccount) -> list[Cycle]:
    return list(
        Cycle.objects.filter(
            source_id=leader.source_id,
            ended_at__isnull=True,
            closing_at__isnull=True,
            subscription__status__in=FOLLOWED,
            account__in=ExchangeAccount.objects.tradable(),
        )
        .select_related("subscription__strategy", "account")
        .order_by("pk")
    )


def _terms_of(cycle: Cycle) -> ProtectionTerms:
    link = cycle.subscription
    assert link is not None  # noqa: S101 - only those of subscriptions were read
    return protection_of(
        link.strategy,
        link.take_profit_ratio,
        link.stop_loss_ratio,
        link.protection_basis,
        link.mirror_protection,
    )


_Places = Mapping[tuple[int, str], Sequence[Position]]


def _positions(cycles: Sequence[Cycle]) -> _Places:
    found: dict[tuple[int, str], list[Position]] = defaultdict(list)
    rows = Position.objects.open().filter(
        account_id__in={cycle.account_id for cycle in cycles},
        inst_id__in={cycle.inst_id for cycle in cycles},
    )
    for row in rows:
        found[row.account_id, row.inst_id].append(row)
    return found


def _position_of(cycle: Cycle, holding: Holding, positions: _Places) -> Position | None:
    """What the exchange holds of it. None while it is flat there, or on the other side."""
    rising = cycle.direction == Direction.LONG
    for row in positions.get((cycle.account_id, cycle.inst_id), ()):
        if row.margin_mode == holding.margin_mode and is_long(row) == rising:
            return row
    return None
