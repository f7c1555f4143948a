"""What fills add up to: those of our orders, and those that are somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Case, Q, Sum, Value, When

from customers.models import ExchangeAccount
from trading.enums import PositionSide, Scope, Side
from trading.models import Fill, FlattenAccount

Key = tuple[int, str, str]  # account, instrument, position side
_NAMES = ("account_id", "inst_id", "position_side", "side")


@dataclass(slots=True)
class Sums:
    """Contracts, signed as a position of that side is."""

    ours: Decimal = Decimal(0)
    external: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Beginnings:
    """Since when fills explain what is held, of accounts and of single instruments of them; where
    neither is named, all of them do.
    """

    of_accounts: Mapping[int, datetime]
    of_places: Mapping[tuple[int, str], datetime]

    def of(self, account_id: int, inst_id: str) -> datetime | None:
        known = (self.of_accounts.get(account_id), self.of_places.get((account_id, inst_id)))
        return max((at for at in known if at is not None), default=None)


def books_begin(accounts: Sequence[ExchangeAccount]) -> Beginnings:
    """Whoever flattened an account closed our own and the customer's together, by orders of ours:
    what was traded before it was read to be flat explains nothing after it.

    Of a strategy only what is ours is closed: that begins nothing.
    """
    whole = {a.pk: a.books_since for a in accounts if a.books_since is not None}
    places: dict[tuple[int, str], datetime] = {}
    rows = FlattenAccount.objects.filter(
        account_id__in=[account.pk for account in accounts], flat_at__isnull=False
    ).exclude(run__state__scope=Scope.STRATEGY)
    columns = ("account_id", "run__state__scope", "run__state__inst_id", "flat_at")
    for account, scope, inst_id, flat_at in rows.order_by().values_list(*columns):
        if scope == Scope.INSTRUMENT:
            place = (account, inst_id)
            places[place] = max(flat_at, places.get(place, flat_at))
        else:
            whole[account] = max(flat_at, whole.get(account, flat_at))
    return Beginnings(whole, places)


def sum_fills(accounts: Sequence[ExchangeAccount], since: Beginnings) -> dict[Key, Sums]:
    """By holding, since each account's books began."""
    found: dict[Key, Sums] = {}
    for row in _rows(accounts, since):
        key = (row["account_id"], row["inst_id"], row["position_side"])
        sums = found.setdefault(key, Sums())
        if row["mine"]:
            sums.ours += _signed(row)
        else:
            sums.external += _signed(row)
    return found


def _rows(accounts: Sequence[ExchangeAccount], since: Beginnings) -> Iterable[Mapping[str, Any]]:
    begun = since.of_accounts
    which = Q(account_id__in=[account.pk for account in accounts if account.pk not in begun])
    for account_id, at in begun.items():
        which |= Q(account_id=account_id, filled_at__gte=at)
    for (account_id, inst_id), at in since.of_places.items():
        which &= ~Q(account_id=account_id, inst_id=inst_id, filled_at__lt=at)
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
