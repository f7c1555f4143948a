"""What the exchange says of take profits and stop losses: ours are kept true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from customers.models import ExchangeAccount
from trading.enums import OrderCause, ProtectionState
from trading.exchange.algos import AlgoReport, AlgoState
from trading.models import Order, Protection
from trading.protections import write_protection
from trading.sync.apply.claim import claimed

_STATE = {
    AlgoState.LIVE: ProtectionState.LIVE,
    AlgoState.PAUSE: ProtectionState.LIVE,
    AlgoState.PARTIALLY_EFFECTIVE: ProtectionState.LIVE,
    AlgoState.EFFECTIVE: ProtectionState.TRIGGERED,
    AlgoState.CANCELED: ProtectionState.CANCELED,
    AlgoState.ORDER_FAILED: ProtectionState.FAILED,
    AlgoState.PARTIALLY_FAILED: ProtectionState.FAILED,
}
CAUSES = {"tp": OrderCause.TAKE_PROFIT, "sl": OrderCause.STOP_LOSS}


def apply_algos(account: ExchangeAccount, reports: Sequence[AlgoReport]) -> int:
    """Write down what became of our protections; how many changed. Repeating it changes nothing."""
    if not reports:
        return 0
    with claimed(account) as now:
        rows = Protection.objects.filter(
            account=account, client_algo_id__in={r.client_algo_id for r in reports} - {""}
        )
        ours = {row.client_algo_id: row for row in rows}
        return sum(
            _write(ours[report.client_algo_id], report, now)
            for report in reports
            if report.client_algo_id in ours
        )


def _write(row: Protection, report: AlgoReport, now: datetime) -> bool:
    """A triggered one stays live until its order is ours: the look at it must be repeated."""
    if _was_given_up(row) and _STATE[report.state] == ProtectionState.LIVE:
        return _take_back(row)
    unseen = report.state == AlgoState.EFFECTIVE and not _are_ours(row, report)
    Protection.objects.filter(pk=row.pk).update(checked_at=None if unseen else now)
    if unseen:
        return False
    if report.actual_side in CAUSES:
        _name_cause(row, CAUSES[report.actual_side])
    columns: dict[str, Any] = {
        "state": _STATE[report.state],
        "exchange_algo_id": report.exchange_algo_id,
        "exchange_code": report.fail_code[:16],
        "take_profit": report.take_profit.price if report.take_profit else None,
        "stop_loss": report.stop_loss.price if report.stop_loss else None,
    }
    if report.quantity is not None:
        columns["quantity"] = report.quantity
    return write_protection(row, columns, at=now)


def _was_given_up(row: Protection) -> bool:
    """It ended because the exchange did not show it, not because the exchange said so."""
    return not row.is_active and bool(row.reason)


def _take_back(row: Protection) -> bool:
    """It is there after all. It ends with its cycle as every other: who believed it gone would
    leave it behind, and it would hit the next position. Old news is found out by the next look.
    """
    matched: int = Protection.objects.filter(pk=row.pk, version=row.version).update(
        state=ProtectionState.LIVE,
        reason="",
        finished_at=None,
        checked_at=None,
        version=row.version + 1,
    )
    return matched == 1


def _are_ours(row: Protection, report: AlgoReport) -> bool:
    ids = report.exchange_order_ids
    orders = Order.objects.filter(account_id=row.account_id, exchange_order_id__in=ids)
    return bool(orders.count() >= len(ids))


def _name_cause(row: Protection, cause: OrderCause) -> None:
    """Which of the two prices it was, known for certain; an order's own report does not say."""
    if row.triggered_by == cause:
        return
    Protection.objects.filter(pk=row.pk).update(triggered_by=cause)
    row.triggered_by = cause
    if row.closing_order_id is not None:
        Order.objects.filter(pk=row.closing_order_id).update(cause=cause)
