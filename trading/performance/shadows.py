"""A following and its shadow side by side: the same signals, two decisions, what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from signals.models import Signal
from strategies.models import Subscription
from trading.models import Decision, Order
from trading.positions_held import INCREASES

ZERO: Final = Decimal(0)
SHOWN: Final = 50


@dataclass(slots=True)
class Side:
    """What one of the two decided on a signal, and what its orders became."""

    outcome: str = ""
    reason: str = ""
    ordered: Decimal = ZERO
    filled: Decimal = ZERO
    value: Decimal = ZERO
    pnl: Decimal = ZERO
    orders: int = 0

    @property
    def price(self) -> Decimal | None:
        """The average over its orders."""
        return self.value / self.filled if self.filled else None


@dataclass(slots=True)
class Row:
    """One signal."""

    signal: Signal
    live: Side = field(default_factory=Side)
    shadow: Side = field(default_factory=Side)

    @property
    def differs(self) -> bool:
        """One of them copied it and the other did not, or for another reason."""
        return (self.live.outcome, self.live.reason) != (self.shadow.outcome, self.shadow.reason)

    @property
    def pnl(self) -> Decimal:
        """What the shadow gained more."""
        return self.shadow.pnl - self.live.pnl

    @property
    def price(self) -> Decimal | None:
        """By what part of the live price the shadow's is higher."""
        if not self.live.price or self.shadow.price is None:
            return None
        return (self.shadow.price - self.live.price) / self.live.price


@dataclass(frozen=True, slots=True)
class Total:
    """All since the shadow began."""

    signals: int = 0
    fills: int = 0
    pnl: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Comparison:
    rows: Sequence[Row]
    live: Total
    shadow: Total

    @property
    def pnl(self) -> Decimal:
        return self.shadow.pnl - self.live.pnl

    @property
    def differences(self) -> int:
        return sum(row.differs for row in self.rows)


def compare(shadow: Subscription, *, limit: int = SHOWN) -> Comparison:
    """The last signals that either decided since the shadow began, and the totals since then.

    A fixed number of queries. Fees are part of the PnL; what is still open is not.
    """
    live = shadow.shadow_of
    assert live is not None  # noqa: S101 - a shadow has one
    rows = _rows(live, shadow, limit)
    orders = _orders(live, shadow)
    for link, signal_id, *numbers in orders:
        row = rows.get(signal_id)
        if row is not None:
            _add(row.shadow if link == shadow.uid else row.live, *numbers)
    return Comparison(list(rows.values()), _total(orders, live.uid), _total(orders, shadow.uid))


def _rows(live: Subscription, shadow: Subscription, limit: int) -> dict[UUID, Row]:
    since = shadow.started_at or shadow.created_at
    decided: list[Decision] = []
    for link in (live, shadow):
        mine = Decision.objects.filter(
            account_id=link.account_id, link_uid=link.uid, decided_at__gte=since
        )
        decided += mine.select_related("signal__source").order_by("-decided_at", "-id")[:limit]
    newest = sorted(
        {one.signal_id: one.signal for one in decided}.values(),
        key=lambda signal: (signal.received_at, signal.pk),
        reverse=True,
    )[:limit]
    rows = {signal.pk: Row(signal) for signal in newest}
    for one in decided:
        if one.signal_id in rows:
            row = rows[one.signal_id]
            side = row.shadow if one.link_uid == shadow.uid else row.live
            side.outcome, side.reason = one.outcome, one.reason
    return rows


def _orders(live: Subscription, shadow: Subscription) -> list[Any]:
    since = shadow.started_at or shadow.created_at
    return list(
        Order.objects.filter(
            account_id__in=(live.account_id, shadow.account_id),
            link_uid__in=(live.uid, shadow.uid),
            created_at__gte=since,
        )
        .order_by()
        .values_list(
            "link_uid", "signal_id", "leg", "quantity", "filled_quantity", "average_price",
            "realized_pnl", "fee",
        )
    )  # fmt: skip


def _add(  # noqa: PLR0913, PLR0917 - the columns of an order
    side: Side,
    leg: str,
    quantity: Decimal,
    filled: Decimal,
    price: Decimal | None,
    pnl: Decimal,
    fee: Decimal,
) -> None:
    sign = 1 if leg in INCREASES else -1
    side.ordered += sign * quantity
    side.filled += filled
    side.value += filled * (price or ZERO)
    side.pnl += pnl + fee
    side.orders += 1


def _total(orders: Sequence[Any], link_uid: UUID) -> Total:
    mine = [order for order in orders if order[0] == link_uid]
    return Total(
        signals=len({order[1] for order in mine}),
        fills=sum(order[4] > 0 for order in mine),
        pnl=sum((order[6] + order[7] for order in mine), ZERO),
    )
