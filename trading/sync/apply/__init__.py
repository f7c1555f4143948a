"""The only way the exchange's news is written down: idempotent, one for sockets and REST alike.

Every function may be repeated and may hear the same news in any order. Each runs in one
transaction under the account's claim and announces `account_changed` after the commit.
"""

from __future__ import annotations

from trading.sync.apply.algos import apply_algos
from trading.sync.apply.balance import TOTAL, apply_balance
from trading.sync.apply.claim import Applied, Contended
from trading.sync.apply.fills import apply_fills
from trading.sync.apply.news import apply_events
from trading.sync.apply.orders import apply_orders
from trading.sync.apply.positions import apply_positions
from trading.sync.apply.quarantine import quarantine

__all__ = [
    "TOTAL",
    "Applied",
    "Contended",
    "apply_algos",
    "apply_balance",
    "apply_events",
    "apply_fills",
    "apply_orders",
    "apply_positions",
    "quarantine",
]
