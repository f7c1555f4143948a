"""The exchange door: plain Python, the only place that talks to OKX.

Importing it is cheap; what a client is made of is loaded with the first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading.exchange.client import ExchangeClient
    from trading.exchange.types import Endpoint


def connect(
    endpoint: Endpoint, *, connector_limit: int = 1000, timeout_s: float = 8
) -> ExchangeClient:
    """The client of one endpoint. Make one per process and event loop; close it with aclose()."""
    from trading.exchange.okx.rest import OkxClient

    return OkxClient(endpoint, connector_limit=connector_limit, timeout_s=timeout_s)
