"""What fills add up to: those of our orders, and those that are somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Case, Q, Sum, Value, When

from customers.models import ExchangeAccount
from trading.enums import PositionSide, Side
from trading.models import Fill

Key = tuple[int, str, str]  # account, instrument, position side
_NAMES = ("account_id", "inst_id", "position_side", "side")


@dataclass(slots=True)
class Sums:
    """Contracts, signed as a position of that side is."""

    ours: Decimal = Decimal(0)
    external: Decimal = Decimal(0)


def sum_fills(accounts: Sequence[ExchangeAccount]) -> dict[Key, Sums]:
    """By holding, since each account's books began."""
    found: dict[Key, Sums] = {}
    for row in _rows(accounts):
        key = (row["account_id"], row["inst_id"], row["position_side"])
        sums = found.setdefault(key, Sums())
        if row["mine"]:
            sums.ours += _signed(row)
        else:
            sums.external += _signed(row)
    return found


def _rows(accounts: Sequence[ExchangeAccount]) -> Iterable[Mapping[str, Any]]:
    which = Q(account_id__in=[a.pk for a in accounts if a.books_since is None])
    for account in accounts:
        if account.books_since is not None:
            which |= Q(account_id=account.pk, filled_at__gte=account.books_since)
    mine = Case(
        When(order__isnull=False, then=Value(True)),
        default=Value(False),
        output_field=BooleanField(),
    )
    rows = Fill.objects.filter(which).order_by().annotate(mine=mine)
    if connection.vendor == "mysql":
        summed: Iterable[Mapping[str, Any]] = rows.values(*_NAMES, "mine").annotate(
            total=Sum("quantity")
        )
        return summed
    # SQLite would add exact decimals as floats.
    each = rows.values(*_NAMES, "mine", "quantity").iterator()
    return ({**row, "total": row["quantity"]} for row in each)


def _signed(row: Mapping[str, Any]) -> Decimal:
    total: Decimal = row["total"]
    opens = Side.SELL if row["position_side"] == PositionSide.SHORT else Side.BUY
    return total if row["side"] == opens else -total
