"""The process that keeps the exchange's sockets and hands their news to `apply`."""

from __future__ import annotations

from trading.sync.streams.supervisor import run_streams

__all__ = ["run_streams"]
