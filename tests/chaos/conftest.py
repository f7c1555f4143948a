"""The bench of the sending tests: followers at a running simulator."""

from __future__ import annotations

from tests.trading.execution.conftest import bench, open_bench, simulator

__all__ = ["bench", "open_bench", "simulator"]
