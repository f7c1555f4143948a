"""Prices asked of the exchange where the sockets left none that is young enough.

While no streams process lives nobody writes prices down. An opening must not be lost for that:
before it is refused for its price, the market is asked once for each instrument.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Collection

from django.conf import settings
from django.db import OperationalError, transaction

from accounts.contention import retried
from trading.endpoints import NoMarket, endpoint_of_market
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import ExchangeError
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import InstrumentType, MarkPriceReport, TickerReport
from trading.leases import db_now
from trading.models import Instrument, MarketPrice
from trading.sync.market import apply_marks, apply_tickers

# An opening lives for a minute, a claim on a signal for fifteen seconds.
PATIENCE_S = 2.0
# What was asked a moment ago will not be answered otherwise now.
AGAIN_S = 1.0

Place = tuple[str, str]  # market, instrument

log = logging.getLogger(__name__)
_asking = threading.Lock()
_markets: dict[str, threading.Lock] = {}
_asked_at: dict[Place, float] = {}


def freshen(places: Collection[Place]) -> None:
    """Ask for those of these prices that are too old to open at, and write them down.

    Waits `PATIENCE_S` at most for each market; one that does not answer changes nothing, and
    whoever needs the price refuses for himself. Several threads ask once. Asks the network:
    never to be called within a transaction.
    """
    for market in sorted({market for market, _ in places}):
        with _asking:
            one_at_a_time = _markets.setdefault(market, threading.Lock())
        with one_at_a_time:
            stale = _stale(market, {inst_id for of, inst_id in places if of == market})
            if stale:
                _ask(market, stale)


def forget_asked() -> None:
    """As in a process that has just started."""
    _asked_at.clear()


def _stale(market: str, inst_ids: Collection[str]) -> dict[str, InstrumentType]:
    """Those whose price is too old, or not known at all, and of which kind they are."""
    now = db_now()
    rows = MarketPrice.objects.filter(market=market, inst_id__in=inst_ids)
    young = {row.inst_id for row in rows if not row.is_stale(now, settings.MARK_STALE_AFTER_S)}
    wanted = {
        inst_id
        for inst_id in set(inst_ids) - young
        if time.monotonic() - _asked_at.get((market, inst_id), -AGAIN_S) >= AGAIN_S
    }
    if not wanted:
        return {}
    listed = Instrument.objects.filter(market=market, inst_id__in=wanted)
    kinds = dict(listed.values_list("inst_id", "inst_type"))
    return {i: InstrumentType(kinds[i].lower()) for i in sorted(wanted) if i in kinds}


def _ask(market: str, stale: dict[str, InstrumentType]) -> None:
    try:
        client = client_for(endpoint_of_market(market))
        marks, tickers = exchange_loop().run(_read(client, stale), timeout=2 * PATIENCE_S)
        _write(market, marks, tickers)
        names = ", ".join(report.inst_id for report in marks) or "no answer"
        log.info("Prices of %s were asked for, the sockets told none: %s", market, names)
    except (ExchangeError, TimeoutError, NoMarket, OperationalError) as error:
        log.warning("Prices of %s could not be asked for: %s", market, str(error) or "no answer")
    finally:
        asked = time.monotonic()
        _asked_at.update({(market, inst_id): asked for inst_id in stale})


async def _read(
    client: ExchangeClient, stale: dict[str, InstrumentType]
) -> tuple[list[MarkPriceReport], list[TickerReport]]:
    """What is told in time. Tickers as well: openings at the market look at the spread."""
    asked: list[asyncio.Task[MarkPriceReport | TickerReport]] = []
    for inst_id, kind in stale.items():
        asked.append(asyncio.ensure_future(client.fetch_mark_price(inst_id, kind)))
        asked.append(asyncio.ensure_future(client.fetch_ticker(inst_id)))
    try:
        await asyncio.wait(asked, timeout=PATIENCE_S)
    finally:
        for task in asked:
            task.cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    told = [answer for answer in answers if not isinstance(answer, BaseException)]
    failed = [answer for answer in answers if isinstance(answer, ExchangeError)]
    if failed and not told:
        raise failed[0]
    marks = [report for report in told if isinstance(report, MarkPriceReport)]
    return marks, [report for report in told if isinstance(report, TickerReport)]


@retried
@transaction.atomic
def _write(
    market: str, marks: Collection[MarkPriceReport], tickers: Collection[TickerReport]
) -> None:
    apply_marks(market, list(marks))
    if tickers:
        apply_tickers(market, list(tickers))
