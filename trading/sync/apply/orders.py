"""Reports about orders: ours are merged, the others are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Any

from customers.models import ExchangeAccount
from trading.enums import RESTING_TYPES, ActionKind, EventSource, OrderState, OrderType, Reason
from trading.exchange.types import OrderReport
from trading.exchange.types import OrderState as ExchangeState
from trading.models import Action, Order
from trading.orders import RANK, OrderFacts, merge_report, why_canceled
from trading.sync.apply.claim import (
    Applied,
    Contended,
    announce,
    claimed,
    differing,
    known_instruments,
)
from trading.sync.apply.external import Stranger, write_strangers
from trading.sync.apply.fills import insert_fills
from trading.sync.apply.find import Found, find_orders
from trading.sync.apply.quarantine import UNKNOWN_INSTRUMENT, set_aside
from trading.sync.apply.steps import next_state, write_steps
from trading.sync.apply.triggered import adopt_triggered
from trading.transition import Change

_TRIES = 3
_STATE = {
    ExchangeState.LIVE: OrderState.LIVE,
    ExchangeState.PARTIALLY_FILLED: OrderState.PARTIALLY_FILLED,
    ExchangeState.FILLED: OrderState.FILLED,
    ExchangeState.CANCELED: OrderState.CANCELED,
    ExchangeState.MMP_CANCELED: OrderState.CANCELED,
}


def apply_orders(
    account: ExchangeAccount, reports: Sequence[OrderReport], *, source: EventSource
) -> Applied:
    """Write down what the exchange says about orders. Repeating it, in any order, changes nothing.

    Ours keep the furthest of all reports and never fall back; a larger fill after the end is
    applied and goes into the diary. A second exchange order id under one client order id of
    ours never overwrites the first: it is recorded as a double. All else is external.
    """
    with claimed(account) as now:
        return announce(account, write_orders(account, reports, source=source, now=now))


def write_orders(
    account: ExchangeAccount, reports: Sequence[OrderReport], *, source: EventSource, now: datetime
) -> Applied:
    known = known_instruments(account.market, {report.inst_id for report in reports})
    believed = [report for report in reports if report.inst_id in known]
    for report in reports:
        if report.inst_id not in known:
            set_aside(account, "order", UNKNOWN_INSTRUMENT, repr(report), now=now)
    applied = Applied(quarantined=len(reports) - len(believed))
    if not believed:
        return applied
    adopt_triggered(account, believed, now=now)
    for _ in range(_TRIES):
        news = _sort_out(believed, find_orders(account, believed, now=now))
        written, lost = _write(news.ours, source=source, now=now)
        applied += written
        if not lost:
            return applied + _write_rest(account, believed, news, now=now)
    raise Contended(f"orders of account {account.pk}")


@dataclass(frozen=True, slots=True)
class _News:
    ours: list[tuple[Order, list[OrderReport]]] = field(default_factory=list)
    strangers: list[Stranger] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)  # ours by exchange order id


def _sort_out(reports: Sequence[OrderReport], found: Found) -> _News:
    news = _News()
    mine: dict[object, tuple[str, list[OrderReport]]] = {}
    for report in reports:
        order = found.order_of(report)
        if order is None:
            news.strangers.append(Stranger.of_order(report, None))
            continue
        if order.id not in mine:
            mine[order.id] = (order.exchange_order_id or report.exchange_order_id, [])
            news.ours.append((order, mine[order.id][1]))
        first, heard = mine[order.id]
        if report.exchange_order_id == first and report.inst_id == order.inst_id:
            heard.append(report)
            news.orders[first] = order
        else:
            news.strangers.append(Stranger.of_order(report, order))
    return news


def _write_rest(
    account: ExchangeAccount, reports: Sequence[OrderReport], news: _News, *, now: datetime
) -> Applied:
    fills = [report.last_fill for report in reports if report.last_fill is not None]
    inserted = insert_fills(account, fills, orders=news.orders, now=now)
    return Applied(fills=inserted) + write_strangers(account, news.strangers, now=now)


def _write(
    ours: Sequence[tuple[Order, list[OrderReport]]], *, source: EventSource, now: datetime
) -> tuple[Applied, bool]:
    changes = [_change(order, reports, now) for order, reports in ours if reports]
    wanted = [change for change in changes if change is not None]
    return write_steps(wanted, source=source, at=now) if wanted else (Applied(), False)


def _change(order: Order, reports: Sequence[OrderReport], now: datetime) -> Change | None:
    merged = reduce(merge_report, map(_facts, reports), _facts_so_far(order))
    best = max(reports, key=_progress)
    to = next_state(order, merged.state)
    wanted: dict[str, Any] = {
        "exchange_order_id": order.exchange_order_id or best.exchange_order_id,
        "filled_quantity": merged.filled_quantity,
        "average_price": merged.average_price,
        "exchange_updated_at": merged.updated_at,
        "acked_at": order.acked_at or now,
    }
    if _progress(best) >= _progress_so_far(order):
        wanted |= _told(order, best)
    columns = differing(order, wanted)
    if to == order.state and not columns:
        return None
    return Change(order, to, columns, note=_note(best) if to != order.state else "")


def _facts(report: OrderReport) -> OrderFacts:
    return OrderFacts(
        state=_STATE[report.state],
        filled_quantity=report.filled_quantity,
        average_price=report.average_price,
        updated_at=report.updated_at,
        exchange_order_id=report.exchange_order_id,
    )


def _facts_so_far(order: Order) -> OrderFacts:
    return OrderFacts(
        state=OrderState(order.state),
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
        updated_at=order.exchange_updated_at,
        exchange_order_id=order.exchange_order_id,
    )


def _progress(report: OrderReport) -> tuple[Decimal, int, float]:
    return (report.filled_quantity, RANK[_STATE[report.state]], report.updated_at.timestamp())


def _progress_so_far(order: Order) -> tuple[Decimal, int, float]:
    heard = order.exchange_updated_at
    rank = RANK[OrderState(order.state)]
    return (order.filled_quantity, rank, heard.timestamp() if heard else 0)


def _told(order: Order, report: OrderReport) -> dict[str, Any]:
    """The columns of the furthest report alone."""
    told: dict[str, Any] = {
        "fee": report.fee,
        "fee_currency": report.fee_currency or order.fee_currency,
        "realized_pnl": report.realized_pnl,
        "leverage": order.leverage if report.leverage is None else report.leverage,
    }
    if order.reason == Reason.UNKNOWN_RESULT:
        told["reason"] = Reason.NONE
    if report.order_type.value in RESTING_TYPES and not order.is_final:
        # Changed by us or by the customer: the exchange's terms are the ones that count.
        told["quantity"] = report.quantity
        told["price"] = order.price if report.price is None else report.price
    if _STATE[report.state] == OrderState.CANCELED and not order.is_final:
        told["reason"] = _why_canceled(order, report)
        told["exchange_code"] = (report.code or order.exchange_code)[:16]
        told["exchange_message"] = (report.message or order.exchange_message)[:300]
    return told


def _why_canceled(order: Order, report: OrderReport) -> str:
    if order.cancel_requested:
        return _who_asked(order)
    if order.order_type == OrderType.IOC:
        return Reason.UNDERFILLED_SLIPPAGE
    if report.filled_quantity > 0:
        return Reason.UNDERFILLED
    return Reason.EXCHANGE_CANCELED


def _who_asked(order: Order) -> str:
    by_staff = Action.objects.filter(order=order, kind=ActionKind.CANCEL, entered_by__isnull=False)
    if by_staff.exists():
        return Reason.CANCELED_BY_STAFF
    return why_canceled(order.reason)


def _note(report: OrderReport) -> str:
    if _STATE[report.state] != OrderState.CANCELED or not report.cancel_source:
        return ""
    return f"cancel source {report.cancel_source}"
