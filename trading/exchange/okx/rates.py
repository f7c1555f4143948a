"""How often OKX lets each of its endpoints be called, and by whom that is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """`limit` calls (of batches: items) in any `window_s`, for each account, or for each
    instrument or kind of it; public questions are counted by our address."""

    limit: int
    per_instrument: bool = False
    window_s: float = 2.0


# New orders and amendments of an account, whatever they trade.
ORDERS_OF_ACCOUNT: Final = Rate(1000)
COUNTED_AS_ORDERS: Final = frozenset({"trade/order", "trade/amend-order"})

POSTS: Final = {
    "trade/order": Rate(60, per_instrument=True),
    "trade/amend-order": Rate(60, per_instrument=True),
    "trade/cancel-order": Rate(60, per_instrument=True),
    "trade/cancel-batch-orders": Rate(300, per_instrument=True),
    "trade/close-position": Rate(20, per_instrument=True),
    "trade/order-algo": Rate(20, per_instrument=True),
    "trade/amend-algos": Rate(20, per_instrument=True),
    "trade/cancel-algos": Rate(20, per_instrument=True),
    "trade/cancel-all-after": Rate(1, per_instrument=True, window_s=1.0),
    "account/set-leverage": Rate(20),
    "account/set-position-mode": Rate(5),
}
GETS: Final = {
    "trade/order": Rate(60, per_instrument=True),
    "trade/orders-pending": Rate(60),
    "trade/orders-history": Rate(40),
    "trade/fills": Rate(60),
    "trade/order-algo": Rate(20),
    "trade/orders-algo-pending": Rate(20),
    "trade/orders-algo-history": Rate(20),
    "account/positions": Rate(10),
    "account/balance": Rate(10),
    "account/config": Rate(5),
    "account/bills-archive": Rate(5),
    "account/leverage-info": Rate(20),
    "public/time": Rate(10),
    "public/instruments": Rate(20, per_instrument=True),
    "public/mark-price": Rate(10, per_instrument=True),
    "market/tickers": Rate(20),
    "market/ticker": Rate(20),
    "system/status": Rate(1, window_s=5.0),
}
