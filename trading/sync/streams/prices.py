"""One market's public socket: instruments and prices, coalesced."""

from __future__ import annotations

import asyncio
import logging

from trading.exchange.errors import ExchangeError
from trading.exchange.okx.websocket import PublicStream, SocketPool
from trading.exchange.streams import (
    InstrumentsEvent,
    Malformed,
    MarkPriceEvent,
    StreamEvent,
    TickerEvent,
)
from trading.exchange.types import InstrumentReport, MarkPriceReport, TickerReport
from trading.sync.market import (
    TRADED,
    apply_instruments,
    apply_marks,
    apply_tickers,
    load_instruments,
)
from trading.sync.streams import rows
from trading.sync.streams.threads import PASSING, DatabaseThreads, keep

logger = logging.getLogger(__name__)

FLUSH_S = 0.5
LOAD_S = 600.0
_LOAD_AGAIN_S = 3.0
_IN_USE_S = 10.0


class MarketFeed:
    """Keeps the latest of each price in memory and writes at most twice a second."""

    def __init__(self, market: str, sockets: SocketPool, threads: DatabaseThreads) -> None:
        self.market = market
        self.malformed = 0
        self._sockets = sockets
        self._threads = threads
        self._tickers: dict[str, TickerReport] = {}
        self._marks: dict[str, MarkPriceReport] = {}
        self._listings: dict[str, InstrumentReport] = {}
        self._stream: PublicStream | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            keep(self._load()),
            keep(self._listen()),
            keep(self._flush()),
        ]

    @property
    def is_over(self) -> bool:
        return any(task.done() for task in self._tasks)

    async def aclose(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _load(self) -> None:
        while True:
            pause = LOAD_S
            try:
                await self._threads.run(load_instruments, self.market)
            except (ExchangeError, TimeoutError, *PASSING) as error:
                logger.warning("Instruments of %s were not read: %s", self.market, error)
                pause = _LOAD_AGAIN_S
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        in_use = await self._in_use()
        while not in_use:
            await asyncio.sleep(1)
            in_use = await self._in_use()
        self._stream = self._sockets.public(in_use, inst_types=TRADED, on_event=self._on_event)
        watching = keep(self._follow(in_use))
        try:
            await self._stream.run()
        finally:
            watching.cancel()

    async def _follow(self, in_use: frozenset[str]) -> None:
        while self._stream is not None:
            await asyncio.sleep(_IN_USE_S)
            wanted = await self._in_use()
            if wanted != in_use:
                await self._stream.watch(wanted)
                in_use = wanted

    async def _in_use(self) -> frozenset[str]:
        return await self._threads.insist(rows.instruments_in_use, self.market)

    async def _on_event(self, event: StreamEvent) -> None:
        if isinstance(event, TickerEvent):
            self._tickers[event.report.inst_id] = event.report
        elif isinstance(event, MarkPriceEvent):
            self._marks[event.report.inst_id] = event.report
        elif isinstance(event, InstrumentsEvent):
            self._listings |= {report.inst_id: report for report in event.reports}
        elif isinstance(event, Malformed):
            self.malformed += 1
            logger.warning("Unreadable on %s of %s: %s", event.channel, self.market, event.error)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            tickers, self._tickers = list(self._tickers.values()), {}
            marks, self._marks = list(self._marks.values()), {}
            listings, self._listings = list(self._listings.values()), {}
            if not (tickers or marks or listings):
                continue
            try:
                await self._threads.run(_write, self.market, tickers, marks, listings)
            except PASSING as error:
                logger.warning("Prices of %s are written later: %s", self.market, error)
                self._take_back(tickers, marks, listings)

    def _take_back(
        self,
        tickers: list[TickerReport],
        marks: list[MarkPriceReport],
        listings: list[InstrumentReport],
    ) -> None:
        """What does not change is not pushed again for ten seconds: too late for an opening."""
        self._tickers = {each.inst_id: each for each in tickers} | self._tickers
        self._marks = {each.inst_id: each for each in marks} | self._marks
        self._listings = {each.inst_id: each for each in listings} | self._listings


def _write(
    market: str,
    tickers: list[TickerReport],
    marks: list[MarkPriceReport],
    listings: list[InstrumentReport],
) -> None:
    if listings:
        apply_instruments(market, listings)
    if tickers:
        apply_tickers(market, tickers)
    if marks:
        apply_marks(market, marks)
