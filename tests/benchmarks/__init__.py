"""The benchmarks' own judgment."""

from __future__ import annotations
