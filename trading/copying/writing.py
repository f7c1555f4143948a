"""Decisions, cycles and orders of one chunk, written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.bulk import insert_many, new_row
from accounts.bulk_update import update_many
from customers.enums import PositionMode
from signals.enums import Direction, Intent
from signals.models import Signal
from trading.copying.deciding import Draft
from trading.copying.leader import LeaderMove
from trading.copying.planning import OrderDraft
from trading.copying.reading import Facts
from trading.enums import (
    EventSource,
    Leg,
    OrderState,
    OrderType,
    PositionSide,
    Reason,
    Side,
)
from trading.models import Cycle, Decision, Order, OrderEvent
from trading.orders import client_order_id, lane_key
from trading.outgoing import (
    Outgoing,
    OutgoingCycle,
    OutgoingStrategy,
    OutgoingSubscription,
    may_be_handed,
    outgoing_of,
)
from trading.positions_held import UNSENT, base_of
from trading.protections import protections_of, towards_market
from trading.transition import Change, transition

TAKEN_BACK = {Intent.CANCEL: (OrderState.CANCELED, Reason.CANCELED_BY_SIGNAL)}
SUPERSEDED = (OrderState.DENIED, Reason.SUPERSEDED)


class Outrun(RuntimeError):  # noqa: N818 - says what happened
    """An order was sent while it was being taken back: what was decided no longer holds."""


@dataclass(frozen=True, slots=True)
class Written:
    """The orders of a chunk. `handed` are those that need not be read again to be sent."""

    orders: list[Order] = field(default_factory=list)
    handed: list[Outgoing] = field(default_factory=list)


def write_drafts(
    signal: Signal, move: LeaderMove, drafts: Sequence[Draft], *, lane_at: datetime, now: datetime
) -> Written:
    """Write a chunk and return its orders, ready to be sent. Runs inside a transaction.

    Raises IntegrityError when another process decided one of these links meanwhile, and
    Outrun when one of their orders left meanwhile.
    """
    _take_back(move, drafts, now)
    _end(drafts, now)
    decisions, cycles, orders = [], [], []
    handed: list[Outgoing] = []
    for draft in drafts:
        decision = _decision(signal, draft, now)
        cycle = _cycle(signal, move, draft, now)
        decisions.append(decision)
        if cycle is not None:
            cycles.append(cycle)
        made = _orders(signal, draft, decision, cycle, lane_at, now)
        orders += made
        handed += [_handed(order, draft, cycle) for order in made if may_be_handed(order)]
    insert_many(decisions)
    insert_many(cycles)
    insert_many(orders)
    insert_many(protections_of(orders))
    insert_many([_created(order, now) for order in orders])
    return Written(orders, handed)


def _handed(order: Order, draft: Draft, new_cycle: Cycle | None) -> Outgoing:
    link = draft.facts.link
    subscription = None
    if link.strategy_id is not None:
        subscription = OutgoingSubscription(
            link.strategy_id, link.subscription_status, OutgoingStrategy(link.strategy_status)
        )
    cycle = None
    if new_cycle is not None and new_cycle.pk == order.cycle_id:
        cycle = OutgoingCycle(new_cycle.pk, new_cycle.follower_base, new_cycle.leader_base)
    else:
        for direction, running in draft.facts.cycles.items():
            if running.cycle.pk == order.cycle_id:
                base = draft.rebased.get(direction) or base_of(running.cycle)
                cycle = OutgoingCycle(order.cycle_id, base.follower_base, base.leader_base)
    return outgoing_of(order, link.account, subscription, cycle)


def _take_back(move: LeaderMove, drafts: Sequence[Draft], now: datetime) -> None:
    """Openings that were not sent yet are taken back; what rests at the exchange is canceled."""
    parts = [
        part
        for draft in drafts
        for direction in draft.canceled
        for part in draft.facts.cycles[direction].holding.parts
        if part.sign > 0 and not part.is_final
    ]
    if not parts:
        return
    to, reason = TAKEN_BACK.get(move.intent, SUPERSEDED)
    unsent = {part.id for part in parts if part.is_unsent}
    found = list(Order.objects.filter(id__in=[part.id for part in parts]))
    if any(order.id in unsent and order.state not in UNSENT for order in found):
        raise Outrun
    taken = transition(
        [Change(order, to, {"reason": reason}) for order in found if order.id in unsent],
        source=EventSource.ENGINE,
        at=now,
    )
    if len(taken) < len(unsent):
        raise Outrun
    resting = [o.id for o in found if not o.is_final and o.order_type != OrderType.MARKET]
    if resting:
        Order.objects.filter(id__in=resting).update(cancel_requested=True)


def _end(drafts: Sequence[Draft], now: datetime) -> None:
    ended = [_key(draft, direction) for draft in drafts for direction in draft.ended]
    if ended:
        Cycle.objects.filter(pk__in=ended).update(ended_at=now, active_key=None)
    released = [_key(draft, direction) for draft in drafts for direction in draft.released]
    if released:
        Cycle.objects.filter(pk__in=released).update(active_key=None)
    rebased = [
        (_key(draft, direction), base.follower_base, base.leader_base)
        for draft in drafts
        for direction, base in draft.rebased.items()
    ]
    update_many(Cycle, rebased, match=("id",), columns=("follower_base", "leader_base"))


def _key(draft: Draft, direction: Direction) -> UUID:
    return draft.facts.cycles[direction].cycle.pk


def _decision(signal: Signal, draft: Draft, now: datetime) -> Decision:
    link = draft.facts.link
    return new_row(
        Decision,
        tenant_id=signal.tenant_id,
        signal_id=signal.pk,
        subscription_id=link.subscription_id,
        account_id=link.account.pk,
        link_uid=link.uid,
        outcome=draft.outcome,
        reason=draft.reason,
        numbers=draft.numbers,
        decided_at=now,
    )


def _cycle(signal: Signal, move: LeaderMove, draft: Draft, now: datetime) -> Cycle | None:
    base = draft.new_cycle
    if base is None:
        return None
    facts = draft.facts
    return new_row(
        Cycle,
        tenant_id=signal.tenant_id,
        link_uid=facts.link.uid,
        subscription_id=facts.link.subscription_id,
        source_id=signal.source_id,
        account_id=facts.link.account.pk,
        inst_id=signal.inst_id,
        direction=move.direction,
        unit=move.unit,
        follower_base=base.follower_base,
        leader_base=base.leader_base,
        active_key=facts.active_key(signal.inst_id, move.direction),
        opened_at=now,
    )


def _orders(
    signal: Signal,
    draft: Draft,
    decision: Decision,
    new_cycle: Cycle | None,
    lane_at: datetime,
    now: datetime,
) -> list[Order]:
    made: list[Order] = []
    closing: Order | None = None
    for leg_number, leg in enumerate(draft.orders):
        direction = leg.in_cycle
        cycle = new_cycle if direction is None else draft.facts.cycles[direction].cycle
        common = _terms(signal, draft.facts, leg)
        for slice_number, quantity in enumerate(leg.quantities):
            order = new_row(
                Order,
                **common,
                lane_at=lane_at,
                created_at=now,
                decision_id=decision.pk,
                cycle_id=None if cycle is None else cycle.pk,
                leg_number=leg_number,
                slice_number=slice_number,
                quantity=quantity,
                client_order_id=client_order_id(
                    deployment_code=settings.DEPLOYMENT_CODE,
                    key=settings.ORDER_ID_KEY.encode(),
                    link_uid=common["link_uid"],
                    signal_id=signal.id,
                    leg=leg_number,
                    slice_=slice_number,
                ),
            )
            if len(leg.quantities) > 1 and leg.notional is not None:
                order.notional = leg.notional * quantity / sum(leg.quantities)
            if leg.waits_for_close and closing is not None:
                order.waits_for = closing.id
            made.append(order)
        closing = made[-1] if leg.leg == Leg.CLOSE else closing
    return made


def _terms(signal: Signal, facts: Facts, leg: OrderDraft) -> dict[str, Any]:
    """What all slices of a leg have in common."""
    link = facts.link
    account = link.account
    spot = facts.market is not None and facts.market.rules.spot
    side, position_side, reduce_only = _sides(leg, account.position_mode, spot)
    max_age = link.max_age
    if signal.expires_at is not None:
        max_age = min(max_age, signal.expires_at - signal.signal_at)
    opens = leg.leg in (Leg.OPEN, Leg.ADD)
    profit, loss = _protection(signal, facts, leg) if opens else (None, None)
    return {
        "tenant_id": signal.tenant_id,
        "signal_at": signal.signal_at,
        "signal_id": signal.pk,
        "subscription_id": link.subscription_id,
        "account_id": account.pk,
        "link_uid": link.uid,
        "leg": leg.leg,
        "lane_key": lane_key(account.pk, signal.inst_id, position_side),
        "market": account.market,
        "inst_id": signal.inst_id,
        "side": side,
        "position_side": position_side,
        "reduce_only": reduce_only,
        "order_type": OrderType.MARKET,
        "margin_mode": "cash" if spot else link.margin_mode,
        "leverage": leg.leverage if opens else None,
        "reference_price": signal.reference_price or leg.price,
        "notional": leg.notional,
        "leader_after": leg.leader_after,
        "take_profit": profit,
        "stop_loss": loss,
        "state": OrderState.READY,
        "expires_at": signal.signal_at + max_age if opens else None,
    }


def _protection(
    signal: Signal, facts: Facts, leg: OrderDraft
) -> tuple[Decimal | None, Decimal | None]:
    """The signal's prices on the tick of the follower's market."""
    market = facts.market
    if market is None or market.rules.spot:
        return None, None
    tick, rising = market.rules.tick_size, leg.direction == Direction.LONG
    return (
        towards_market(signal.take_profit, tick, above=rising),
        towards_market(signal.stop_loss, tick, above=not rising),
    )


def _sides(leg: OrderDraft, position_mode: str, spot: bool) -> tuple[Side, PositionSide, bool]:
    """Side, position side and reduce-only as the follower's own position mode asks for them."""
    opens = leg.leg in (Leg.OPEN, Leg.ADD)
    side = Side.BUY if (leg.direction == Direction.LONG) == opens else Side.SELL
    if position_mode == PositionMode.LONG_SHORT and not spot:
        return side, PositionSide(leg.direction.value), False
    return side, PositionSide.NET, not opens and not spot


def _created(order: Order, now: datetime) -> OrderEvent:
    return new_row(
        OrderEvent,
        tenant_id=order.tenant_id,
        order_id=order.id,
        signal_at=order.signal_at,
        at=now,
        source=EventSource.ENGINE,
        to_state=order.state,
        note="",
    )
