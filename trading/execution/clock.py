"""The exchange's time, as this process measures it. Deadlines are written in it."""

from __future__ import annotations

import asyncio
import logging
import time

from trading.exchange.client import ExchangeClient
from trading.exchange.clock import HALT_AT_MS, SAMPLES, ExchangeClock
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import exchange_loop
from trading.exchange.types import Endpoint

FRESH_S = 60
RETRY_S = 5
MEASURE_S = 3

log = logging.getLogger(__name__)
_clocks: dict[Endpoint, ExchangeClock] = {}
_next_at: dict[Endpoint, float] = {}


def clock_of(endpoint: Endpoint) -> ExchangeClock:
    return _clocks.setdefault(endpoint, ExchangeClock())


def clock_is_right(endpoint: Endpoint, client: ExchangeClient) -> bool:
    """Measure when the last measurement is old; False while the clocks are too far apart.

    An exchange that cannot be asked leaves the last offset in force: sending to it will
    fail by itself.
    """
    clock = clock_of(endpoint)
    now = time.monotonic()
    if now >= _next_at.get(endpoint, 0):
        good = exchange_loop().run(_sample(clock, client))
        _next_at[endpoint] = now + (FRESH_S if good else RETRY_S)
    return abs(clock.offset_ms) <= HALT_AT_MS


def measure_again(endpoint: Endpoint) -> None:
    """Forget that the last measurement is fresh."""
    _next_at.pop(endpoint, None)


async def _sample(clock: ExchangeClock, client: ExchangeClient) -> bool:
    good = False
    try:
        async with asyncio.timeout(MEASURE_S):
            for _ in range(SAMPLES if not clock.is_known else 1):
                good = await clock.measure(client.fetch_time_ms) or good
    except (ExchangeError, TimeoutError) as error:
        log.warning("the exchange's clock could not be read: %s", error)
    return good
