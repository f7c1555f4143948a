"""Payloads of any dialect, made into one normal form."""

from __future__ import annotations

from signals.parsing.normal import LeaderNumbers, Net, ParsedSignal, ParseError, Quantity
from signals.parsing.redact import redacted_raw
from signals.parsing.registry import DIALECTS, example, name_in, parse, secret_in

__all__ = [
    "DIALECTS",
    "LeaderNumbers",
    "Net",
    "ParseError",
    "ParsedSignal",
    "Quantity",
    "example",
    "name_in",
    "parse",
    "redacted_raw",
    "secret_in",
]
