"""The numbers a decision was made with, each under a name that people know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.display import figure, rounded
from config.portal.figures import Fact, size_text
from trading.enums import Leg, Reason
from trading.explaining.figures import exact, money

Show = Callable[[Decimal, str], str]


def _plain(value: Decimal, _inst_id: str) -> str:
    return rounded(value)


def _seconds(value: Decimal, _inst_id: str) -> str:
    return _("%(seconds)s s") % {"seconds": rounded(value, 3)}


def _times(value: Decimal, _inst_id: str) -> str:
    return f"{figure(value)}×"


def _size(value: Decimal, inst_id: str) -> str:
    return size_text(value, inst_id)


# In the order in which they came about.
NAMES: Final[Mapping[str, tuple[Any, Show]]] = {
    "leader_before": (gettext_lazy("Leader's position before"), _plain),
    "leader_after": (gettext_lazy("Leader's position after"), _plain),
    "signal_age_seconds": (gettext_lazy("Age of the signal"), _seconds),
    "mark_age_seconds": (gettext_lazy("Age of the last price"), _seconds),
    "open_positions": (gettext_lazy("Open positions with this one"), _plain),
    "expected": (gettext_lazy("You held, orders under way included"), _size),
    "target": (gettext_lazy("Your share of the leader's position"), _size),
    "wanted": (gettext_lazy("Your exact share"), _size),
    "lots": (gettext_lazy("Rounded down to what OKX trades in"), _size),
    "rounded_up": (gettext_lazy("Raised to the smallest order"), _size),
    "order_notional": (gettext_lazy("At most, by the limit per order"), _size),
    "daily_notional": (gettext_lazy("At most, by what is left of the day"), _size),
    "position_notional": (gettext_lazy("At most, by the limit per position"), _size),
    "order_quantity": (gettext_lazy("At most, by the limit of contracts"), _size),
    "exchange_maximum": (gettext_lazy("At most, by OKX"), _size),
    "min_size": (gettext_lazy("Smallest order on OKX"), _size),
    "max_size": (gettext_lazy("Largest order on OKX"), _size),
    "order_value": (gettext_lazy("Value of the whole share"), money),
    "used": (gettext_lazy("Traded today before"), money),
    "limit": (gettext_lazy("The limit"), _plain),
    "leverage": (gettext_lazy("Leverage"), _times),
    "price": (gettext_lazy("Price it was sized with"), _plain),
    "quantity": (gettext_lazy("Ordered"), _size),
}


def spoken_numbers(numbers: Mapping[str, Any], inst_id: str) -> list[Fact]:
    """What is known under a name; a flip has the numbers of both its steps."""
    facts = []
    for leg in ("", f"{Leg.CLOSE}.", f"{Leg.OPEN}."):
        for name, (label, show) in NAMES.items():
            value = exact(numbers.get(leg + name))
            if value is not None:
                step = f"{Leg(leg[:-1]).label}: " if leg else ""
                facts.append(Fact(f"{step}{label}", show(value, inst_id)))
        capped = numbers.get(f"{leg}capped_by")
        if capped in Reason.values:
            facts.append(Fact(_("Limited by"), Reason(capped).label))
    return facts
