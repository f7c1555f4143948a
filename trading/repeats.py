"""Openings like the one before: a sender that stutters, unless fast additions are meant."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from trading.enums import Leg, OrderState
from trading.models import Order

WINDOW = timedelta(seconds=2)
NOT_MADE = (OrderState.DENIED, OrderState.EXPIRED)


@dataclass(frozen=True, slots=True)
class Repeats:
    """What was opened within the window: the sizes of other signals by side, per account
    and instrument."""

    made: dict[tuple[int, str], set[tuple[str, Decimal]]] = field(default_factory=dict)

    def has(self, account_id: int, inst_id: str, side: str, quantity: Decimal) -> bool:
        return (side, quantity) in self.made.get((account_id, inst_id), ())


NO_REPEATS = Repeats()


def read_repeats(
    account_ids: Collection[int], inst_ids: Collection[str], *, but_signal: UUID, now: datetime
) -> Repeats:
    """One query. A signal's slices count as the one order they are."""
    if not account_ids:
        return NO_REPEATS
    rows = (
        Order.objects.filter(
            account_id__in=account_ids,
            inst_id__in=inst_ids,
            created_at__gte=now - WINDOW,
            leg__in=(Leg.OPEN, Leg.ADD),
        )
        .exclude(state__in=NOT_MADE)
        .exclude(signal_id=but_signal)
        .values_list("account_id", "inst_id", "signal_id", "side", "quantity")
    )
    sizes: dict[tuple[int, str, UUID, str], Decimal] = {}
    for account_id, inst_id, signal_id, side, quantity in rows:
        key = (account_id, inst_id, signal_id, side)
        sizes[key] = sizes.get(key, Decimal(0)) + quantity
    made: dict[tuple[int, str], set[tuple[str, Decimal]]] = {}
    for (account_id, inst_id, _signal, side), quantity in sizes.items():
        made.setdefault((account_id, inst_id), set()).add((side, quantity))
    return Repeats(made)
