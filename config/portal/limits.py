"""A limit that stopped or cut an order, as a bar: used, this order, and where the limit lies."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.enums import Reason
from trading.explaining.figures import number
from trading.models import Decision

WHOLE = Decimal(100)


@dataclass(frozen=True)
class LimitBar:
    """Amounts in the quote currency; widths are text percentages for SVG attributes."""

    used: Decimal
    order: Decimal
    limit: Decimal
    over: Decimal
    used_width: str
    order_width: str
    mark: str


def limit_bar(decision: Decision) -> LimitBar | None:
    """None where no amount stood against a limit."""
    numbers = decision.numbers
    order, limit = number(numbers, "order_value"), number(numbers, "limit")
    by = {decision.reason, *(str(v) for k, v in numbers.items() if k.endswith("capped_by"))}
    if order is None or limit is None or not by & set(IN_MONEY):
        return None
    used = number(numbers, "used") or Decimal(0)
    most = max(used + order, limit)
    if most <= 0:
        return None
    most = most * Decimal("1.04")
    return LimitBar(
        used=used,
        order=order,
        limit=limit,
        over=used + order - limit,
        used_width=_part(used, most),
        order_width=_part(order, most),
        mark=_part(limit, most),
    )


# A limit per position also counts what is held, which is not among the numbers.
IN_MONEY = (Reason.ORDER_NOTIONAL_ABOVE_LIMIT, Reason.DAILY_LIMIT)


def _part(value: Decimal, most: Decimal) -> str:
    return f"{value * WHOLE / most:.2f}%"
