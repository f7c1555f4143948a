"""One reader per kind of field; each answers a value or names the field and the fault."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import TextChoices

from signals.parsing.normal import ParseError
from signals.parsing.strict_json import shown_key

MAX_INTEGER_DIGITS = 20
MAX_DECIMALS = 18
MAX_ID_LETTERS = 128
MAX_INSTRUMENT_LETTERS = 40
MIN_YEAR = 2000

_INSTRUMENT = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+){1,4}")
_NUMBER = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,2})?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?"
)

Fields = dict[str, Any]
Choice = TypeVar("Choice", bound=TextChoices)


def refuse_unknown(fields: Fields, known: Iterable[str], prefix: str = "") -> None:
    for key in fields:
        if key not in known:
            raise ParseError(prefix + shown_key(key), "unknown field")


def required(fields: Fields, name: str, prefix: str = "") -> Any:
    """The field's value; null is the same as absent."""
    value = fields.get(name)
    if value is None:
        raise ParseError(prefix + name, "required")
    return value


def text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise ParseError(path, "must be a string")
    return value


def choice(value: object, path: str, allowed: Iterable[Choice]) -> Choice:
    options = tuple(allowed)
    for option in options:
        if value == option.value:
            return option
    raise ParseError(path, "must be one of " + ", ".join(option.value for option in options))


def identifier(value: object, path: str) -> str:
    external_id = text(value, path)
    if not external_id.strip():
        raise ParseError(path, "must not be empty")
    if len(external_id) > MAX_ID_LETTERS:
        raise ParseError(path, f"longer than {MAX_ID_LETTERS} letters")
    if any(unicodedata.category(letter) == "Cc" for letter in external_id):
        raise ParseError(path, "contains control characters")
    if "{{" in external_id:  # it would make all alerts of a chart one signal
        raise ParseError(path, "contains an unresolved placeholder")
    return external_id


def instrument(value: object, path: str) -> str:
    inst_id = text(value, path)
    if len(inst_id) > MAX_INSTRUMENT_LETTERS:
        raise ParseError(path, f"longer than {MAX_INSTRUMENT_LETTERS} letters")
    if not _INSTRUMENT.fullmatch(inst_id):
        raise ParseError(path, "must be an OKX instrument id such as BTC-USDT-SWAP")
    return inst_id


def aware_time(value: object, path: str) -> datetime:
    """ISO 8601 with an offset, as UTC; what is finer than a microsecond is cut off."""
    match = _TIME.fullmatch(text(value, path))
    if match is None:
        raise ParseError(path, "must be ISO 8601, such as 2026-01-31T08:00:00Z")
    if match["offset"] is None:
        raise ParseError(path, "must have an offset, such as Z or +08:00")
    try:
        moment = datetime.fromisoformat(match[0]).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ParseError(path, "no such time") from None
    if moment.year < MIN_YEAR:
        raise ParseError(path, f"before the year {MIN_YEAR}")
    return moment


def decimal(value: object, path: str) -> Decimal:
    """A number, or a string of one: at most 20 integer digits and 18 decimals."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ParseError(path, "must be a decimal number")
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise ParseError(path, "must be a decimal number")
    return _plain(value, path)


def positive(value: object, path: str) -> Decimal:
    number = decimal(value, path)
    if number <= 0:
        raise ParseError(path, "must be greater than 0")
    return number


def not_negative(value: object, path: str) -> Decimal:
    number = decimal(value, path)
    if number < 0:
        raise ParseError(path, "must not be negative")
    return number


def between(value: object, path: str, low: int, high: int) -> Decimal:
    number = decimal(value, path)
    if not low <= number <= high:
        raise ParseError(path, f"must be from {low} to {high}")
    return number


def whole_between(value: object, path: str, low: int, high: int) -> int:
    if not isinstance(value, Decimal) or value != value.to_integral_value():
        raise ParseError(path, "must be a whole number")
    return int(between(value, path, low, high))


def _plain(number: Decimal, path: str) -> Decimal:
    """The same number without exponent and trailing zeros, within bounds."""
    if number.is_zero():
        return Decimal(0)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or number.adjusted() >= MAX_INTEGER_DIGITS:
        raise ParseError(path, f"more than {MAX_INTEGER_DIGITS} integer digits")
    trailing_zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    if exponent + trailing_zeros < -MAX_DECIMALS:
        raise ParseError(path, f"more than {MAX_DECIMALS} decimals")
    written = f"{number:f}"
    return Decimal(written.rstrip("0").rstrip(".") if "." in written else written)
