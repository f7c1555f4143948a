"""Executions, each kept once whichever way and however often it is heard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from accounts.bulk import insert_many
from customers.models import ExchangeAccount
from trading.enums import EventSource, OrderState, Reason
from trading.exchange.types import FillReport
from trading.models import Fill, Order
from trading.orders import OrderFacts, merge_report
from trading.sync.apply.claim import Applied, Contended, announce, claimed, known_instruments
from trading.sync.apply.external import Stranger, write_strangers
from trading.sync.apply.find import Found, find_orders
from trading.sync.apply.quarantine import UNKNOWN_INSTRUMENT, set_aside
from trading.sync.apply.steps import next_state, write_steps
from trading.transition import Change

_TRIES = 3


def apply_fills(
    account: ExchangeAccount, reports: Sequence[FillReport], *, source: EventSource
) -> Applied:
    """Write down executions, from the fills history. Repeating it changes nothing.

    Fills of orders that are not ours are kept without an order. An order of ours that filled
    further than was known is brought up to its fills.
    """
    with claimed(account) as now:
        return announce(account, write_fill_history(account, reports, source=source, now=now))


def write_fill_history(
    account: ExchangeAccount, reports: Sequence[FillReport], *, source: EventSource, now: datetime
) -> Applied:
    known = known_instruments(account.market, {report.inst_id for report in reports})
    believed = [report for report in reports if report.inst_id in known]
    for report in reports:
        if report.inst_id not in known:
            set_aside(account, "fill", UNKNOWN_INSTRUMENT, repr(report), now=now)
    applied = Applied(quarantined=len(reports) - len(believed))
    for _ in range(_TRIES):
        orders, doubles = _sort_out(believed, find_orders(account, believed, now=now))
        applied += Applied(fills=insert_fills(account, believed, orders=orders, now=now))
        applied += write_strangers(account, doubles, now=now)
        written, lost = _raise_orders(account, orders, source=source, now=now)
        applied += written
        if not lost:
            return applied
    raise Contended(f"fills of account {account.pk}")


def insert_fills(
    account: ExchangeAccount,
    reports: Iterable[FillReport],
    *,
    orders: Mapping[str, Order],
    now: datetime,
) -> int:
    """Insert the fills that are not there; `orders` by exchange order id. Needs the claim."""
    heard = {_identity(report): report for report in reports}
    if not heard:
        return 0
    there = _stored_fills(account, heard)
    fresh = [
        _fill(account, report, orders.get(report.exchange_order_id), now)
        for identity, report in heard.items()
        if identity not in there
    ]
    insert_many(fresh)
    return len(fresh) + _adopt(there, orders)


def _identity(fill: FillReport | Fill) -> tuple[str, str, str]:
    return (fill.inst_id, fill.trade_id, fill.exchange_order_id)


def _stored_fills(
    account: ExchangeAccount, heard: Mapping[tuple[str, str, str], FillReport]
) -> dict[tuple[str, str, str], Fill]:
    rows = Fill.objects.filter(
        account=account,
        inst_id__in={inst_id for inst_id, _, _ in heard},
        trade_id__in={trade_id for _, trade_id, _ in heard},
    )
    return {_identity(row): row for row in rows if _identity(row) in heard}


def _adopt(there: Mapping[tuple[str, str, str], Fill], orders: Mapping[str, Order]) -> int:
    """Give fills that were heard before their order was known to it."""
    adopted = 0
    for fill in there.values():
        order = orders.get(fill.exchange_order_id)
        if fill.order_id is None and order is not None:
            adopted += Fill.objects.filter(
                id=fill.id, filled_at=fill.filled_at, order__isnull=True
            ).update(order=order)
    return adopted


def _fill(account: ExchangeAccount, report: FillReport, order: Order | None, now: datetime) -> Fill:
    return Fill(
        account=account,
        order=order,
        inst_id=report.inst_id,
        trade_id=report.trade_id,
        exchange_order_id=report.exchange_order_id,
        side=report.side.value,
        position_side=report.position_side.value,
        quantity=report.quantity,
        price=report.price,
        fee=report.fee,
        fee_currency=report.fee_currency,
        realized_pnl=report.realized_pnl,
        liquidity=report.liquidity,
        filled_at=report.filled_at,
        received_at=now,
    )


def _sort_out(
    reports: Sequence[FillReport], found: Found
) -> tuple[dict[str, Order], list[Stranger]]:
    """Our orders by exchange order id, and fills of a second order under one of our names."""
    orders: dict[str, Order] = {}
    named: dict[UUID, str] = {}
    doubles: list[Stranger] = []
    for report in sorted(reports, key=lambda fill: (fill.filled_at, fill.exchange_order_id)):
        order = found.order_of(report)
        if order is None:
            continue
        first = named.setdefault(order.id, order.exchange_order_id or report.exchange_order_id)
        if first == report.exchange_order_id:
            orders[first] = order
        else:
            doubles.append(Stranger.of_fill(report, order))
    return orders, doubles


def _raise_orders(
    account: ExchangeAccount, orders: Mapping[str, Order], *, source: EventSource, now: datetime
) -> tuple[Applied, bool]:
    """Bring orders up to the sum of their fills; True when another writer was faster."""
    fills: dict[UUID, list[Fill]] = {}
    for row in Fill.objects.filter(account=account, exchange_order_id__in=set(orders)):
        if row.order_id is not None and row.inst_id == orders[row.exchange_order_id].inst_id:
            fills.setdefault(row.order_id, []).append(row)
    raised = [
        _raised(order, exchange_order_id, fills.get(order.id, []), now)
        for exchange_order_id, order in orders.items()
    ]
    changes = [change for change in raised if change is not None]
    return write_steps(changes, source=source, at=now) if changes else (Applied(), False)


def _raised(
    order: Order, exchange_order_id: str, fills: Sequence[Fill], now: datetime
) -> Change | None:
    filled = sum((fill.quantity for fill in fills), Decimal(0))
    if filled <= order.filled_quantity:
        return None
    value = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
    reached = OrderState.FILLED if filled >= order.quantity else OrderState.PARTIALLY_FILLED
    merged = merge_report(
        OrderFacts(OrderState(order.state), order.filled_quantity, order.average_price),
        OrderFacts(reached, filled, value / filled),
    )
    # The exchange's own time stays as it was: its report of the order still has more to say.
    columns = {
        "exchange_order_id": exchange_order_id,
        "filled_quantity": merged.filled_quantity,
        "average_price": merged.average_price,
        "fee": sum((fill.fee for fill in fills), Decimal(0)),
        "fee_currency": fills[0].fee_currency,
        "realized_pnl": sum((fill.realized_pnl for fill in fills), Decimal(0)),
        "acked_at": order.acked_at or now,
        "reason": Reason.NONE if order.reason == Reason.UNKNOWN_RESULT else order.reason,
    }
    return Change(order, next_state(order, merged.state), columns, note="brought up to its fills")
