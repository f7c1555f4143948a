"""Orders as they are when the sender has let go of them, and what the exchange says of them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from signals.models import Signal
from tests.factories import make_source
from trading.enums import DecisionOutcome, Leg, OrderState, OrderType, PositionSide, Side
from trading.exchange import types as said
from trading.models import Decision, Fill, Order
from trading.orders import client_order_id, lane_key

BTC = "BTC-USDT-SWAP"
ETH = "ETH-USDT-SWAP"
T0 = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = itertools.count(1)


def at(ms: int) -> datetime:
    """A moment of the exchange's clock."""
    return T0 + timedelta(milliseconds=ms)


def make_order(account: ExchangeAccount, **fields: Any) -> Order:
    """An order that was sent and not answered yet, unless the fields say otherwise."""
    now = timezone.now()
    with tenant_scope(account.tenant_id):
        signal = Signal.objects.create(
            source=make_source(account.tenant, name=f"Source of order {next(_numbers)}"),
            inst_id=BTC,
            signal_at=now,
            received_at=now,
        )
        decision = Decision.objects.create(
            signal=signal,
            account=account,
            link_uid=account.uid,
            outcome=DecisionOutcome.COPIED,
            decided_at=now,
        )
        name = client_order_id(
            deployment_code=settings.DEPLOYMENT_CODE,
            key=b"a key of the tests",
            link_uid=account.uid,
            signal_id=signal.id,
            leg=0,
            slice_=0,
        )
        values = {
            "signal_at": now,
            "signal": signal,
            "decision": decision,
            "account": account,
            "link_uid": account.uid,
            "leg": Leg.OPEN,
            "client_order_id": name,
            "lane_key": lane_key(account.pk, BTC, PositionSide.NET),
            "lane_at": now,
            "market": account.market,
            "inst_id": BTC,
            "side": Side.BUY,
            "position_side": PositionSide.NET,
            "order_type": OrderType.MARKET,
            "margin_mode": "cross",
            "quantity": Decimal(3),
            "state": OrderState.SENDING,
            "attempt": 1,
            "created_at": now,
            "sent_at": now,
        }
        return Order.objects.create(**values | fields)


def report(order: Order | None = None, **fields: Any) -> said.OrderReport:
    """What the exchange says about an order: accepted, nothing filled, unless fields say more."""
    values: dict[str, Any] = {
        "inst_id": BTC,
        "inst_type": said.InstrumentType.SWAP,
        "client_order_id": order.client_order_id if order else "",
        "exchange_order_id": "7001",
        "state": said.OrderState.LIVE,
        "side": said.Side.BUY,
        "position_side": said.PositionSide.NET,
        "margin_mode": said.MarginMode.CROSS,
        "order_type": said.OrderType.MARKET,
        "quantity": order.quantity if order else Decimal(3),
        "price": None,
        "filled_quantity": Decimal(0),
        "average_price": None,
        "fee": Decimal(0),
        "fee_currency": "USDT",
        "reduce_only": False,
        "cancel_source": "",
        "created_at": at(0),
        "updated_at": at(1),
    }
    return said.OrderReport(**values | fields)


def fill(order: Order | None = None, number: int = 1, **fields: Any) -> said.FillReport:
    values: dict[str, Any] = {
        "inst_id": BTC,
        "trade_id": f"t{number}",
        "exchange_order_id": "7001",
        "client_order_id": order.client_order_id if order else "",
        "side": said.Side.BUY,
        "position_side": said.PositionSide.NET,
        "quantity": Decimal(1),
        "price": Decimal(60_000),
        "fee": Decimal("-0.3"),
        "fee_currency": "USDT",
        "realized_pnl": Decimal(0),
        "liquidity": "taker",
        "filled_at": at(10 * number),
    }
    return said.FillReport(**values | fields)


def life_of(order: Order) -> list[said.OrderReport]:
    """Accepted, three fills, as the private channel tells it."""
    steps = [report(order)]
    for number in (1, 2, 3):
        last = number == 3
        steps.append(
            report(
                order,
                state=said.OrderState.FILLED if last else said.OrderState.PARTIALLY_FILLED,
                filled_quantity=Decimal(number),
                average_price=Decimal(60_000),
                fee=Decimal("-0.3") * number,
                updated_at=at(10 * number),
                last_fill=fill(order, number),
            )
        )
    return steps


def position(**fields: Any) -> said.PositionReport:
    values: dict[str, Any] = {
        "inst_id": BTC,
        "inst_type": said.InstrumentType.SWAP,
        "position_side": said.PositionSide.NET,
        "margin_mode": said.MarginMode.CROSS,
        "quantity": Decimal(3),
        "average_price": Decimal(60_000),
        "mark_price": Decimal(60_010),
        "unrealized_pnl": Decimal("0.3"),
        "realized_pnl": Decimal(0),
        "leverage": Decimal(5),
        "liquidation_price": Decimal(50_000),
        "notional_usd": Decimal(1800),
        "margin": Decimal(0),
        "initial_margin": Decimal(360),
        "maintenance_margin": Decimal(9),
        "margin_ratio": Decimal(12),
        "currency": "USDT",
        "position_id": "1",
        "trade_id": "1",
        "created_at": at(0),
        "updated_at": at(10),
    }
    return said.PositionReport(**values | fields)


def balance(equity: str | int = 10_000, ms: int = 10, **others: str) -> said.BalanceReport:
    """USDT, and other currencies by name."""
    amounts = {"USDT": str(equity), **others}
    return said.BalanceReport(
        total_equity_usd=Decimal(equity),
        updated_at=at(ms),
        details=tuple(
            said.CurrencyBalance(
                currency=currency,
                equity=Decimal(amount),
                cash=Decimal(amount),
                available=Decimal(amount),
                frozen=Decimal(0),
                unrealized_pnl=Decimal(0),
                updated_at=at(ms),
                equity_usd=Decimal(amount),
            )
            for currency, amount in amounts.items()
        ),
    )


def fresh(order: Order) -> Order:
    with tenant_scope(order.tenant_id):
        return Order.objects.get(pk=order.pk)


def fills_of(account: ExchangeAccount) -> list[tuple[Any, ...]]:
    with tenant_scope(account.tenant_id):
        rows = Fill.objects.filter(account=account).order_by("trade_id")
        return list(
            rows.values_list("trade_id", "quantity", "price", "filled_at", "order_id", "fee")
        )
