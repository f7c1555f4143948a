"""Orders that rest at the simulator, and what the exchange itself says of them."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from accounts.tenancy import all_tenants, tenant_scope
from customers.models import ExchangeAccount
from tests.trading.execution.bench import Bench
from trading.endpoints import client_of, keys_of
from trading.exchange.runner import exchange_loop
from trading.exchange.types import (
    FillReport,
    InstrumentType,
    MarginMode,
    OrderReport,
    OrderType,
    PlaceRequest,
    Side,
)
from trading.models import Action, ActionAttempt, Fill, Order

BTC = "BTC-USDT-SWAP"
_names = itertools.count(1)


def resting(bench: Bench, link: Any, quantity: str = "100", price: int = 59_000) -> Order:
    """A limit order of ours that waits at the exchange; the leader's quantity is ten times its."""
    (order,) = [o for o in bench.open(quantity) if o.account_id == link.account_id]
    with all_tenants("make it a limit order"):
        Order.objects.filter(pk=order.pk).update(order_type="limit", price=Decimal(price))
    bench.send([order])
    return bench.now(order)


def there(order: Order) -> OrderReport:
    """The order as the exchange has it."""
    account = order.account
    with tenant_scope(account.tenant_id):
        keys = keys_of(account, purpose="test")
    found = exchange_loop().run(
        client_of(account).fetch_order(
            keys, order.inst_id, exchange_order_id=order.exchange_order_id
        )
    )
    assert found.report is not None, found
    return found.report


def fills_there(account: ExchangeAccount) -> tuple[FillReport, ...]:
    with tenant_scope(account.tenant_id):
        keys = keys_of(account, purpose="test")
    return exchange_loop().run(client_of(account).fetch_fills(keys, InstrumentType.SWAP))


def held_there(account: ExchangeAccount) -> dict[str, Decimal]:
    """What the exchange says is held, by position side."""
    with tenant_scope(account.tenant_id):
        keys = keys_of(account, purpose="test")
    rows = exchange_loop().run(client_of(account).fetch_positions(keys))
    return {row.position_side.value: row.quantity for row in rows if row.quantity}


def trade(
    bench: Bench, account: ExchangeAccount, side: Side, quantity: str, price: int | None = None
) -> None:
    """What somebody else does with his own account, without us."""
    with tenant_scope(account.tenant_id):
        keys = keys_of(account, purpose="test")
    client = client_of(account)
    request = PlaceRequest(
        inst_id=BTC,
        side=side,
        position_side=None,
        margin_mode=MarginMode.CROSS,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        client_order_id=f"somebody{next(_names)}",
    )
    exp_at_ms = exchange_loop().run(client.fetch_time_ms()) + 5000
    outcome = exchange_loop().run(client.place_order(keys, request, exp_at_ms=exp_at_ms))
    assert outcome.kind == "ack", outcome


def same(order: Order, bench: Bench) -> None:
    """Our row says what the exchange says."""
    ours, theirs = bench.now(order), there(bench.now(order))
    assert (ours.state, ours.filled_quantity, ours.quantity, ours.price) == (
        theirs.state.value,
        theirs.filled_quantity,
        theirs.quantity,
        theirs.price,
    )


def action_of(order: Order) -> Action:
    with all_tenants("read an action"):
        return Action.objects.filter(order=order).latest("created_at")


def attempts(action: Action) -> list[str]:
    with all_tenants("read attempts"):
        found = ActionAttempt.objects.filter(action=action).order_by("number")
        return [str(one.outcome) for one in found]


def fills_here(order: Order) -> Decimal:
    with all_tenants("read fills"):
        return sum((f.quantity for f in Fill.objects.filter(order=order)), Decimal(0))
