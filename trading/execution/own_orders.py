"""Orders that no signal of a source asked for: repairs, and closes by staff.

They take the road of all others: a signal of a built-in source for one account, a decision with
the numbers used, an order that is checked again when it leaves, and sent exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from accounts.bulk import insert_many
from customers.models import ExchangeAccount
from signals.enums import Direction, Intent
from signals.models import Signal, SignalSource
from trading.enums import (
    EventSource,
    Leg,
    OrderCause,
    OrderState,
    OrderType,
    PositionSide,
    Side,
)
from trading.events import orders_ready
from trading.models import Cycle, Decision, Instrument, Order
from trading.positions_held import rules_of
from trading.sizing import notional, split
from trading.system_orders import (
    first_event,
    hash_of,
    order_terms,
    signal_terms,
    write_decision,
)

if TYPE_CHECKING:
    from accounts.models import User

INTENTS: Mapping[Leg, Intent] = {
    Leg.OPEN: Intent.OPEN,
    Leg.ADD: Intent.ADD,
    Leg.REDUCE: Intent.REDUCE,
    Leg.CLOSE: Intent.CLOSE,
}


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """One leg on one holding. `external_id` names it for good: written twice, it is there once."""

    account: ExchangeAccount
    source: SignalSource
    external_id: str
    cause: OrderCause
    instrument: Instrument
    position_side: PositionSide
    direction: Direction
    leg: Leg
    quantity: Decimal
    margin_mode: str
    mark: Decimal | None
    cycle: Cycle | None = None
    leader_after: Decimal | None = None
    leverage: Decimal | None = None
    price: Decimal | None = None
    reference_price: Decimal | None = None
    expires_at: datetime | None = None
    by: User | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)

    @property
    def opens(self) -> bool:
        return self.leg in (Leg.OPEN, Leg.ADD)

    @property
    def side(self) -> Side:
        return Side.BUY if (self.direction == Direction.LONG) == self.opens else Side.SELL


def write_own(own: OwnOrder, now: datetime) -> tuple[Signal, list[UUID]]:
    """The signal and its orders, ready to be sent. Runs in a transaction, under the claim.

    Of one that was written before, the signal, and no orders.
    """
    known_by = hash_of(own.external_id)
    before = Signal.objects.filter(source=own.source, dedupe_hash=known_by).first()
    if before is not None:
        return before, []
    signal = _signal(own, now)
    signal.save(force_insert=True)
    numbers = {**own.numbers, "quantity": f"{own.quantity:f}"}
    decision = write_decision(signal, own.account, own.cycle, own.account.uid, numbers, now)
    slices = split(own.quantity, rules_of(own.instrument))
    orders = [_order(own, decision, number, part, now) for number, part in enumerate(slices)]
    insert_many(orders)
    source = EventSource.STAFF if own.by else EventSource.ENGINE
    insert_many([first_event(order, source, now) for order in orders])
    ids = [order.id for order in orders]
    transaction.on_commit(partial(orders_ready.send_robust, Order, order_ids=ids))
    return signal, ids


def _signal(own: OwnOrder, now: datetime) -> Signal:
    return Signal(
        **signal_terms(own.account, own.source, own.external_id, own.quantity, now),
        inst_id=own.instrument.inst_id,
        intent=INTENTS[own.leg],
        direction=own.direction,
        reference_price=own.reference_price,
        created_by=own.by,
        signal_at=now,
    )


def _order(
    own: OwnOrder, decision: Decision, number: int, quantity: Decimal, now: datetime
) -> Order:
    instrument = own.instrument
    lane = (instrument.inst_id, own.position_side)
    net = own.position_side == PositionSide.NET
    value = notional(rules_of(instrument), quantity, own.mark) if own.mark else None
    return Order(
        **order_terms(decision, own.account, lane, slice_number=number),
        cycle=own.cycle,
        cause=own.cause,
        leg=own.leg,
        lane_at=now,
        side=own.side,
        position_side=own.position_side,
        reduce_only=net and not own.opens,
        order_type=OrderType.MARKET if own.price is None else OrderType.IOC,
        margin_mode=own.margin_mode,
        leverage=own.leverage,
        quantity=quantity,
        price=own.price,
        reference_price=own.reference_price or own.mark,
        notional=value,
        leader_after=own.leader_after,
        state=OrderState.READY,
        created_at=now,
        expires_at=own.expires_at,
    )
