"""One value of an OKX row, read strictly: what is missing or of a wrong kind is MalformedReport."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from trading.exchange.errors import MalformedReport

Row = Mapping[str, Any]
E = TypeVar("E", bound=StrEnum)

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# OKX prints plain decimals; the bounds keep every later sum exact and storable.
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,40})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_MILLISECONDS = re.compile(r"\d{1,13}", re.ASCII)
_MAX_TEXT = 128
_MAX_MAGNITUDE = 25
ZERO = Decimal(0)


def as_row(value: object, field: str = "row") -> Row:
    if not isinstance(value, dict):
        raise MalformedReport(field, "not an object")
    return value


def text(row: Row, field: str) -> str:
    """A text without control characters; "" when absent, which SDKs and OKX treat alike."""
    value = row.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedReport(field, f"{type(value).__name__} instead of text")
    if len(value) > _MAX_TEXT or not value.isprintable():
        raise MalformedReport(field, "too long or not printable")
    return value


def required_text(row: Row, field: str) -> str:
    value = text(row, field)
    if not value:
        raise MalformedReport(field, "missing")
    return value


def message(row: Row, field: str) -> str:
    """Free text for people: anything is accepted, cleaned and cut."""
    value = row.get(field)
    if not isinstance(value, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in value[:500])


def optional_decimal(row: Row, field: str) -> Decimal | None:
    value = text(row, field)
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise MalformedReport(field, "not a plain decimal number")
    number = Decimal(value)
    if number and abs(number.adjusted()) > _MAX_MAGNITUDE:
        raise MalformedReport(field, "out of range")
    return number if number else ZERO


def decimal(row: Row, field: str) -> Decimal:
    number = optional_decimal(row, field)
    if number is None:
        raise MalformedReport(field, "missing")
    return number


def decimal_or_zero(row: Row, field: str) -> Decimal:
    return optional_decimal(row, field) or ZERO


def size(row: Row, field: str) -> Decimal:
    return _not_negative(field, decimal(row, field))


def size_or_zero(row: Row, field: str) -> Decimal:
    return _not_negative(field, decimal_or_zero(row, field))


def positive(row: Row, field: str) -> Decimal:
    number = decimal(row, field)
    if number <= 0:
        raise MalformedReport(field, "not positive")
    return number


def price_or_none(row: Row, field: str) -> Decimal | None:
    """Absent prices are "", "0" or, for a market price, "-1", depending on the path."""
    number = optional_decimal(row, field)
    return number if number is not None and number > 0 else None


def time(row: Row, field: str) -> dt.datetime:
    moment = optional_time(row, field)
    if moment is None:
        raise MalformedReport(field, "missing")
    return moment


def optional_time(row: Row, field: str) -> dt.datetime | None:
    value = text(row, field)
    if not value:
        return None
    if not _MILLISECONDS.fullmatch(value):
        raise MalformedReport(field, "not milliseconds")
    return EPOCH + dt.timedelta(milliseconds=int(value))


def milliseconds(row: Row, field: str) -> int:
    value = required_text(row, field)
    if not _MILLISECONDS.fullmatch(value):
        raise MalformedReport(field, "not milliseconds")
    return int(value)


def choice(row: Row, field: str, kind: type[E], aliases: Mapping[str, E] | None = None) -> E:
    value = text(row, field)
    if aliases and value in aliases:
        return aliases[value]
    try:
        return kind(value)
    except ValueError:
        raise MalformedReport(field, f"unknown value {value!r}" if value else "missing") from None


def flag(row: Row, field: str) -> bool:
    value = row.get(field)
    if isinstance(value, bool):
        return value
    if value in (None, "", "false"):
        return False
    if value == "true":
        return True
    raise MalformedReport(field, "neither true nor false")


def integer_or_none(row: Row, field: str) -> int | None:
    value = row.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _MILLISECONDS.fullmatch(value):
        return int(value)
    raise MalformedReport(field, "not an integer")


def _not_negative(field: str, number: Decimal) -> Decimal:
    if number < 0:
        raise MalformedReport(field, "negative")
    return number
