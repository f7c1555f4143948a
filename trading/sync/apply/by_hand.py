"""Orders of the customer's own hand that took from a cycle of ours: written into that cycle."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from customers.models import ExchangeAccount
from signals.enums import Direction, Intent
from signals.models import Signal
from signals.services import system_source
from trading.enums import (
    EventSource,
    Leg,
    OrderCause,
    OrderState,
    OrderType,
    PositionSide,
    Side,
)
from trading.exchange import types as said
from trading.models import Cycle, ExternalOrder, Fill, Order
from trading.positions_held import NOTHING, read_holdings
from trading.system_orders import first_event, order_terms, signal_terms, write_decision

if TYPE_CHECKING:
    from trading.sync.truth import Compared

_ENDED = (said.OrderState.FILLED.value, said.OrderState.CANCELED.value)


@dataclass(frozen=True, slots=True)
class ByHand:
    """An order of the exchange that is now one of a cycle's."""

    order_id: UUID
    exchange_order_id: str
    quantity: Decimal

    @property
    def told(self) -> dict[str, str]:
        return {"exchange_order_id": self.exchange_order_id, "quantity": f"{self.quantity:f}"}


def adopt_by_hand(account: ExchangeAccount, one: Compared, now: datetime) -> list[ByHand]:
    """Take over what closed the cycle's position in whole or in part. Needs the claim.

    Only orders that have ended, that reduce, and only as far as less is there than ours: what
    crossed zero, added to the position, or took from the customer's own share stays theirs.
    Repeating it finds nothing more.
    """
    missing = _missing(one)
    if one.followed is None or missing <= 0:
        return []
    cycle = Cycle.objects.select_related("subscription").get(pk=one.followed.cycle_id)
    held = min(read_holdings([cycle.pk]).get(cycle.pk, NOTHING).filled, missing)
    closing = Side.SELL if cycle.direction == Direction.LONG else Side.BUY
    adopted = []
    for name, fills in _candidates(account, one, closing, cycle.opened_at).items():
        quantity = sum((fill.quantity for fill in fills), Decimal(0))
        if quantity > held:
            continue
        leg = Leg.CLOSE if quantity == abs(one.three.ours) else Leg.REDUCE
        adopted.append(_adopt(account, cycle, fills, (leg, quantity), now))
        held -= quantity
        _take_fills(account, name, fills, adopted[-1].order_id)
    return adopted


def _missing(one: Compared) -> Decimal:
    """How much less is there than our own orders hold, in their direction."""
    ours, exchange = one.three.ours, one.three.exchange
    there = abs(exchange) if (exchange > 0) == (ours > 0) else Decimal(0)
    return abs(ours) - there


def _candidates(
    account: ExchangeAccount, one: Compared, side: Side, since: datetime
) -> dict[str, list[Fill]]:
    """Fills that are nobody's, by their order, the oldest first, of orders that have ended."""
    ended = set(
        ExternalOrder.objects.filter(
            account=account, inst_id=one.inst_id, side=side, state__in=_ENDED
        ).values_list("exchange_order_id", flat=True)
    )
    known = set(
        ExternalOrder.objects.filter(account=account, inst_id=one.inst_id).values_list(
            "exchange_order_id", flat=True
        )
    )
    rows = Fill.objects.filter(
        account=account,
        inst_id=one.inst_id,
        position_side=one.position_side,
        side=side,
        order__isnull=True,
        filled_at__gte=since,
    ).order_by("filled_at", "id")
    found: dict[str, list[Fill]] = defaultdict(list)
    for row in rows:
        # Of what only the history of fills told us, no order was ever seen open.
        if row.exchange_order_id in ended or row.exchange_order_id not in known:
            found[row.exchange_order_id].append(row)
    return dict(found)


def _adopt(
    account: ExchangeAccount,
    cycle: Cycle,
    fills: list[Fill],
    what: tuple[Leg, Decimal],
    now: datetime,
) -> ByHand:
    leg, quantity = what
    first, last = fills[0], fills[-1]
    signal = _signal(account, cycle, first, quantity, now)
    numbers = {"quantity": f"{quantity:f}"}
    decision = write_decision(signal, account, cycle, account.uid, numbers, now)
    value = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
    order = Order(
        **order_terms(decision, account, (first.inst_id, PositionSide(first.position_side))),
        cycle=cycle,
        cause=OrderCause.EXTERNAL,
        leg=leg,
        exchange_order_id=first.exchange_order_id,
        lane_at=first.filled_at,
        side=first.side,
        position_side=first.position_side,
        order_type=OrderType.MARKET,
        margin_mode=_margin_mode(cycle),
        quantity=quantity,
        filled_quantity=quantity,
        average_price=value / quantity,
        fee=sum((fill.fee for fill in fills), Decimal(0)),
        fee_currency=first.fee_currency,
        realized_pnl=sum((fill.realized_pnl for fill in fills), Decimal(0)),
        state=OrderState.FILLED,
        attempt=1,
        created_at=now,
        sent_at=first.filled_at,
        acked_at=first.filled_at,
        exchange_updated_at=last.filled_at,
        finished_at=now,
    )
    order.save(force_insert=True)
    first_event(order, EventSource.REST, now).save(force_insert=True)
    return ByHand(order.id, first.exchange_order_id, quantity)


def _take_fills(
    account: ExchangeAccount, exchange_order_id: str, fills: list[Fill], order_id: UUID
) -> None:
    ids = [fill.id for fill in fills]
    Fill.objects.filter(
        id__in=ids, account=account, exchange_order_id=exchange_order_id, order__isnull=True
    ).update(order_id=order_id)


def _margin_mode(cycle: Cycle) -> str:
    last = Order.objects.filter(cycle_id=cycle.pk).order_by("-lane_at").first()
    return last.margin_mode if last else "cross"


def _signal(
    account: ExchangeAccount, cycle: Cycle, fill: Fill, quantity: Decimal, now: datetime
) -> Signal:
    """Every order has a signal; this one is the system's own, and there is nothing to copy."""
    identity = f"by-hand {account.pk} {fill.exchange_order_id}"
    signal = Signal(
        **signal_terms(account, system_source(account.tenant), identity, quantity, now),
        inst_id=fill.inst_id,
        intent=Intent.CLOSE,
        direction=cycle.direction,
        raw=json.dumps({"cause": OrderCause.EXTERNAL, "order": fill.exchange_order_id}),
        signal_at=fill.filled_at,
    )
    signal.save(force_insert=True)
    return signal
