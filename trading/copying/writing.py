"""Decisions, cycles and orders of one chunk, written in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from accounts.bulk import insert_many
from customers.enums import PositionMode
from signals.enums import Direction, Intent
from signals.models import Signal
from trading.copying.deciding import Draft
from trading.copying.leader import LeaderMove
from trading.copying.planning import OrderDraft
from trading.copying.reading import Facts, Running
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
from trading.positions_held import UNSENT
from trading.protections import protections_of, towards_market
from trading.transition import Change, transition

TAKEN_BACK = {Intent.CANCEL: (OrderState.CANCELED, Reason.CANCELED_BY_SIGNAL)}
SUPERSEDED = (OrderState.DENIED, Reason.SUPERSEDED)


class Outrun(RuntimeError):  # noqa: N818 - says what happened
    """An order was sent while it was being taken back: what was decided no longer holds."""


def write_drafts(
    signal: Signal, move: LeaderMove, drafts: Sequence[Draft], *, lane_at: datetime, now: datetime
) -> list[Order]:
    """Write a chunk and return its orders, ready to be sent. Runs inside a transaction.

    Raises IntegrityError when another process decided one of these links meanwhile, and
    Outrun when one of their orders left meanwhile.
    """
    _take_back(move, drafts, now)
    _end(drafts, now)
    decisions, cycles, orders = [], [], []
    for draft in drafts:
        decision = _decision(signal, draft, now)
        cycle = _cycle(signal, move, draft, now)
        decisions.append(decision)
        if cycle is not None:
            cycles.append(cycle)
        orders += _orders(signal, draft, decision, cycle, lane_at, now)
    insert_many(decisions)
    insert_many(cycles)
    insert_many(orders)
    insert_many(protections_of(orders))
    insert_many([_created(order, now) for order in orders])
    return orders


def _take_back(move: LeaderMove, drafts: Sequence[Draft], now: datetime) -> None:
    """Openings that were not sent yet are taken back; what rests at the exchange is canceled."""
    parts = [
        part
        for draft in drafts
        for running in draft.canceled
        for part in running.holding.parts
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
    ended = _ids(running for draft in drafts for running in draft.ended)
    if ended:
        Cycle.objects.filter(pk__in=ended).update(ended_at=now, active_key=None)
    released = _ids(running for draft in drafts for running in draft.released)
    if released:
        Cycle.objects.filter(pk__in=released).update(active_key=None)
    for draft in drafts:
        for pk, base in draft.rebased.items():
            Cycle.objects.filter(pk=pk).update(
                follower_base=base.follower_base, leader_base=base.leader_base
            )


def _ids(running: Iterable[Running]) -> list[UUID]:
    return [one.cycle.pk for one in running]


def _decision(signal: Signal, draft: Draft, now: datetime) -> Decision:
    link = draft.facts.link
    return Decision(
        tenant_id=signal.tenant_id,
        signal=signal,
        subscription=link.subscription,
        account=link.account,
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
    return Cycle(
        tenant_id=signal.tenant_id,
        link_uid=facts.link.uid,
        subscription=facts.link.subscription,
        source_id=signal.source_id,
        account=facts.link.account,
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
        cycle = leg.cycle.cycle if leg.cycle else new_cycle
        for slice_number, quantity in enumerate(leg.quantities):
            order = _order(signal, draft.facts, leg, lane_at, now)
            order.decision, order.cycle = decision, cycle
            order.leg_number, order.slice_number = leg_number, slice_number
            order.quantity = quantity
            if len(leg.quantities) > 1 and leg.notional is not None:
                order.notional = leg.notional * quantity / sum(leg.quantities)
            order.client_order_id = client_order_id(
                deployment_code=settings.DEPLOYMENT_CODE,
                key=settings.ORDER_ID_KEY.encode(),
                link_uid=order.link_uid,
                signal_id=signal.id,
                leg=leg_number,
                slice_=slice_number,
            )
            if leg.waits_for_close and closing is not None:
                order.waits_for = closing.id
            made.append(order)
        closing = made[-1] if leg.leg == Leg.CLOSE else closing
    return made


def _order(
    signal: Signal, facts: Facts, leg: OrderDraft, lane_at: datetime, now: datetime
) -> Order:
    link = facts.link
    account = link.account
    spot = facts.market is not None and facts.market.rules.spot
    side, position_side, reduce_only = _sides(leg, account.position_mode, spot)
    max_age = link.max_age
    if signal.expires_at is not None:
        max_age = min(max_age, signal.expires_at - signal.signal_at)
    opens = leg.leg in (Leg.OPEN, Leg.ADD)
    profit, loss = _protection(signal, facts, leg) if opens else (None, None)
    return Order(
        tenant_id=signal.tenant_id,
        signal_at=signal.signal_at,
        signal=signal,
        subscription=link.subscription,
        account=account,
        link_uid=link.uid,
        leg=leg.leg,
        lane_key=lane_key(account.pk, signal.inst_id, position_side),
        lane_at=lane_at,
        market=account.market,
        inst_id=signal.inst_id,
        side=side,
        position_side=position_side,
        reduce_only=reduce_only,
        order_type=OrderType.MARKET,
        margin_mode="cash" if spot else link.margin_mode,
        leverage=leg.leverage if opens else None,
        reference_price=signal.reference_price or leg.price,
        notional=leg.notional,
        leader_after=leg.leader_after,
        take_profit=profit,
        stop_loss=loss,
        state=OrderState.READY,
        created_at=now,
        expires_at=signal.signal_at + max_age if opens else None,
    )


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
    return OrderEvent(
        tenant_id=order.tenant_id,
        order_id=order.id,
        signal_at=order.signal_at,
        at=now,
        source=EventSource.ENGINE,
        to_state=order.state,
        note="",
    )
