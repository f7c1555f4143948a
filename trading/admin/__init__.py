"""The engine room in the back office, by noun."""

from __future__ import annotations

from trading.admin import decisions, limits, markets, orders, positions, processes, reconcile

__all__ = ["decisions", "limits", "markets", "orders", "positions", "processes", "reconcile"]
