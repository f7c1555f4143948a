"""The signals, decisions and orders of a desk's day; part of `tests.world`."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from accounts.enums import Role
from accounts.models import Tenant, User
from customers.enums import AccountStatus, CustomerStatus, KeyStatus
from customers.models import Customer, ExchangeAccount
from signals.enums import Direction, Intent, QuantityMode, SignalReason, SignalStatus
from signals.models import Signal, SignalSource
from strategies.enums import SubscriptionStatus
from strategies.models import Strategy, Subscription
from trading.enums import AttemptOutcome as Outcome
from trading.enums import (
    DecisionOutcome,
    EventSource,
    Leg,
    OrderState,
    OrderType,
    PositionSide,
    Reason,
    SettlementKind,
    SettlementState,
    Side,
)
from trading.models import (
    Decision,
    Fill,
    Order,
    OrderAttempt,
    OrderEvent,
    Settlement,
)

PRICES = {"BTC-USDT-SWAP": "108420.5", "ETH-USDT-SWAP": "4391.05", "SOL-USDT-SWAP": "205.58"}
CONTRACT = {"BTC-USDT-SWAP": "0.01", "ETH-USDT-SWAP": "0.1", "SOL-USDT-SWAP": "1"}
STORIES: dict[OrderState, tuple[OrderState, ...]] = {
    OrderState.FILLED: (OrderState.READY, OrderState.SENDING, OrderState.LIVE, OrderState.FILLED),
    OrderState.PARTIALLY_FILLED: (
        OrderState.READY, OrderState.SENDING, OrderState.LIVE, OrderState.PARTIALLY_FILLED,
    ),
    OrderState.LIVE: (OrderState.READY, OrderState.SENDING, OrderState.LIVE),
    OrderState.CANCELED: (
        OrderState.READY, OrderState.SENDING, OrderState.LIVE, OrderState.CANCELED,
    ),
    OrderState.REJECTED: (OrderState.READY, OrderState.SENDING, OrderState.REJECTED),
    OrderState.EXPIRED: (OrderState.READY, OrderState.SENDING, OrderState.EXPIRED),
    OrderState.UNKNOWN: (OrderState.READY, OrderState.SENDING, OrderState.UNKNOWN),
    OrderState.MANUAL: (
        OrderState.READY, OrderState.SENDING, OrderState.UNKNOWN, OrderState.MANUAL,
    ),
    OrderState.READY: (OrderState.READY,),
    OrderState.DENIED: (OrderState.DENIED,),
}  # fmt: skip


@dataclass
class World:
    """The rows of a desk, by kind; `people` holds one user of each staff role."""

    tenant: Tenant
    people: dict[Role, User]
    customers: list[Customer] = field(default_factory=list)
    accounts: list[ExchangeAccount] = field(default_factory=list)
    sources: list[SignalSource] = field(default_factory=list)
    strategies: list[Strategy] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def owner(self) -> User:
        return self.people[Role.OWNER]


def trading_day(world: World, chance: random.Random, canary: str) -> None:
    now = timezone.now()
    for number in range(16):
        at = now - timedelta(minutes=4 + number * 41, seconds=chance.randrange(60))
        place = number % 3 if number % 3 < 2 else 0
        _signal(world, chance, canary, place, number, at)
    refused = Signal(
        source=world.sources[0],
        external_id=f"bad {canary}".strip(),
        status=SignalStatus.REFUSED,
        reason=SignalReason.INVALID,
        refused_field="quantity.value",
        reason_text="must be greater than 0",
        raw=f'{{"instrument": "BTC-USDT-SWAP", "note": "{canary}"}}',
        signal_at=now - timedelta(minutes=22),
        received_at=now - timedelta(minutes=22),
    )
    refused.save()
    world.signals.append(refused)


def _signal(
    world: World, chance: random.Random, canary: str, place: int, number: int, at: datetime
) -> None:
    source, strategy = world.sources[place], world.strategies[place]
    inst_id = list(PRICES)[number % 3]
    price = Decimal(PRICES[inst_id]) * (1 + Decimal(chance.randrange(-120, 120)) / 10_000)
    price = price.quantize(Decimal("0.1"))
    intent = (Intent.OPEN, Intent.ADD, Intent.REDUCE, Intent.CLOSE)[number % 4]
    direction = Direction.SHORT if number % 5 == 4 else Direction.LONG
    quantity = Decimal(chance.randrange(400, 6000)) / 100
    signal = Signal(
        source=source,
        external_id=f"sig-{number:04d} {canary}".strip(),
        dedupe_hash=uuid.uuid5(uuid.NAMESPACE_OID, f"{world.tenant.pk}-{number}").hex,
        inst_id=inst_id,
        intent=intent,
        direction=direction,
        quantity_mode=QuantityMode.CONTRACTS,
        quantity_value=quantity,
        quantity=quantity,
        reference_price=price,
        status=SignalStatus.COPIED,
        raw=(
            f'{{\n  "id": "sig-{number:04d}",\n  "instrument": "{inst_id}",\n'
            f'  "intent": "{intent}",\n  "direction": "{direction}",\n'
            f'  "quantity": {{"mode": "contracts", "value": "{quantity}"}},\n'
            f'  "note": "{canary}"\n}}'
        ),
        signal_at=at,
        received_at=at + timedelta(milliseconds=40),
        copied_at=at + timedelta(milliseconds=55),
        expires_at=at + timedelta(seconds=60),
    )
    signal.save()
    world.signals.append(signal)
    links = [s for s in world.subscriptions if s.strategy_id == strategy.pk]
    for rank, link in enumerate(links):
        follow(world, chance, signal, link, rank)


def follow(
    world: World, chance: random.Random, signal: Signal, link: Subscription, rank: int
) -> None:
    number = len(world.signals) - 1
    quantity = (Decimal(signal.quantity or 0) * link.strategy.follow_ratio).quantize(
        Decimal("0.01")
    )
    reason = _reason(link, signal, rank, number)
    decision = Decision(
        signal=signal,
        subscription=link,
        account=link.account,
        link_uid=link.uid,
        outcome=DecisionOutcome.SKIPPED if reason else DecisionOutcome.COPIED,
        reason=reason or (Reason.CAPPED if rank % 11 == 10 else ""),
        numbers={
            "leader_before": "0",
            "leader_after": str(signal.quantity),
            "follow_ratio": str(link.strategy.follow_ratio),
            "raw_quantity": f"{Decimal(signal.quantity or 0) * link.strategy.follow_ratio:f}",
            **({} if reason else {"quantity": str(quantity)}),
            "lot_size": "0.01",
            "reference_price": str(signal.reference_price),
            "leverage": str(link.strategy.max_leverage),
        },
        decided_at=signal.received_at + timedelta(milliseconds=8 + rank // 4),
    )
    decision.save()
    world.decisions.append(decision)
    if not reason and quantity:
        _order(world, chance, decision, quantity, _state(number, rank))


def _reason(link: Subscription, signal: Signal, rank: int, number: int) -> str:
    account = link.account
    if account.key_status != KeyStatus.VERIFIED:
        return Reason.KEY_NOT_VERIFIED
    if account.status == AccountStatus.PAUSED:
        return Reason.ACCOUNT_DISABLED
    if account.customer.status != CustomerStatus.ACTIVE:
        return Reason.CUSTOMER_DISABLED
    if link.status == SubscriptionStatus.CLOSE_ONLY and signal.intent in {Intent.OPEN, Intent.ADD}:
        return Reason.CLOSE_ONLY
    if rank == 13:
        return Reason.DAILY_LIMIT
    return Reason.NOT_IN_CYCLE if (rank + number) % 17 == 16 else ""


def _state(number: int, rank: int) -> OrderState:
    special = {
        (0, 2): OrderState.UNKNOWN,
        (0, 5): OrderState.PARTIALLY_FILLED,
        (0, 6): OrderState.LIVE,
        (1, 8): OrderState.REJECTED,
        (3, 12): OrderState.CANCELED,
        (4, 1): OrderState.REJECTED,
        (6, 10): OrderState.EXPIRED,
        (7, 14): OrderState.MANUAL,
        (9, 6): OrderState.DENIED,
    }
    return special.get((number, rank), OrderState.FILLED)


def _order(
    world: World, chance: random.Random, decision: Decision, quantity: Decimal, state: OrderState
) -> Order:
    signal, account = decision.signal, decision.account
    opens = signal.intent in {Intent.OPEN, Intent.ADD}
    buys = opens == (signal.direction == Direction.LONG)
    created = decision.decided_at
    sent, acked = created + timedelta(milliseconds=6), None
    if state not in {OrderState.DENIED, OrderState.READY, OrderState.UNKNOWN, OrderState.MANUAL}:
        acked = sent + timedelta(
            milliseconds=60 + chance.randrange(60) + int(chance.expovariate(0.02))
        )
    price = Decimal(signal.reference_price or 1)
    done = {
        OrderState.FILLED: quantity,
        OrderState.PARTIALLY_FILLED: (quantity / 2).quantize(Decimal("0.01")),
    }.get(state, Decimal(0))
    refused = state == OrderState.REJECTED
    uid = uuid.uuid5(uuid.NAMESPACE_OID, f"{decision.pk}")
    order = Order(
        signal_at=signal.signal_at,
        signal=signal,
        decision=decision,
        subscription=decision.subscription,
        account=account,
        link_uid=decision.link_uid,
        leg={Intent.OPEN: Leg.OPEN, Intent.ADD: Leg.ADD, Intent.REDUCE: Leg.REDUCE}.get(
            Intent(signal.intent), Leg.CLOSE
        ),
        client_order_id=f"tst{uid.hex[:25]}".upper(),
        exchange_order_id=str(uid.int)[:16] if acked and not refused else "",
        lane_key=f"{account.pk}|{signal.inst_id}",
        lane_at=signal.received_at,
        market=account.market,
        inst_id=signal.inst_id,
        side=Side.BUY if buys else Side.SELL,
        position_side=PositionSide.NET,
        reduce_only=not opens,
        order_type=OrderType.MARKET,
        margin_mode="cross",
        leverage=Decimal(3),
        quantity=quantity,
        reference_price=price,
        notional=(quantity * price * Decimal(CONTRACT[signal.inst_id])).quantize(Decimal("0.01")),
        state=state,
        reason=_order_reason(state),
        exchange_code="51008" if refused else "",
        exchange_message="Order failed. Insufficient USDT margin in account" if refused else "",
        filled_quantity=done,
        average_price=price if done else None,
        fee=-(done * price * Decimal("0.000005")).quantize(Decimal("0.0001")),
        fee_currency="USDT",
        attempt=0 if state in {OrderState.DENIED, OrderState.READY} else 1,
        created_at=created,
        exp_at_ms=int((sent + timedelta(seconds=3)).timestamp() * 1000),
        sent_at=sent,
        acked_at=acked,
        finished_at=acked if state in {OrderState.FILLED, OrderState.REJECTED} else None,
    )
    order.save()
    world.orders.append(order)
    _story(order, chance)
    if state == OrderState.UNKNOWN:
        _settlements(world, order)
    if done:
        _fills(order, done, price, chance)
    return order


def _order_reason(state: OrderState) -> str:
    return {
        OrderState.REJECTED: Reason.INSUFFICIENT_MARGIN,
        OrderState.UNKNOWN: Reason.UNKNOWN_RESULT,
        OrderState.MANUAL: Reason.UNKNOWN_RESULT,
        OrderState.DENIED: Reason.TRADING_HALTED,
        OrderState.CANCELED: Reason.CANCELED_BY_SIGNAL,
    }.get(state, "")


def _story(order: Order, chance: random.Random) -> None:
    steps = STORIES[OrderState(order.state)]
    before, at = "", order.created_at
    final = order.acked_at or order.created_at + timedelta(seconds=3)
    for place, state in enumerate(steps):
        at = final if place == len(steps) - 1 else at + timedelta(milliseconds=2)
        heard = EventSource.ENGINE if place < 2 else EventSource.REST
        note = "connection closed after sending" if state == OrderState.UNKNOWN else ""
        OrderEvent(
            signal_at=order.signal_at, order=order, at=at, source=heard, from_state=before,
            to_state=state, note=note,
        ).save()  # fmt: skip
        before = state
    if not order.attempt:
        return
    outcome = {
        OrderState.UNKNOWN: Outcome.UNKNOWN,
        OrderState.MANUAL: Outcome.UNKNOWN,
        OrderState.REJECTED: Outcome.REJECTED,
        OrderState.EXPIRED: Outcome.NOT_PLACED,
    }.get(OrderState(order.state), Outcome.ACK)
    OrderAttempt(
        signal_at=order.signal_at,
        order=order,
        number=1,
        exp_at_ms=order.exp_at_ms or 0,
        started_at=order.sent_at or order.created_at,
        finished_at=order.acked_at,
        outcome=outcome,
        http_status=200 if order.acked_at else None,
        code=order.exchange_code or ("0" if outcome == Outcome.ACK else ""),
        message=order.exchange_message,
        excerpt="the connection was closed before an answer" if outcome == Outcome.UNKNOWN else "",
    ).save()


def _settlements(world: World, order: Order) -> None:
    """What a person tried for the stuck order, and what waits to be done."""
    at = order.created_at + timedelta(minutes=12)
    Settlement(
        order=order, kind=SettlementKind.ADOPT, exchange_order_id="4711", reason="Found it on OKX",
        asked_by=world.owner, asked_at=at, state=SettlementState.REFUSED, finished_at=at,
        result="OKX has no such order on this account.",
    ).save()  # fmt: skip
    Settlement(
        order=order, kind=SettlementKind.ADOPT, exchange_order_id="4712", open_key=order.pk.hex,
        reason="It was the next one", asked_by=world.owner, asked_at=at + timedelta(minutes=1),
    ).save()  # fmt: skip


def _fills(order: Order, done: Decimal, price: Decimal, chance: random.Random) -> None:
    parts = [done] if done < 1 else [(done / 2).quantize(Decimal("0.01"))]
    parts += [done - parts[0]] if done - parts[0] else []
    for number, part in enumerate(parts):
        at = (order.acked_at or order.created_at) + timedelta(milliseconds=5 + number)
        closing = Decimal(chance.randrange(-4000, 9000)) / 100 if order.reduce_only else Decimal(0)
        Fill(
            filled_at=at,
            account=order.account,
            order=order,
            inst_id=order.inst_id,
            trade_id=f"{order.pk.int % 10**9}{number}",
            exchange_order_id=order.exchange_order_id,
            side=order.side,
            position_side=order.position_side,
            quantity=part,
            price=price,
            fee=-(part * price * Decimal("0.000005")).quantize(Decimal("0.0001")),
            fee_currency="USDT",
            realized_pnl=closing,
            liquidity="taker",
            received_at=at + timedelta(milliseconds=30),
        ).save()
