"""From a ready order to a final one, exactly once: mark, send, classify, resolve."""

from __future__ import annotations

from trading.execution.run import Flight, send_orders
from trading.execution.sweep import sweep

__all__ = ["Flight", "send_orders", "sweep"]
