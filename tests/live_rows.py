"""Orders of an account that tests of live pages move along, by the product's own functions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.fields import uuid7
from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from signals.models import Signal, SignalSource
from trading.enums import EventSource, OrderState
from trading.models import Decision, Order
from trading.transition import Change, transition


def make_signal(source: SignalSource, **fields: Any) -> Signal:
    now = timezone.now()
    values = {
        "inst_id": "BTC-USDT-SWAP", "intent": "open", "direction": "long", "quantity": 5,
        "dedupe_hash": uuid.uuid4().hex, "signal_at": now, "received_at": now,
    }  # fmt: skip
    with tenant_scope(source.tenant_id):
        signal = Signal(source=source, **values | fields)
        signal.save()
    return signal


def make_orders(account: ExchangeAccount, count: int, **fields: Any) -> list[Order]:
    """Orders ready to be sent, of one decision about one signal."""
    now, link = timezone.now(), uuid.uuid4()
    with tenant_scope(account.tenant_id):
        source = SignalSource.objects.order_by("pk").first() or _source()
        signal = make_signal(source, status="copied")
        decision = Decision(
            signal=signal, account=account, link_uid=link, outcome="copied", decided_at=now
        )
        decision.save()
        orders = [
            Order(
                **{
                    "id": uuid7(), "signal": signal, "signal_at": signal.signal_at,
                    "decision": decision, "account": account, "link_uid": link, "leg": "open",
                    "slice_number": number, "client_order_id": uuid.uuid4().hex[:28],
                    "lane_key": f"{account.pk}|BTC", "lane_at": now, "market": account.market,
                    "inst_id": "BTC-USDT-SWAP", "side": "buy", "position_side": "net",
                    "order_type": "market", "margin_mode": "cross", "quantity": Decimal(5),
                    "state": OrderState.READY, "created_at": now,
                }
                | fields
            )
            for number in range(count)
        ]  # fmt: skip
        return Order.objects.bulk_create(orders)


def step(orders: Sequence[Order], to: OrderState, **columns: Any) -> None:
    """One step of these orders, committed and announced as the engine does it."""
    with tenant_scope(orders[0].tenant_id), transaction.atomic():
        changes = [Change(order, to, columns) for order in orders]
        assert len(transition(changes, source=EventSource.STREAM, at=timezone.now())) == len(orders)


def _source() -> SignalSource:
    source = SignalSource(name="Alerts", market="simulator")
    source.save()
    return source
