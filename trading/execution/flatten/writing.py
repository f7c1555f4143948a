"""Closes as orders: one signal for each position of an account, one leg for each round."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.bulk import insert_many
from accounts.fields import hash_identity
from signals.enums import Intent, SignalStatus
from signals.models import Signal, SignalSource
from trading.enums import (
    DecisionOutcome,
    EventSource,
    Leg,
    OrderState,
    OrderType,
    Reason,
)
from trading.events import orders_ready
from trading.execution.flatten.plan import Close
from trading.execution.flatten.reach import ON_THEIR_WAY, UNSENT
from trading.models import Decision, FlattenAccount, Order, OrderEvent
from trading.models.orders import OPEN_STATES
from trading.orders import client_order_id, lane_key
from trading.transition import Change, transition


def closes_of(row: FlattenAccount) -> Any:
    """The orders by which this flatten closed on this account, of every round."""
    return Order.objects.filter(
        account_id=row.account_id,
        flattens=True,
        created_at__gte=row.started_at,
        signal__external_id__startswith=_prefix(row),
    ).select_related("account")


def unfinished_closes(account_ids: Sequence[int]) -> list[Order]:
    """Closes of any flatten on these accounts that have not ended."""
    return list(
        Order.objects.filter(account_id__in=account_ids, flattens=True, state__in=OPEN_STATES)
    )


def on_their_way(account_ids: Sequence[int]) -> list[tuple[int, int]]:
    """(account, deadline at the exchange) of everything that may still be accepted."""
    rows = Order.objects.filter(account_id__in=account_ids, state__in=ON_THEIR_WAY)
    return [(account, exp or 0) for account, exp in rows.values_list("account_id", "exp_at_ms")]


def write_closes(
    row: FlattenAccount, source: SignalSource, closes: Sequence[Close], now: datetime
) -> list[UUID]:
    """The orders of the next round, ready to be sent. Runs in the round's transaction."""
    orders: list[Order] = []
    for close in closes:
        signal, decision = _signal(row, source, close, now)
        for number, quantity in enumerate(close.slices):
            order = _order(row, close, signal, decision, (row.leg + 1, number))
            order.quantity, order.created_at, order.lane_at = quantity, now, now
            orders.append(order)
    insert_many(orders)
    insert_many([_created(order, now) for order in orders])
    ids = [order.id for order in orders]
    transaction.on_commit(partial(orders_ready.send_robust, Order, order_ids=ids))
    return ids


def drop_unsent(orders: Sequence[Order], now: datetime) -> int:
    """A newer reading counts: what was sized by an older one is not sent any more."""
    note = str(Reason.SUPERSEDED.label)
    unsent = [order for order in orders if order.state in UNSENT]
    changes = [Change(o, OrderState.DENIED, {"reason": Reason.SUPERSEDED}, note) for o in unsent]
    return len(transition(changes, source=EventSource.ENGINE, at=now))


def _prefix(row: FlattenAccount) -> str:
    return f"flatten-{row.run_id}-{row.account_id}-"


def _signal(
    row: FlattenAccount, source: SignalSource, close: Close, now: datetime
) -> tuple[Signal, Decision]:
    """Found again by its id in every later round: a client order id follows from it."""
    account = row.account
    parts = [close.inst_id, close.position_side.value, close.direction.value, close.margin_mode]
    parts += [close.cycle.pk.hex] if close.cycle else []
    external_id = _prefix(row) + hash_identity("|".join(parts))[:24]
    identity = hash_identity(external_id)
    again = row.leg > 0
    signal = Signal.objects.filter(source=source, dedupe_hash=identity).first() if again else None
    if signal is None:
        signal = Signal(
            tenant_id=row.tenant_id,
            source=source,
            external_id=external_id,
            dedupe_hash=identity,
            inst_id=close.inst_id,
            intent=Intent.CLOSE,
            direction=close.direction,
            account=account,
            created_by=row.run.started_by,
            status=SignalStatus.COPIED,
            signal_at=now,
            received_at=now,
            copied_at=now,
        )
        signal.save(force_insert=True)
    made = Decision.objects.filter(link_uid=account.uid, signal=signal)
    decision = made.first() if again else None
    if decision is None:
        decision = Decision(
            tenant_id=row.tenant_id,
            signal=signal,
            account=account,
            link_uid=account.uid,
            outcome=DecisionOutcome.COPIED,
            numbers={"position": f"{close.quantity.normalize():f}"},
            decided_at=now,
        )
        decision.save(force_insert=True)
    return signal, decision


def _order(
    row: FlattenAccount, close: Close, signal: Signal, decision: Decision, place: tuple[int, int]
) -> Order:
    leg, number = place
    account, cycle = row.account, close.cycle
    # A lane of its own: what hangs in the position's lane must not hold up its end.
    lane = lane_key(account.pk, close.inst_id, close.position_side)
    notional = close.notional
    return Order(
        tenant_id=row.tenant_id,
        signal_at=signal.signal_at,
        signal=signal,
        decision=decision,
        subscription=cycle.subscription if cycle else None,
        account=account,
        cycle=cycle,
        link_uid=account.uid,
        leg=Leg.CLOSE,
        leg_number=leg,
        slice_number=number,
        client_order_id=client_order_id(
            deployment_code=settings.DEPLOYMENT_CODE,
            key=settings.ORDER_ID_KEY.encode(),
            link_uid=account.uid,
            signal_id=signal.id,
            leg=leg,
            slice_=number,
        ),
        lane_key=f"{lane}|{close.margin_mode[0]}|{row.run_id}.{leg}.{number}",
        market=account.market,
        inst_id=close.inst_id,
        side=close.side,
        position_side=close.position_side,
        reduce_only=close.reduce_only,
        order_type=OrderType.MARKET,
        margin_mode=close.margin_mode,
        reference_price=close.mark,
        notional=None if notional is None else notional / len(close.slices),
        state=OrderState.READY,
        flattens=True,
    )


def _created(order: Order, now: datetime) -> OrderEvent:
    return OrderEvent(
        tenant_id=order.tenant_id,
        order_id=order.id,
        signal_at=order.signal_at,
        at=now,
        source=EventSource.ENGINE,
        to_state=order.state,
        note="flatten",
    )
