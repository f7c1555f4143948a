"""What the fan-out benchmarks are made of: a stub exchange, the sides, the rounds, the ratios."""

from __future__ import annotations
