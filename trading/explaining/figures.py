"""The figures of an explanation, formatted; one that is not known is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import ngettext

from accounts.display import figure

# A flip has two legs, whose numbers carry a prefix; what a reason speaks of is the opening.
PREFIXES = ("", "open.", "close.")


def number(numbers: Mapping[str, Any], name: str) -> Decimal | None:
    """One stored decimal string, of whichever leg; None where there is none."""
    for prefix in PREFIXES:
        found = exact(numbers.get(prefix + name))
        if found is not None:
            return found
    return None


def exact(value: object) -> Decimal | None:
    try:
        found = None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def word(numbers: Mapping[str, Any], name: str) -> str:
    return str(next((numbers[p + name] for p in PREFIXES if p + name in numbers), ""))


def money(value: Decimal, inst_id: str) -> str:
    """An amount in the currency the instrument is quoted in."""
    parts = inst_id.split("-")
    return f"{figure(value, 2)} {parts[1] if len(parts) > 1 else 'USDT'}"


def percent(ratio: Decimal | None) -> Decimal | None:
    """In hundredths, to two places."""
    return None if ratio is None else (ratio * 100).quantize(Decimal("0.01"))


def quantity(value: Decimal, inst_id: str) -> str:
    """Contracts; on spot the base currency itself."""
    parts = inst_id.split("-")
    if len(parts) == 2:  # noqa: PLR2004 - a spot pair
        return f"{figure(value)} {parts[0]}"
    said = ngettext("%(count)s contract", "%(count)s contracts", 1 if value == 1 else 2)
    return said % {"count": figure(value)}


def first_that_fits(templates: Iterable[Any], values: Mapping[str, str]) -> str:
    """The first text for which every figure is known; the last of them needs none."""
    for template in templates:
        try:
            return str(template) % values
        except KeyError:
            continue
    return ""
