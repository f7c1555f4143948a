"""The bench of execution, with its simulator."""

from __future__ import annotations

from tests.trading.execution.conftest import _bench, bench, simulator

__all__ = ["_bench", "bench", "simulator"]
