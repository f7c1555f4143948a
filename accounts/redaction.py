"""Keeping secrets out of what is written down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from django.db import models

from accounts.sealed import MASK, Secret

_SECRET_NAMES: Final = re.compile(
    r"(api[_-]?key|secret|passphrase|pass[_-]?word|passwd|token|signature|private[_-]?key"
    r"|authorization|credential|cookie|totp|(^|[_-])otp($|[_-])|ok[_-]access)",
    re.IGNORECASE,
)
# Names that only sound like it: they identify a secret without telling it.
_HARMLESS: Final = re.compile(
    r"(_id|_uid|_at|_last4|last_four|_fingerprint|_count)$", re.IGNORECASE
)


def sounds_secret(name: str) -> bool:
    """Whether a value under this name must not be written down."""
    return bool(_SECRET_NAMES.search(name)) and not _HARMLESS.search(name)


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON-ready copy in which every value under a secret-sounding name is masked."""
    return {
        str(name): _mask(value) if sounds_secret(str(name)) else _ready(value)
        for name, value in values.items()
    }


def _mask(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) or value == "" else MASK


def _ready(value: Any) -> Any:  # noqa: PLR0911 (one line per kind of value)
    match value:
        case None | bool() | int() | str():
            return value
        case Secret():
            return MASK
        case float() | Decimal():
            return (
                format(Decimal(str(value)), "f") if Decimal(str(value)).is_finite() else str(value)
            )
        case datetime() | date() | time():
            return value.isoformat()
        case models.Model():
            return f"{value._meta.label_lower}:{value.pk}"
        case Mapping():
            return without_secrets(value)
        case list() | tuple() | set() | frozenset():
            return [_ready(item) for item in value]
    return str(value)
