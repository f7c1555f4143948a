"""Values that are kept as JSON, as people read them: names and values, never braces.

A room names the keys of its own tables with `name_parts`; what nobody named is spelled out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts import display

_FIGURE: Final = re.compile(r"-?\d{1,18}(\.\d+)?")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
_SPELLED: Final = re.compile(r"[a-z][a-z0-9_]*")
# Digits that count nothing.
_NAMES_THINGS: Final = ("id", "code", "key", "uid")


@dataclass(frozen=True)
class Parts:
    """How the keys of one table are called, and its words for values; None leaves it as it is."""

    name: Callable[[str], Any]
    value: Callable[[str, Any], Any]


_NAMED: dict[str, Parts] = {}


def name_parts(
    model_label: str,
    names: Mapping[str, Any] | Callable[[str], Any],
    value: Callable[[str, Any], Any] = lambda _key, _value: None,
) -> None:
    """Name the keys in the JSON columns of a table, by its label in lower case."""
    _NAMED[model_label] = Parts(names if callable(names) else names.get, value)


def readable(value: Any, model_label: str = "") -> SafeString | str:
    """A dictionary as terms, a list one below the other; nothing in it is a dash."""
    return _told(
        "", value, _NAMED.get(model_label) or Parts(lambda _key: None, lambda *_args: None)
    )


def _told(key: str, value: Any, parts: Parts) -> SafeString | str:
    if value in (None, "", [], {}):
        return display.DASH
    match value:
        case dict():
            rows = ((_name(k, parts), _told(str(k), v, parts)) for k, v in value.items())
            terms = format_html_join("", '<dt>{}</dt><dd class="n">{}</dd>', rows)
            return format_html('<dl class="dl facts sub">{}</dl>', terms)
        case list() if any(isinstance(each, (dict, list)) for each in value):
            return format_html_join("", "{}", ((_told(key, each, parts),) for each in value))
        case list():
            return format_html_join(", ", "{}", ((_told(key, each, parts),) for each in value))
    word = parts.value(key, value)
    return _plain(key, value) if word is None else str(word)


def _name(key: Any, parts: Parts) -> str:
    named = parts.name(str(key))
    if named is not None:
        return str(named)
    text = str(key)
    return text.replace("_", " ").capitalize() if _SPELLED.fullmatch(text) else text


def _plain(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    text = str(value)
    if _TIME.fullmatch(text) and (at := _moment(text)) is not None:
        return display.exact_time(at)
    counts = not key.endswith(_NAMES_THINGS)
    return display.figure(Decimal(text)) if counts and _FIGURE.fullmatch(text) else text


def _moment(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
