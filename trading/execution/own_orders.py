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

from django.conf import settings
from django.db import transaction

from accounts.bulk import insert_many
from accounts.fields import hash_identity
from customers.models import ExchangeAccount
from signals.enums import Direction, Intent, QuantityMode, SignalStatus
from signals.models import Signal, SignalSource
from trading.enums import (
    DecisionOutcome,
    EventSource,
    Leg,
    OrderCause,
    OrderState,
    OrderType,
    PositionSide,
    Side,
)
from trading.events import orders_ready
from trading.models import Cycle, Decision, Instrument, Order, OrderEvent
from trading.orders import client_order_id, lane_key
from trading.positions_held import rules_of
from trading.sizing import notional, split

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
    identity = hash_identity(f"id:{own.external_id}")
    before = Signal.objects.filter(source=own.source, dedupe_hash=identity).first()
    if before is not None:
        return before, []
    signal = _signal(own, identity, now)
    signal.save(force_insert=True)
    decision = Decision(
        tenant_id=own.account.tenant_id,
        signal=signal,
        subscription=own.cycle.subscription if own.cycle else None,
        account=own.account,
        link_uid=own.account.uid,
        outcome=DecisionOutcome.COPIED,
        numbers={**own.numbers, "quantity": f"{own.quantity:f}"},
        decided_at=now,
    )
    decision.save(force_insert=True)
    slices = split(own.quantity, rules_of(own.instrument))
    orders = [
        _order(own, signal, decision, number, part, now) for number, part in enumerate(slices)
    ]
    insert_many(orders)
    insert_many([_created(own, order, now) for order in orders])
    ids = [order.id for order in orders]
    transaction.on_commit(partial(orders_ready.send_robust, Order, order_ids=ids))
    return signal, ids


def _signal(own: OwnOrder, identity: str, now: datetime) -> Signal:
    return Signal(
        tenant_id=own.account.tenant_id,
        source=own.source,
        external_id=own.external_id,
        dedupe_hash=identity,
        inst_id=own.instrument.inst_id,
        intent=INTENTS[own.leg],
        direction=own.direction,
        quantity_mode=QuantityMode.CONTRACTS,
        quantity_value=own.quantity,
        quantity=own.quantity,
        reference_price=own.reference_price,
        account=own.account,
        created_by=own.by,
        status=SignalStatus.COPIED,
        signal_at=now,
        received_at=now,
        copied_at=now,
    )


def _order(
    own: OwnOrder, signal: Signal, decision: Decision, number: int, quantity: Decimal, now: datetime
) -> Order:
    account, instrument = own.account, own.instrument
    net = own.position_side == PositionSide.NET
    value = notional(rules_of(instrument), quantity, own.mark) if own.mark else None
    return Order(
        tenant_id=account.tenant_id,
        signal_at=signal.signal_at,
        signal=signal,
        decision=decision,
        subscription=decision.subscription,
        account=account,
        cycle=own.cycle,
        cause=own.cause,
        link_uid=account.uid,
        leg=own.leg,
        slice_number=number,
        client_order_id=client_order_id(
            deployment_code=settings.DEPLOYMENT_CODE,
            key=settings.ORDER_ID_KEY.encode(),
            link_uid=account.uid,
            signal_id=signal.id,
            leg=0,
            slice_=number,
        ),
        lane_key=lane_key(account.pk, instrument.inst_id, own.position_side),
        lane_at=now,
        market=account.market,
        inst_id=instrument.inst_id,
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


def _created(own: OwnOrder, order: Order, now: datetime) -> OrderEvent:
    return OrderEvent(
        tenant_id=order.tenant_id,
        order_id=order.id,
        signal_at=order.signal_at,
        at=now,
        source=EventSource.STAFF if own.by else EventSource.ENGINE,
        to_state=order.state,
        note=str(own.cause.label),
    )
