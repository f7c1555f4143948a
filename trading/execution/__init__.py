"""From a ready order to a final one, exactly once: mark, send, classify, resolve."""

from __future__ import annotations

from trading.execution.run import send_orders
from trading.execution.sweep import sweep

__all__ = ["send_orders", "sweep"]
