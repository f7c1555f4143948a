"""Orders that a protection of ours became: they are ours, with their cause, and never external."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

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
    ProtectionState,
    Side,
)
from trading.exchange.types import OrderReport
from trading.models import Decision, ExternalOrder, Fill, Order, Protection
from trading.positions_held import NOTHING, read_holdings
from trading.protections import write_protection
from trading.system_orders import first_event, order_terms, signal_terms, write_decision


@dataclass(frozen=True, slots=True)
class _Triggered:
    """A report, the protection it came from, and which of its prices was reached."""

    protection: Protection
    report: OrderReport
    cause: OrderCause


def adopt_triggered(
    account: ExchangeAccount, reports: Sequence[OrderReport], *, now: datetime
) -> int:
    """Make an order of ours of each report that names a protection of ours. Needs the claim.

    Repeating it changes nothing. The orders are written as sent; what the reports say of them
    is applied afterwards, as to every order.
    """
    named = {r.exchange_order_id: r for r in reports if r.client_algo_id or r.exchange_algo_id}
    if not named:
        return 0
    known = set(
        Order.objects.filter(account=account, exchange_order_id__in=set(named)).values_list(
            "exchange_order_id", flat=True
        )
    )
    fresh = [report for name, report in named.items() if name not in known]
    found = _protections(account, fresh)
    for one in found:
        _adopt(account, one, now)
    return len(found)


def _protections(account: ExchangeAccount, reports: Sequence[OrderReport]) -> list[_Triggered]:
    mine = Protection.objects.filter(account=account)
    by_name = {
        row.client_algo_id: row
        for row in mine.filter(client_algo_id__in={r.client_algo_id for r in reports} - {""})
    }
    by_id = {
        row.exchange_algo_id: row
        for row in mine.filter(exchange_algo_id__in={r.exchange_algo_id for r in reports} - {""})
    }
    found = []
    for report in reports:
        row = by_name.get(report.client_algo_id) or by_id.get(report.exchange_algo_id)
        if row is not None:
            found.append(_Triggered(row, report, _cause(row, report)))
    return found


def _cause(row: Protection, report: OrderReport) -> OrderCause:
    """The price that was reached: of two the nearer one, until the exchange names it."""
    if row.triggered_by:
        return OrderCause(row.triggered_by)
    if row.take_profit is None or row.stop_loss is None:
        return OrderCause.STOP_LOSS if row.take_profit is None else OrderCause.TAKE_PROFIT
    price = report.average_price or report.price
    if price is None:
        return OrderCause.STOP_LOSS
    nearer = abs(price - row.take_profit) < abs(price - row.stop_loss)
    return OrderCause.TAKE_PROFIT if nearer else OrderCause.STOP_LOSS


def _adopt(account: ExchangeAccount, one: _Triggered, now: datetime) -> None:
    row, report = one.protection, one.report
    signal = _signal(account, one, now)
    decision = _decision(account, one, signal, now)
    order = _order(account, one, decision, now)
    order.save(force_insert=True)
    first_event(order, EventSource.ENGINE, now).save(force_insert=True)
    write_protection(
        row,
        {
            "state": ProtectionState.TRIGGERED,
            "triggered_by": one.cause,
            "closing_order_id": order.pk,
            "exchange_algo_id": row.exchange_algo_id or report.exchange_algo_id,
        },
        at=now,
    )
    if row.closing_order_id is None:  # the protection's own report was here first
        Protection.objects.filter(pk=row.pk).update(closing_order=order)
    Fill.objects.filter(
        account=account, exchange_order_id=report.exchange_order_id, order__isnull=True
    ).update(order=order)
    ExternalOrder.objects.filter(
        account=account, exchange_order_id=report.exchange_order_id
    ).delete()


def _signal(account: ExchangeAccount, one: _Triggered, now: datetime) -> Signal:
    """Every order has a signal; this one is the system's own, and there is nothing to copy."""
    row, report = one.protection, one.report
    identity = f"protection {row.pk} {report.exchange_order_id}"
    signal = Signal(
        **signal_terms(account, system_source(account.tenant), identity, report.quantity, now),
        inst_id=row.inst_id,
        intent=Intent.CLOSE,
        direction=Direction.LONG if row.side == Side.SELL else Direction.SHORT,
        raw=json.dumps({"cause": one.cause, "protection": str(row.pk)}),
        signal_at=report.created_at,
    )
    signal.save(force_insert=True)
    return signal


def _decision(account: ExchangeAccount, one: _Triggered, signal: Signal, now: datetime) -> Decision:
    row = one.protection
    price = row.take_profit if one.cause == OrderCause.TAKE_PROFIT else row.stop_loss
    numbers = {
        "quantity": f"{one.report.quantity:f}",
        **({} if price is None else {"price": f"{price:f}"}),
    }
    return write_decision(signal, account, row.cycle, row.link_uid, numbers, now)


def _order(
    account: ExchangeAccount,
    one: _Triggered,
    decision: Decision,
    now: datetime,
) -> Order:
    row, report = one.protection, one.report
    price = row.take_profit if one.cause == OrderCause.TAKE_PROFIT else row.stop_loss
    return Order(
        **order_terms(decision, account, (row.inst_id, PositionSide(row.position_side))),
        cycle=row.cycle,
        leg=_leg(row, report.quantity),
        cause=one.cause,
        exchange_order_id=report.exchange_order_id,
        lane_at=report.created_at,
        side=report.side.value,
        position_side=report.position_side.value,
        reduce_only=report.reduce_only,
        order_type=_type(report),
        margin_mode=report.margin_mode.value,
        quantity=report.quantity,
        price=report.price,
        reference_price=price,
        state=OrderState.SENDING,
        attempt=1,
        created_at=now,
        sent_at=report.created_at,
    )


def _type(report: OrderReport) -> str:
    known = report.order_type.value in OrderType.values
    return report.order_type.value if known else OrderType.MARKET


def _leg(row: Protection, quantity: Decimal) -> Leg:
    if row.cycle_id is None:
        return Leg.CLOSE
    held = read_holdings([row.cycle_id]).get(row.cycle_id, NOTHING).filled
    return Leg.CLOSE if quantity >= held else Leg.REDUCE
