"""The exchange's time, as this process measures it. Deadlines are written in it."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from weakref import WeakKeyDictionary

from trading.exchange.client import ExchangeClient
from trading.exchange.clock import HALT_AT_MS, SAMPLES, WARN_AT_MS, ExchangeClock
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import Endpoint

FRESH_S = 60
RETRY_S = 5
MEASURE_S = 3

log = logging.getLogger(__name__)
_kept: WeakKeyDictionary[ExchangeClock, Future[None]] = WeakKeyDictionary()


def clock_of(endpoint: Endpoint) -> ExchangeClock:
    """The clock of the endpoint's client: there is one, or a deadline would mean two moments."""
    return client_for(endpoint).clock


def clock_is_right(client: ExchangeClient) -> bool:
    """False while the clocks are too far apart.

    Measured before the first use, and from then on every minute by a task of the exchange loop,
    so that no order waits for it. An exchange that cannot be asked leaves the last offset in
    force: sending to it will fail by itself.
    """
    clock = client.clock
    kept = _kept.get(clock)
    if kept is None or kept.done():
        loop = exchange_loop()
        loop.run(measure(client))
        _kept[clock] = loop.submit(_keep(client))
    return abs(clock.offset_ms) <= HALT_AT_MS


def is_known_right(client: ExchangeClient) -> bool:
    """The same without asking anybody: False where nobody keeps the clock yet."""
    kept = _kept.get(client.clock)
    return kept is not None and not kept.done() and abs(client.clock.offset_ms) <= HALT_AT_MS


def forget_clocks() -> None:
    """As in a process that has just started."""
    for task in _kept.values():
        task.cancel()
    _kept.clear()


async def measure(client: ExchangeClient) -> bool:
    """Take one sample; five when nothing is known, or when the clock seems to have been set.

    False when it should soon be tried again: nothing was heard, or not enough to be sure of.
    """
    clock, good = client.clock, False
    known, before = clock.is_known, clock.offset_ms
    try:
        async with asyncio.timeout(MEASURE_S):
            good = await clock.measure(client.fetch_time_ms)
            was_set = good and abs(clock.last_offset_ms - before) > WARN_AT_MS
            for _ in range(SAMPLES - 1 if was_set or not known else 0):
                again = await clock.measure(client.fetch_time_ms)
                good = good and again if was_set else good or again
    except (ExchangeError, TimeoutError) as error:
        good = False
        log.warning("the exchange's clock could not be read: %s", error)
    return good


async def _keep(client: ExchangeClient) -> None:
    good = client.clock.is_known
    while True:
        await asyncio.sleep(FRESH_S if good else RETRY_S)
        good = await measure(client)
