"""Paper accounts: opened, funded and reset by the platform at the configured simulator."""

from __future__ import annotations

from trading.paper.accounts import (
    CURRENCY,
    LARGEST,
    PLACES,
    fund,
    open_paper_account,
    reset,
    withdraw,
)
from trading.paper.control import is_configured
from trading.paper.reopening import ensure_opened

__all__ = [
    "CURRENCY",
    "LARGEST",
    "PLACES",
    "ensure_opened",
    "fund",
    "is_configured",
    "open_paper_account",
    "reset",
    "withdraw",
]
