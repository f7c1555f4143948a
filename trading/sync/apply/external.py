"""Orders on an account that are not ours, or are ours a second time: recorded, never touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from accounts import audit
from accounts.enums import AuditLevel
from customers.models import ExchangeAccount
from trading.exchange.types import FillReport, OrderReport, OrderState
from trading.models import ExternalOrder, Order
from trading.orders import deployment_of, is_ours
from trading.sync.apply.claim import Applied, differing

_RANK = {state.value: rank for rank, state in enumerate(OrderState)}


@dataclass(frozen=True, slots=True)
class Stranger:
    """What is known of an order that is not one of our records; `twin` is ours of that name."""

    exchange_order_id: str
    client_order_id: str
    inst_id: str
    side: str
    quantity: Decimal
    filled_quantity: Decimal
    state: str
    twin: Order | None = None

    @classmethod
    def of_order(cls, report: OrderReport, twin: Order | None) -> Stranger:
        return cls(
            exchange_order_id=report.exchange_order_id,
            client_order_id=report.client_order_id,
            inst_id=report.inst_id,
            side=report.side.value,
            quantity=report.quantity,
            filled_quantity=report.filled_quantity,
            state=report.state.value,
            twin=twin,
        )

    @classmethod
    def of_fill(cls, report: FillReport, twin: Order | None) -> Stranger:
        return cls(
            exchange_order_id=report.exchange_order_id,
            client_order_id=report.client_order_id,
            inst_id=report.inst_id,
            side=report.side.value,
            quantity=report.quantity,
            filled_quantity=report.quantity,
            state=OrderState.PARTIALLY_FILLED.value,
            twin=twin,
        )

    @property
    def progress(self) -> tuple[Decimal, int]:
        return (self.filled_quantity, _RANK[self.state])


def write_strangers(
    account: ExchangeAccount, strangers: Sequence[Stranger], *, now: datetime
) -> Applied:
    """Record each order once, keep its latest word, and alarm at first sight if it alarms."""
    furthest: dict[str, Stranger] = {}
    for stranger in strangers:
        seen = furthest.get(stranger.exchange_order_id)
        if seen is None or stranger.progress > seen.progress:
            furthest[stranger.exchange_order_id] = stranger
    if not furthest:
        return Applied()
    rows = ExternalOrder.objects.filter(account=account, exchange_order_id__in=set(furthest))
    there = {row.exchange_order_id: row for row in rows}
    written = 0
    for stranger in furthest.values():
        row = there.get(stranger.exchange_order_id)
        if row is None:
            _create(account, stranger, now)
            written += 1
        else:
            written += _update(row, stranger, now)
    return Applied(external=written)


def _create(account: ExchangeAccount, stranger: Stranger, now: datetime) -> None:
    row = ExternalOrder.objects.create(
        account=account,
        exchange_order_id=stranger.exchange_order_id,
        client_order_id=stranger.client_order_id[:32],
        foreign_deployment=_is_foreign(stranger.client_order_id),
        inst_id=stranger.inst_id,
        side=stranger.side,
        quantity=stranger.quantity,
        filled_quantity=stranger.filled_quantity,
        state=stranger.state,
        seen_at=now,
    )
    alarm = _alarm(row, stranger.twin)
    if alarm is not None:
        action, reason = alarm
        audit.record(
            action=action,
            obj=stranger.twin or row,
            level=AuditLevel.CRITICAL,
            after={
                "exchange_order_id": row.exchange_order_id,
                "client_order_id": row.client_order_id,
                "quantity": str(row.quantity),
            },
            reason=reason,
        )


def _update(row: ExternalOrder, stranger: Stranger, now: datetime) -> int:
    if stranger.progress <= (row.filled_quantity, _RANK.get(row.state, 0)):
        return 0
    columns = differing(
        row,
        {
            "quantity": max(stranger.quantity, row.quantity),
            "filled_quantity": stranger.filled_quantity,
            "state": stranger.state,
        },
    )
    return int(ExternalOrder.objects.filter(pk=row.pk).update(seen_at=now, **columns))


def _alarm(row: ExternalOrder, twin: Order | None) -> tuple[str, str] | None:
    if twin is not None:
        return (
            "order.doubled",
            "The exchange has a second order under the client order id of this one.",
        )
    if row.foreign_deployment:
        return "order.foreign_deployment", "Another Copydesk trades with this account's key."
    if is_ours(row.client_order_id, settings.DEPLOYMENT_CODE):
        return "order.unrecorded", "An order with an id of ours is not in our records."
    return None


def _is_foreign(client_order_id: str) -> bool:
    """Has the shape of a Copydesk's id, but with another deployment's code."""
    return deployment_of(client_order_id) not in (None, settings.DEPLOYMENT_CODE)
