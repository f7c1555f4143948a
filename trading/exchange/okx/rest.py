"""OKX over HTTP: the ExchangeClient that the product uses."""

from __future__ import annotations

from trading.exchange.okx.algo_orders import AlgoOrders
from trading.exchange.okx.orders import Orders


class OkxClient(Orders, AlgoOrders):
    """See ExchangeClient. `clock` is the exchange's; keep it right with sync_clock()."""
