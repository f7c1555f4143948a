"""Flatten: cancel everything, wait out what is on its way, close what is really held, verify.

What is true is read at the exchange each time anew and never remembered, so that dying at any
line costs time only. Every close is an order like all others, and may only reduce.
"""

from __future__ import annotations

from trading.execution.flatten.run import flatten_due, flatten_now, flatten_some

__all__ = ["flatten_due", "flatten_now", "flatten_some"]
