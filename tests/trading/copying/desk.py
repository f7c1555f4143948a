"""A desk with followers, the signals it hears, and an exchange that does as it is told."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from signals.enums import Unit
from signals.models import LeaderPosition, Signal, SignalSource
from signals.services import manual_source
from strategies.models import Strategy, Subscription
from tests import factories as make
from tests.trading.sync.rows import report
from trading.copying import copy_source
from trading.copying.cycles import settle_cycles
from trading.enums import EventSource, OrderState
from trading.exchange import types as said
from trading.leases import db_now
from trading.models import Cycle, Decision, Order
from trading.sync.apply import apply_orders
from trading.transition import Change, transition

BTC = "BTC-USDT-SWAP"
PRICE = 60_000  # one contract of 0.01 BTC is worth 600 USDT
_numbers = itertools.count(1)


def d(value: str | int) -> Decimal:
    return Decimal(value)


@dataclass
class Desk:
    """One source, one strategy following it at a tenth."""

    tenant: Tenant
    source: SignalSource
    strategy: Strategy

    def follower(self, *, account: dict[str, Any] | None = None, **terms: Any) -> Subscription:
        customer = make.make_customer(self.tenant)
        return make.subscribe(
            self.strategy, make.make_account(customer, **(account or {})), **terms
        )

    def say(self, intent: str, quantity: str | int | None = None, **fields: Any) -> Signal:
        """A signal that was accepted a moment ago and waits to be copied."""
        now = timezone.now()
        values = {
            "source": self.source,
            "external_id": f"signal-{next(_numbers)}",
            "inst_id": BTC,
            "intent": intent,
            "direction": "long",
            "quantity_mode": "contracts",
            "quantity": None if quantity is None else Decimal(quantity),
            "quantity_value": None if quantity is None else Decimal(quantity),
            "reference_price": Decimal(PRICE),
            "unit": Unit.CONTRACTS,
            "signal_at": now,
            "received_at": now,
        }
        with tenant_scope(self.tenant):
            return Signal.objects.create(**values | fields)

    def hand(self, account: ExchangeAccount, intent: str, quantity: Any = None, **f: Any) -> Signal:
        """A signal entered by hand for one account."""
        return self.say(intent, quantity, source=manual_source(self.tenant), account=account, **f)

    def copy(self, source: SignalSource | None = None) -> list[Order]:
        """Copy what waits and return the orders, by follower."""
        batches = copy_source((source or self.source).pk)
        ids = [order.id for batch in batches for order in batch]
        with tenant_scope(self.tenant):
            orders = list(Order.objects.filter(pk__in=ids))
        return sorted(orders, key=lambda order: (order.account_id, order.lane_at, order.leg_number))

    def hear(self, intent: str, quantity: str | int | None = None, **fields: Any) -> list[Order]:
        signal = self.say(intent, quantity, **fields)
        return self.copy(signal.source)

    def decisions(self, signal: Signal | None = None) -> list[Decision]:
        with tenant_scope(self.tenant):
            found = Decision.objects.order_by("account_id", "decided_at", "pk")
            return list(found if signal is None else found.filter(signal=signal))

    def last(self, link: Subscription) -> Decision:
        with tenant_scope(self.tenant):
            return Decision.objects.filter(link_uid=link.uid).order_by("-signal_id")[0]

    def cycles(self, **match: Any) -> list[Cycle]:
        with tenant_scope(self.tenant):
            return list(Cycle.objects.filter(**match).order_by("opened_at", "pk"))

    def orders(self, **match: Any) -> list[Order]:
        with tenant_scope(self.tenant):
            found = Order.objects.filter(**match)
            return list(found.order_by("account_id", "lane_at", "signal_id", "leg_number"))

    def leader(self, direction: str = "long", inst_id: str = BTC) -> Decimal:
        with tenant_scope(self.tenant):
            row = LeaderPosition.objects.get(
                source=self.source, scope_key="", inst_id=inst_id, direction=direction
            )
            return Decimal(row.quantity)


def make_desk(**terms: Any) -> Desk:
    make.make_instrument(BTC)
    make.set_price(BTC, PRICE)
    tenant = make.make_tenant()
    source = make.make_source(tenant)
    return Desk(tenant, source, make.make_strategy(source, **terms))


def sent(order: Order) -> Order:
    """The order has left for the exchange."""
    with tenant_scope(order.tenant_id), transaction.atomic():
        order = Order.objects.select_related("account").get(pk=order.pk)
        change = Change(order, OrderState.SENDING, {"attempt": 1, "sent_at": db_now()})
        assert transition([change], source=EventSource.ENGINE, at=db_now())
    return order


def ended(order: Order, filled: str | Decimal | None = None, **said_more: Any) -> None:
    """The exchange filled it, wholly unless told otherwise, and its cycle was settled."""
    order = sent(order)
    quantity = order.quantity if filled is None else Decimal(filled)
    whole = quantity == order.quantity
    told: dict[str, Any] = {
        "inst_id": order.inst_id,
        "exchange_order_id": f"x{order.client_order_id}"[:32],
        "state": said.OrderState.FILLED if whole else said.OrderState.CANCELED,
        "filled_quantity": quantity,
        "average_price": Decimal(PRICE) if quantity else None,
    }
    apply_orders(order.account, [report(order, **told | said_more)], source=EventSource.REST)
    settle_cycles([order.pk])


def rejected(order: Order) -> None:
    order = sent(order)
    with tenant_scope(order.tenant_id), transaction.atomic():
        change = Change(order, OrderState.REJECTED, {"exchange_code": "51008"})
        assert transition([change], source=EventSource.ENGINE, at=db_now())
    settle_cycles([order.pk])


def later(seconds: float) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


def facts(order: Order) -> tuple[str, str, str, str, bool]:
    """What an order says in one line."""
    return (
        str(order.leg),
        str(order.side),
        str(order.position_side),
        f"{order.quantity.normalize():f}",
        order.reduce_only,
    )
