"""From a signal to a decision and orders for every follower."""

from __future__ import annotations

from trading.copying.run import copy_source

__all__ = ["copy_source"]
