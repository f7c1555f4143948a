"""The rows of the portal's pages: figures ready to be shown, and nothing that could be changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.display import figure, percent
from signals.enums import Direction
from trading.enums import PositionSide
from trading.models import Instrument, Order, Position


@dataclass(frozen=True)
class Held:
    """An open position with its size in coins and its profit as a part of what it cost."""

    position: Position
    direction: Direction
    contracts: str
    base: str
    gain: str
    settled_in: str


def held(positions: Iterable[Position]) -> list[Held]:
    """One query for the instruments of all of them."""
    rows = list(positions)
    known = instruments({(row.account.market, row.inst_id) for row in rows})
    return [_held(row, known.get((row.account.market, row.inst_id))) for row in rows]


def _held(row: Position, instrument: Instrument | None) -> Held:
    size = abs(row.quantity)
    short = row.position_side == PositionSide.SHORT or row.quantity < 0
    return Held(
        position=row,
        direction=Direction.SHORT if short else Direction.LONG,
        contracts=size_text(size, row.inst_id),
        base=base_text(size, instrument),
        gain=_gain(row, size, instrument),
        settled_in=settled_in(row.inst_id),
    )


def instruments(wanted: set[tuple[str, str]]) -> dict[tuple[str, str], Instrument]:
    if not wanted:
        return {}
    found = Instrument.objects.filter(
        market__in={market for market, _ in wanted}, inst_id__in={name for _, name in wanted}
    )
    return {(row.market, row.inst_id): row for row in found}


def size_text(size: Decimal, inst_id: str) -> str:
    """Contracts; on spot the coin itself."""
    parts = inst_id.split("-")
    if len(parts) == 2:  # noqa: PLR2004 - a spot pair
        return f"{figure(size)} {parts[0]}"
    said = ngettext("%(count)s contract", "%(count)s contracts", 1 if size == 1 else 2)
    return said % {"count": figure(size)}


def settled_in(inst_id: str) -> str:
    """The currency of its profit and loss: of an inverse contract the coin itself."""
    parts = inst_id.split("-")
    if len(parts) < 2:  # noqa: PLR2004 - not a pair
        return ""
    return parts[0] if len(parts) > 2 and parts[1] == "USD" else parts[1]  # noqa: PLR2004


def amount(value: Decimal, currency: str) -> str:
    """To cents where there are cents, else as exact as it is."""
    return figure(value, 2 if currency.startswith("USD") else None, sign=True)


def base_text(size: Decimal, instrument: Instrument | None) -> str:
    if instrument is None or instrument.is_spot or instrument.contract_type == "inverse":
        return ""
    return f"{figure(size * instrument.contract_value)} {instrument.base_currency}"


def _gain(row: Position, size: Decimal, instrument: Instrument | None) -> str:
    """Unrealized profit as a part of what the position cost, unleveraged; "" where not known."""
    if instrument is None or instrument.contract_type == "inverse" or not row.average_price:
        return ""
    cost = size * instrument.contract_value * row.average_price
    return percent(row.unrealized_pnl / cost, sign=True) if cost else ""


@dataclass(frozen=True)
class Fact:
    """A label and its figure, for the pages of one order or decision."""

    label: str
    value: Any


def order_facts(order: Order) -> list[Fact]:
    """What was ordered, in the customer's words."""
    return [
        Fact(_("Quantity"), size_text(order.quantity, order.inst_id)),
        Fact(_("Filled"), size_text(order.filled_quantity, order.inst_id)),
        Fact(_("Average price"), figure(order.average_price)),
        Fact(_("Type"), order.get_order_type_display()),
        *([Fact(_("Limit price"), figure(order.price))] if order.price is not None else []),
        Fact(_("Leverage"), "—" if order.leverage is None else f"{figure(order.leverage)}×"),
        Fact(
            _("Realized profit"),
            f"{amount(order.realized_pnl, settled_in(order.inst_id))} {settled_in(order.inst_id)}",
        ),
        Fact(_("Fee"), f"{figure(order.fee)} {order.fee_currency}".strip()),
    ]
