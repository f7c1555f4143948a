"""The numbers behind a decision, each under a name that staff read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from accounts.display import figure
from accounts.structures import name_parts
from strategies.enums import SizingMode
from trading.enums import Leg, LimitKind, Reason
from trading.explaining.figures import exact

NAMES: Final[Mapping[str, Any]] = {
    **{kind.value: kind.label for kind in LimitKind},
    "allocation": _("At most, by allocated capital"),
    "available": _("Available balance"),
    "capped_by": _("Limited by"),
    "equity": _("Equity"),
    "exposure": _("At most, by what all positions may be"),
    "leader_entry": _("Leader's average entry"),
    "leader_equity": _("Leader's equity"),
    "reversed": _("The other way round"),
    "sizing": _("Sizing"),
    "traded_as": _("Traded as"),
    "exchange_maximum": _("At most, by OKX"),
    "bound": _("Worst price"),
    "expected": _("Held, orders under way included"),
    "farthest_price": _("Farthest price"),
    "leader_after": _("Leader's position after"),
    "leader_before": _("Leader's position before"),
    "leverage": _("Leverage"),
    "leverage_capped_by": _("Leverage limited by"),
    "limit": _("The limit"),
    "lots": _("Rounded down to what OKX trades in"),
    "mark_age_seconds": _("Age of the last price"),
    "max_size": _("Largest order on OKX"),
    "min_size": _("Smallest order on OKX"),
    "nearest_price": _("Nearest price"),
    "open_positions": _("Open positions with this one"),
    "order_value": _("Value of the whole share"),
    "price": _("Price it was sized with"),
    "price_away": _("Distance of the price from the mark"),
    "quantity": _("Ordered"),
    "reason": _("Reason"),
    "reference_price": _("Leader's price"),
    "rounded_up": _("Raised to the smallest order"),
    "rungs": _("Waiting orders"),
    "signal_age_seconds": _("Age of the signal"),
    "slippage": _("Worse than the leader's price by"),
    "target": _("Share of the leader's position"),
    "used": _("Used of it before"),
    "waiting_orders": _("Orders of this source that wait"),
    "wanted": _("Exact share"),
}


def told_numbers(numbers: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Name and value, in the order in which they came about; a flip names the leg too."""
    return [(_name(key), _value(value)) for key, value in numbers.items()]


def _name(key: str) -> str:
    leg, dot, name = key.rpartition(".")
    words = str(NAMES.get(name) or name.replace("_", " ").capitalize())
    return f"{Leg(leg).label}: {words}" if dot and leg in Leg.values else words


def _value(value: Any) -> Any:
    """A word for what has one; figures as on every other page."""
    if value in SizingMode.values:
        return SizingMode(value).label
    if value == "yes":
        return _("Yes")
    if value in Reason.values:
        return Reason(value).label
    number = exact(value)
    return value if number is None else figure(number)


name_parts("trading.decision", _name, lambda _key, value: _value(value))
