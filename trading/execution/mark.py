"""The last look before an order leaves: one transaction that checks and marks.

What is marked carries the number of the attempt that is about to be made, and the deadline that
the exchange will be told. After a crash anywhere later, the row says that it may have been sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from customers.enums import AccountStatus, CustomerStatus, KeyStatus
from strategies.enums import StrategyStatus, SubscriptionStatus
from trading.departing import Attempt, Marked
from trading.endpoints import endpoint_of
from trading.enums import (
    RESTING_TYPES,
    EventSource,
    Leg,
    LimitKind,
    OrderCause,
    OrderState,
    OrderType,
    Reason,
    Side,
    TradingMode,
)
from trading.execution.clock import clock_of
from trading.execution.flips import dropped, flat_after, is_late, tell_dropped
from trading.execution.lanes import ready_heads
from trading.execution.using import hold_usage, usage_of
from trading.faults import faultpoint
from trading.guards import Guards, read_guards
from trading.leases import db_now
from trading.models import Instrument, MarketPrice, Order
from trading.orders import why_canceled
from trading.outgoing import Outgoing, may_be_handed, renew
from trading.positions_held import NOTHING, Holding, base_of, read_holdings, rules_of
from trading.protections import lingering
from trading.risk import (
    LimitValue,
    OrderNumbers,
    PriceNumbers,
    RiskContext,
    RiskVerdict,
    check,
    effective_limits,
)
from trading.sizing import resize_at_send
from trading.switch import (
    Covered,
    Switchboard,
    hold_switches,
    limits_of_account,
    read_switchboard,
)
from trading.transition import Change, retried, transition
from trading.usage import Usage

RETRY_HALTED = timedelta(seconds=1)
CANCEL_PATIENCE = timedelta(seconds=60)
RETRY_PACED = timedelta(milliseconds=200)
# What stands in the way for a moment only: the order keeps its place until it expires.
WAITS = {Reason.TRADING_HALTED: RETRY_HALTED, Reason.SENDS_ABOVE_LIMIT: RETRY_PACED}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read for one batch."""

    now: datetime
    boards: Mapping[int, Switchboard]
    instruments: Mapping[tuple[str, str], Instrument]
    mark_times: Mapping[tuple[str, str], datetime | None]
    holdings: Mapping[UUID, Holding]
    close_ended: Mapping[UUID, bool]
    guards: Guards
    lingering: Set[UUID]
    usage: Usage
    bound: dict[tuple[Any, ...], Mapping[LimitKind, LimitValue]] = field(default_factory=dict)


@retried
@transaction.atomic
def mark(
    orders: Sequence[Order | Outgoing],
    locked: Mapping[UUID, str],
    unset: Set[UUID] = frozenset(),
) -> list[Marked]:
    """Check the orders once more and mark those that may go; the others say why not.

    Runs in the scope of all tenants. `locked` names the orders whose leverage the
    exchange would not set; `unset` those for whom nobody asked it to, which go with another
    round. Every switch stays as it is until this transaction ends.
    """
    now = db_now()
    known = {o.id: o for o in orders if isinstance(o, Outgoing) and may_be_handed(o)}
    heads = ready_heads([order.id for order in orders], now, known)
    if not heads:
        return []
    hold_switches(order.tenant_id for order in heads)
    renew([order for order in heads if order.id in known])
    seen = _look(heads, now, adds=True)
    changes: list[Change] = []
    attempts: list[Attempt] = []
    for order in heads:
        change, attempt = _judge(order, seen, locked.get(order.id), order.id in unset)
        if change is not None:
            changes.append(change)
        if attempt is not None:
            attempts.append(attempt)
            seen.usage.take(order)
    written = transition(changes, source=EventSource.ENGINE, at=now)
    tell_dropped(written)
    taken = {one.order.id: one.order for one in written if one.to == OrderState.SENDING}
    marked = [Marked(taken[a.order_id], a) for a in attempts if a.order_id in taken]
    seen.usage.pace.add(len(marked))
    faultpoint("S5.before_commit")
    return marked


def not_refused(orders: Iterable[Outgoing]) -> set[UUID]:
    """Which of these may go as things stand, before anything is asked of the exchange for them.

    Only `mark` decides: it looks again, with the switches held.
    """
    listed = list(orders)
    seen = _look(listed, db_now())
    return {order.id for order in listed if refusal(order, seen, None) is None}


def _look(heads: Sequence[Outgoing], now: datetime, *, adds: bool = False) -> Seen:
    """`adds`: what may leave is marked, and counts for whoever looks next."""
    inst_ids = {order.inst_id for order in heads}
    markets = {order.market for order in heads}
    prices = list(MarketPrice.objects.filter(market__in=markets, inst_id__in=inst_ids))
    boards = {t: read_switchboard(t) for t in {order.tenant_id for order in heads}}
    instruments = {
        (i.market, i.inst_id): i
        for i in Instrument.objects.filter(market__in=markets, inst_id__in=inst_ids)
    }
    if adds:
        hold_usage(heads, boards)
    bases = {i.inst_id: i.base_currency for i in instruments.values() if i.is_spot}
    cycles = {order.cycle_id for order in heads if order.cycle_id and not order.opens}
    awaited = {order.waits_for for order in heads if order.waits_for}
    return Seen(
        now=now,
        boards=boards,
        instruments=instruments,
        mark_times={(p.market, p.inst_id): p.mark_at for p in prices},
        holdings=read_holdings(cycles, bases),
        close_ended=flat_after(awaited, bases),
        guards=read_guards(prices=prices, now=now),
        lingering=lingering(heads),
        usage=usage_of(heads, boards, now),
    )


def _judge(
    order: Outgoing, seen: Seen, locked: str | None, unset: bool
) -> tuple[Change | None, Attempt | None]:
    """Mark it, put it off (no change of state), or end it with its reason."""
    refused = refusal(order, seen, locked)
    if refused is not None:
        return refused, None
    if unset:  # what stood in its way went meanwhile: its leverage is still the account's old one
        return Change(order, OrderState.READY, {"not_before": seen.now + RETRY_PACED}), None
    quantity = _quantity(order, seen)
    if quantity <= 0:
        if _may_still_fill(order, seen):
            return Change(order, OrderState.READY, {"not_before": seen.now + RETRY_HALTED}), None
        return _end(order, OrderState.DENIED, _why_nothing(order, seen)), None
    number, exp_at_ms = order.attempt + 1, deadline_of(order)
    attempt = Attempt(order.signal_at, order.id, number, exp_at_ms, seen.now)
    columns = {
        "quantity": quantity,
        "attempt": attempt.number,
        "exp_at_ms": attempt.exp_at_ms,
        "lease_until": lease_of(order, seen.now),
        "claim_token": uuid.uuid4(),
        "not_found_count": 0,
        "last_not_found_at": None,
        "sent_at": seen.now,
        "not_before": None,
        "reason": Reason.NONE,
    }
    return Change(order, OrderState.SENDING, columns), attempt


def refusal(order: Outgoing, seen: Seen, locked: str | None) -> Change | None:
    """Why the order may not leave now, as the step that this means; None when it may."""
    if order.cancel_requested:
        return _end(order, OrderState.CANCELED, why_canceled(order.reason))
    if order.opens and order.expires_at is not None and seen.now > order.expires_at:
        return _end(order, OrderState.EXPIRED, Reason.EXPIRED)
    if locked is not None:
        return _end(order, OrderState.DENIED, Reason.LEVERAGE_LOCKED, locked)
    if order.waits_for and not seen.close_ended.get(order.waits_for, False):
        return _drop_flip(order, seen.now)
    if order.id in seen.lingering:
        return Change(order, OrderState.READY, {"not_before": seen.now + RETRY_HALTED})
    verdict = check(Leg(order.leg), _context(order, seen))
    return None if verdict.passed else _refused(order, verdict, seen.now)


def _refused(order: Outgoing, verdict: RiskVerdict, now: datetime) -> Change:
    """A halt is often short, and a reduction must not be lost: both are kept and tried again."""
    reason = verdict.reason
    for_good = reason in (Reason.FLATTENING, Reason.FLATTEN_OVER)
    if for_good or (order.opens and reason not in WAITS):
        return _end(order, OrderState.DENIED, reason, _in_figures(verdict))
    why = {} if reason in WAITS else {"reason": reason}
    later = now + WAITS.get(reason, RETRY_HALTED)
    return Change(order, OrderState.READY, {"not_before": later, **why})


def _in_figures(verdict: RiskVerdict) -> str:
    """The reason with the numbers behind it, for the order's diary."""
    figures = ", ".join(f"{name} {value.normalize():f}" for name, value in verdict.numbers)
    return f"{verdict.reason.label}: {figures}" if figures else str(verdict.reason.label)


def _drop_flip(order: Outgoing, now: datetime) -> Change:
    """The close ended without the position being gone: wait for the last fills, not for ever."""
    if is_late(order, now):
        return dropped(order)
    return Change(order, OrderState.READY, {"not_before": now + RETRY_HALTED})


def _context(order: Outgoing, seen: Seen) -> RiskContext:
    account, subscription = order.account, order.subscription
    # A following that has stopped copies nothing; staff and repairs still close what it left.
    ends = not order.opens and order.cause != OrderCause.SIGNAL
    key = (order.market, order.inst_id)
    instrument = seen.instruments.get(key)
    mark_at = seen.mark_times.get(key)
    covered = Covered(
        tenant_id=order.tenant_id,
        account_id=order.account_id,
        customer_id=account.customer_id,
        inst_id=order.inst_id,
        strategy_id=subscription.strategy_id if subscription else None,
    )
    board = seen.boards[order.tenant_id]
    modes: tuple[TradingMode, ...] = board.modes_for(covered, flattens=order.flattens)
    notional = order.notional or Decimal(0)
    held = seen.usage.held_beside(order)
    return RiskContext(
        modes=modes,
        flattens=order.flattens,
        customer_active=account.customer.status == CustomerStatus.ACTIVE,
        account_enabled=account.status == AccountStatus.ACTIVE,
        key_verified=account.key_status == KeyStatus.VERIFIED,
        subscription_status=SubscriptionStatus(
            subscription.status if subscription and not ends else SubscriptionStatus.ACTIVE
        ),
        strategy_status=StrategyStatus(
            subscription.strategy.status if subscription else StrategyStatus.ACTIVE
        ),
        instrument_known=instrument is not None,
        instrument_trading=instrument is None or instrument.is_live,
        mark_age=None if mark_at is None else max(seen.now - mark_at, timedelta(0)),
        max_mark_age=timedelta(seconds=settings.MARK_STALE_AFTER_S),
        # A limit that was lowered since: what the order alone would already break.
        leverage=order.leverage,
        order=OrderNumbers(order.quantity, notional, held + notional, _proportional(order)),
        asked=_asked(order),
        leg_number=order.leg_number,
        limits=_limits(order, board, covered, seen),
        **seen.usage.context(order),
        **seen.guards.context(
            account_id=order.account_id,
            market=order.market,
            inst_id=order.inst_id,
            subscription_id=order.subscription_id,
        ),
    )


def _asked(order: Outgoing) -> PriceNumbers:
    """What the order asks of the market, as it was decided."""
    reference, buys, discount = order.reference_price, order.side == Side.BUY, Decimal(0)
    waits = order.order_type in RESTING_TYPES and order.subscription_id is not None
    if waits and reference and order.price is not None:
        better = reference - order.price if buys else order.price - reference
        discount = max(better / reference, discount)
    return PriceNumbers(
        price=order.price,
        discount=discount,
        reference=reference,
        max_slippage=order.max_slippage,
        buys=buys,
        is_bound=order.order_type == OrderType.IOC,
    )


def _limits(
    order: Outgoing, board: Switchboard, covered: Covered, seen: Seen
) -> Mapping[LimitKind, LimitValue]:
    """What binds the order, worked out once for all that are bound by the same."""
    own = tuple(limits_of_account(order.account))
    scopes = tuple(scope for scope in covered.scope_keys() if scope in board.limits)
    key = (order.tenant_id, own, scopes)
    found = seen.bound.get(key)
    if found is None:
        listed = [*own, *board.limits_for(covered)]
        found = seen.bound[key] = effective_limits(listed)
    return found


def _proportional(order: Outgoing) -> Decimal | None:
    """What the follower's position should be beside the leader's, as its cycle was begun."""
    cycle = order.cycle
    if not order.opens or cycle is None or not cycle.leader_base or order.leader_after is None:
        return None
    share: Decimal = cycle.follower_base * order.leader_after / cycle.leader_base
    return share


def _quantity(order: Outgoing, seen: Seen) -> Decimal:
    """A reduction is sized anew from what is really filled; an opening stays as decided."""
    if order.opens or order.cycle is None or order.flattens:
        return Decimal(order.quantity)
    instrument = seen.instruments.get((order.market, order.inst_id))
    if instrument is None:
        return Decimal(order.quantity)
    held = seen.holdings.get(order.cycle.pk, NOTHING)
    rules = rules_of(instrument)
    left: Decimal = resize_at_send(
        base_of(order.cycle),
        order.leader_after or Decimal(0),
        held.filled,
        rules,
        Leg(order.leg),
    )
    several = [p for p in held.parts if p.signal_id == order.signal_id and not p.is_final]
    most = order.quantity if len(several) > 1 else left
    largest = rules.max_size(limit_order=order.order_type != OrderType.MARKET)
    return min(left, most, left if largest is None else largest)


def _may_still_fill(order: Outgoing, seen: Seen) -> bool:
    """Waiting orders of its position are being canceled: what fills of them it closes as well."""
    held = seen.holdings.get(order.cycle_id, NOTHING) if order.cycle_id else NOTHING
    return held.leaving > 0 and seen.now - order.created_at < CANCEL_PATIENCE


def _why_nothing(order: Outgoing, seen: Seen) -> Reason:
    held = seen.holdings.get(order.cycle_id, NOTHING) if order.cycle_id else NOTHING
    return Reason.ALREADY_AT_TARGET if held.filled > 0 else Reason.ALREADY_FLAT


def deadline_of(order: Outgoing) -> int:
    """Until when the exchange may take the order if it is sent now: ms of the exchange's time."""
    clock = clock_of(endpoint_of(order.account))
    return clock.now_ms() + round(_ttl(order) / timedelta(milliseconds=1))


def lease_of(order: Outgoing, now: datetime) -> datetime:
    """Until when nobody else may ask what became of the order."""
    return now + _ttl(order) + timedelta(seconds=settings.LEASE_MARGIN_S)


def _ttl(order: Outgoing) -> timedelta:
    market = order.order_type in (OrderType.MARKET, OrderType.IOC, OrderType.FOK)
    seconds = settings.ORDER_TTL_MARKET_S if market else settings.ORDER_TTL_LIMIT_S
    return timedelta(seconds=seconds)


def _end(order: Outgoing, to: OrderState, reason: Reason, note: str = "") -> Change:
    return Change(order, to, {"reason": reason}, note=note or str(reason.label))
