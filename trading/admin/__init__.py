"""The engine room in the back office, by noun."""

from __future__ import annotations

from trading.admin import (
    audits,
    breakers,
    decisions,
    exchange,
    limits,
    markets,
    orders,
    positions,
    processes,
    protections,
    reconcile,
    repairs,
    stops,
)

__all__ = [
    "audits",
    "breakers",
    "decisions",
    "exchange",
    "limits",
    "markets",
    "orders",
    "positions",
    "processes",
    "protections",
    "reconcile",
    "repairs",
    "stops",
]
