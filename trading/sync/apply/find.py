"""Which of our orders a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from customers.models import ExchangeAccount
from trading.exchange.types import FillReport, OrderReport
from trading.models import Order

# The exchange tells nothing older than this.
_REACH = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Found:
    by_client_id: dict[str, Order]
    by_exchange_id: dict[str, Order]

    def order_of(self, report: OrderReport | FillReport) -> Order | None:
        """Ours by our own id, else by the exchange's id that we noted."""
        order = self.by_client_id.get(report.client_order_id)
        return order or self.by_exchange_id.get(report.exchange_order_id)


def find_orders(
    account: ExchangeAccount, reports: Sequence[OrderReport | FillReport], *, now: datetime
) -> Found:
    """Our orders on this account that the reports name, the most recent of each name.

    Looked up by the exchange's id only where our own id is unknown: that has no index of its own.
    """
    names = {report.client_order_id for report in reports} - {""}
    # In no order: SQLite would read the whole account by its dates to spare itself the sorting.
    mine = Order.objects.filter(account=account).order_by()
    rows = mine.filter(client_order_id__in=names) if names else ()
    by_name = {row.client_order_id: row for row in sorted(rows, key=lambda row: row.created_at)}
    others = {r.exchange_order_id for r in reports if r.client_order_id not in by_name} - {""}
    recent = mine.filter(created_at__gte=now - _REACH, exchange_order_id__in=others)
    by_id = {row.exchange_order_id: row for row in recent} if others else {}
    # One row is one object, however many reports name it.
    same = {row.id: row for row in by_name.values()}
    return Found(by_name, {name: same.get(row.id, row) for name, row in by_id.items()})
