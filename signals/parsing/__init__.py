"""Payloads of any dialect, made into one normal form."""

from __future__ import annotations

from signals.parsing.normal import ParsedSignal, ParseError, Quantity
from signals.parsing.redact import redacted_raw
from signals.parsing.registry import DIALECTS, parse

__all__ = ["DIALECTS", "ParseError", "ParsedSignal", "Quantity", "parse", "redacted_raw"]
