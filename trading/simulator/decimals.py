"""Exact numbers: strict reading, plain writing, steps."""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

EXACT = Context(prec=80)
ZERO = Decimal(0)
MONEY_STEP = Decimal("1e-16")

_NUMBER = re.compile(r"[0-9]{1,24}(\.[0-9]{1,24})?", re.ASCII)


def parse_number(text: str) -> Decimal | None:
    """A plain non-negative decimal such as `0.01`, or None for anything else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def parse_whole(text: str, most_digits: int = 20) -> int | None:
    """A whole non-negative number in ASCII digits, or None for anything else."""
    fits = text.isascii() and text.isdigit() and len(text) <= most_digits
    return int(text) if fits else None


def plain(value: Decimal) -> str:
    """The number without exponent and without trailing zeros."""
    if not value:
        return "0"
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def round_money(value: Decimal) -> Decimal:
    return value.quantize(MONEY_STEP, rounding=ROUND_HALF_EVEN, context=EXACT)


def divide(value: Decimal, by: Decimal) -> Decimal:
    """A quotient rounded to the money step."""
    return round_money(EXACT.divide(value, by))


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    count = EXACT.divide(value, step).to_integral_value(rounding=ROUND_DOWN)
    return EXACT.multiply(count, step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return EXACT.remainder(value, step) == 0
