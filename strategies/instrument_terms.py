"""What a strategy or a subscription does differently with one of the leader's instruments.

Kept as JSON by the leader's instrument id, with decimals as text; typed by people as lines:
`BTC-USDT-SWAP: traded_as BTC-USDC-SWAP, follow_ratio 0.2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

# The amounts of a strategy by the smallest value that each may have.
AMOUNTS: Final[Mapping[str, Decimal]] = {
    "follow_ratio": Decimal("0.0001"),
    "equity_multiplier": Decimal("0.0001"),
    "fixed_notional": Decimal("0.01"),
    "fixed_margin": Decimal("0.01"),
    "fixed_quantity": Decimal("0.00000001"),
    "available_ratio": Decimal("0.0001"),
    "risk_ratio": Decimal("0.0001"),
    "leverage": Decimal(1),
    "max_leverage": Decimal(1),
}
SHARES: Final = frozenset({"available_ratio", "risk_ratio"})  # of a whole: 1 at most
TRADED_AS: Final = "traded_as"
ALLOWED: Final = "allowed"
_YES_NO: Final = {"yes": True, "no": False}


def as_lines(terms: Mapping[str, Mapping[str, Any]]) -> str:
    """One line for each instrument, as people type it."""
    return "\n".join(
        f"{inst_id}: {', '.join(f'{name} {_said(value)}' for name, value in own.items())}"
        for inst_id, own in terms.items()
    )


def from_lines(text: str) -> dict[str, dict[str, Any]]:
    """What the lines say. Raises ValueError with the line that cannot be understood."""
    found: dict[str, dict[str, Any]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        inst_id, colon, rest = line.partition(":")
        if not colon or not inst_id.strip():
            raise ValueError(line)
        own = found.setdefault(inst_id.strip().upper(), {})
        for part in filter(None, map(str.strip, rest.split(","))):
            name, *value = part.replace("=", " ").split()
            if len(value) != 1:
                raise ValueError(line)
            own[name.lower()] = _meant(name.lower(), value[0])
    return found


def amount_of(own: Mapping[str, Any], name: str) -> Decimal | None:
    """A decimal of one instrument's terms; None where it says nothing."""
    value = own.get(name)
    return None if value is None else Decimal(value)


def is_amount(name: str, value: object) -> bool:
    """Whether a value may be stored for an amount: decimal text within its bounds."""
    if not isinstance(value, str):
        return False
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    most = Decimal(1) if name in SHARES else Decimal(10) ** 15
    return number.is_finite() and AMOUNTS[name] <= number <= most


def base_currency(inst_id: str) -> str:
    return inst_id.partition("-")[0]


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _meant(name: str, value: str) -> Any:
    if name == ALLOWED:
        return _YES_NO.get(value.lower(), value)
    return value.upper() if name == TRADED_AS else value
