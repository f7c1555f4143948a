"""Rows of orders that no signal of a source asked for: what is the same of all of them.

Such an order has a signal of a built-in source for one account, which is copied to nobody else,
and a decision; so every order is explained in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.fields import hash_identity
from customers.models import ExchangeAccount
from signals.enums import QuantityMode, SignalStatus
from signals.models import Signal, SignalSource
from trading.enums import DecisionOutcome, EventSource, OrderCause, PositionSide
from trading.models import Cycle, Decision, Order, OrderEvent
from trading.orders import client_order_id, lane_key


def hash_of(external_id: str) -> str:
    """How a signal of a source is found again by its id."""
    return hash_identity(f"id:{external_id}")


def signal_terms(
    account: ExchangeAccount,
    source: SignalSource,
    external_id: str,
    quantity: Decimal,
    now: datetime,
) -> dict[str, Any]:
    """The values of a Signal beside what it is about."""
    return {
        "tenant_id": account.tenant_id,
        "source": source,
        "external_id": external_id,
        "dedupe_hash": hash_of(external_id),
        "quantity_mode": QuantityMode.CONTRACTS,
        "quantity_value": quantity,
        "quantity": quantity,
        "account": account,
        "status": SignalStatus.COPIED,
        "received_at": now,
        "copied_at": now,
    }


def write_decision(
    signal: Signal,
    account: ExchangeAccount,
    cycle: Cycle | None,
    link_uid: UUID,
    numbers: Mapping[str, str],
    now: datetime,
) -> Decision:
    """Decide to copy the signal to its one account, for the subscription of the cycle if any."""
    decision = Decision(
        tenant_id=account.tenant_id,
        signal=signal,
        subscription=cycle.subscription if cycle else None,
        account=account,
        link_uid=link_uid,
        outcome=DecisionOutcome.COPIED,
        numbers=dict(numbers),
        decided_at=now,
    )
    decision.save(force_insert=True)
    return decision


def order_terms(
    decision: Decision,
    account: ExchangeAccount,
    lane: tuple[str, PositionSide],
    *,
    slice_number: int = 0,
) -> dict[str, Any]:
    """The values of an Order that say whose it is, and its names. `lane`: of which position."""
    signal = decision.signal
    return {
        "tenant_id": account.tenant_id,
        "signal_at": signal.signal_at,
        "signal": signal,
        "decision": decision,
        "subscription": decision.subscription,
        "account": account,
        "link_uid": decision.link_uid,
        "slice_number": slice_number,
        "client_order_id": client_order_id(
            deployment_code=settings.DEPLOYMENT_CODE,
            key=settings.ORDER_ID_KEY.encode(),
            link_uid=decision.link_uid,
            signal_id=signal.id,
            leg=0,
            slice_=slice_number,
        ),
        "lane_key": lane_key(account.pk, *lane),
        "market": account.market,
        "inst_id": lane[0],
    }


def first_event(order: Order, source: EventSource, now: datetime) -> OrderEvent:
    """The first line of an order's history: why there is this order. Not saved yet."""
    return OrderEvent(
        tenant_id=order.tenant_id,
        order_id=order.id,
        signal_at=order.signal_at,
        at=now,
        source=source,
        to_state=order.state,
        note=str(OrderCause(order.cause).label),
    )
