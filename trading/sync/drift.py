"""Where an account's positions are not what our own fills add up to. Found, never traded on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum

from customers.models import ExchangeAccount
from trading.enums import OrderState, PositionSide, Side
from trading.models import Fill, Instrument, Order, Position

Holding = tuple[str, str]  # instrument, position side
_MOVING = (
    OrderState.SENDING,
    OrderState.UNKNOWN,
    OrderState.LIVE,
    OrderState.PARTIALLY_FILLED,
)


def find_drifts(account: ExchangeAccount) -> list[dict[str, str]]:
    """Every difference, with its class. Needs the account's desk to be open.

    in_flight: an order of ours may just be changing it. external: nothing of ours explains
    it. missing, under, over, wrong_side: the exchange has none, less, more, or the opposite
    of what our fills add up to.
    """
    ours, held = _ours(account), _held(account)
    moving = set(
        Order.objects.filter(account=account, state__in=_MOVING).values_list("inst_id", flat=True)
    )
    drifts = []
    for holding in sorted(ours.keys() | held.keys()):
        exchange = held.get(holding, Decimal(0))
        own = ours.get(holding, Decimal(0))
        if exchange != own:
            inst_id, position_side = holding
            drifts.append(
                {
                    "inst_id": inst_id,
                    "position_side": position_side,
                    "exchange": f"{exchange:f}",
                    "ours": f"{own:f}",
                    "class": "in_flight" if inst_id in moving else classify(exchange, own),
                }
            )
    return drifts


def classify(exchange: Decimal, ours: Decimal) -> str:
    if ours == 0:
        return "external"
    if exchange == 0:
        return "missing"
    if (exchange > 0) != (ours > 0):
        return "wrong_side"
    return "over" if abs(exchange) > abs(ours) else "under"


def _held(account: ExchangeAccount) -> dict[Holding, Decimal]:
    held: dict[Holding, Decimal] = {}
    for row in Position.objects.filter(account=account).open():
        holding = (row.inst_id, row.position_side)
        held[holding] = held.get(holding, Decimal(0)) + row.quantity
    return held


def _ours(account: ExchangeAccount) -> dict[Holding, Decimal]:
    """The sum of the fills of our orders; spot has balances instead of positions."""
    sums: dict[Holding, Decimal] = {}
    for row in _sides(account):
        holding = (row["inst_id"], row["position_side"])
        sums[holding] = sums.get(holding, Decimal(0)) + _signed(row)
    spot = set(
        Instrument.objects.filter(
            market=account.market, inst_type="SPOT", inst_id__in={inst_id for inst_id, _ in sums}
        ).values_list("inst_id", flat=True)
    )
    return {holding: total for holding, total in sums.items() if holding[0] not in spot}


def _sides(account: ExchangeAccount) -> Any:
    fills = Fill.objects.filter(account=account, order__isnull=False).order_by()
    if account.books_since is not None:
        fills = fills.filter(filled_at__gte=account.books_since)
    rows = fills.values("inst_id", "position_side", "side")
    if connection.vendor == "mysql":
        return rows.annotate(total=Sum("quantity"))
    # SQLite would add exact decimals as floats.
    return ({**row, "total": row["quantity"]} for row in rows.values(*_NAMES).iterator())


_NAMES = ("inst_id", "position_side", "side", "quantity")


def _signed(row: Mapping[str, Any]) -> Decimal:
    total: Decimal = row["total"]
    opens = Side.SELL if row["position_side"] == PositionSide.SHORT else Side.BUY
    return total if row["side"] == opens else -total
