"""The engine room in the back office, by noun."""

from __future__ import annotations

from trading.admin import (
    audits,
    decisions,
    limits,
    markets,
    orders,
    positions,
    processes,
    reconcile,
)

__all__ = [
    "audits",
    "decisions",
    "limits",
    "markets",
    "orders",
    "positions",
    "processes",
    "reconcile",
]
