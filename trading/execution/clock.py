"""The exchange's time, as this process measures it. Deadlines are written in it."""

from __future__ import annotations

import asyncio
import logging
import time
from weakref import WeakKeyDictionary

from trading.exchange.client import ExchangeClient
from trading.exchange.clock import HALT_AT_MS, SAMPLES, ExchangeClock
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import Endpoint

FRESH_S = 60
RETRY_S = 5
MEASURE_S = 3

log = logging.getLogger(__name__)
_next_at: WeakKeyDictionary[ExchangeClock, float] = WeakKeyDictionary()


def clock_of(endpoint: Endpoint) -> ExchangeClock:
    """The clock of the endpoint's client: there is one, or a deadline would mean two moments."""
    return client_for(endpoint).clock


def clock_is_right(client: ExchangeClient) -> bool:
    """Measure when the last measurement is old; False while the clocks are too far apart.

    An exchange that cannot be asked leaves the last offset in force: sending to it will
    fail by itself.
    """
    clock = client.clock
    now = time.monotonic()
    if now >= _next_at.get(clock, 0):
        good = exchange_loop().run(_sample(clock, client))
        _next_at[clock] = now + (FRESH_S if good else RETRY_S)
    return abs(clock.offset_ms) <= HALT_AT_MS


async def _sample(clock: ExchangeClock, client: ExchangeClient) -> bool:
    good = False
    try:
        async with asyncio.timeout(MEASURE_S):
            for _ in range(SAMPLES if not clock.is_known else 1):
                good = await clock.measure(client.fetch_time_ms) or good
    except (ExchangeError, TimeoutError) as error:
        log.warning("the exchange's clock could not be read: %s", error)
    return good
