"""What was decided and what became of an order, in plain words with the numbers that were used.

Every text is put together when it is asked for, in the language that is active then.
"""

from __future__ import annotations

from trading.explaining.decisions import explain, instruction
from trading.explaining.orders import explain_order

__all__ = ["explain", "explain_order", "instruction"]
