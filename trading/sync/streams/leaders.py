"""One leader's private socket, the readings beside it, and the queue to the database."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from datetime import UTC, datetime

from customers.credentials import NoKey
from signals.enums import LeaderLink
from trading.endpoints import endpoint_of_market
from trading.exchange.client import ExchangeClient
from trading.exchange.errors import AuthFailed, ExchangeError
from trading.exchange.okx.websocket import SocketPool
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.streams import (
    BalanceEvent,
    OrderEvent,
    PositionsEvent,
    StreamEvent,
    StreamState,
    StreamStatus,
)
from trading.exchange.turns import Turns
from trading.exchange.types import Credentials, PositionReport
from trading.sync.leaders.evidence import Evidence
from trading.sync.leaders.moves import Trade
from trading.sync.leaders.reading import Reading, read_leader, trade_of
from trading.sync.leaders.settling import Verdict, before_reading, settle, settle_stops
from trading.sync.leaders.taking import News, Taken, take_news
from trading.sync.streams import leader_rows as rows
from trading.sync.streams.leader_rows import WatchedLeader
from trading.sync.streams.leader_stops import StopFeed
from trading.sync.streams.private_feed import MOST_WAITING, PrivateFeed
from trading.sync.streams.threads import DatabaseThreads, keep

logger = logging.getLogger(__name__)

CHECK_S = 20.0  # while the socket lives
POLL_S = 3.0  # while it does not
# Of all leaders together: where the sockets of hundreds are down, each is read less often.
READINGS_PER_SECOND = 50.0
_ASKED, _POLLED, _CHECKED = range(3)
SOON_S = 0.4  # a push that explains a position may be on its way
READ_S = 15.0
STALE_S = 60.0
# Between readings of the stops alone: who moves one often moves it again.
STOPS_S = 0.5
MOST_IN_VAIN = 3


class LeaderFeed(PrivateFeed):
    """From start() to aclose(). News is taken in its order; after a gap, first what was missed."""

    def __init__(
        self,
        watched: WatchedLeader,
        sockets: SocketPool,
        threads: DatabaseThreads,
        readings: Turns,
    ) -> None:
        super().__init__(sockets, threads)
        self.watched = watched
        self._readings = readings
        self._parked: tuple[Trade, ...] = ()
        self._evidence = Evidence()
        self._caught_up = asyncio.Event()
        self._read_now = asyncio.Event()
        # One at a time: what was read first must not be written down last.
        self._reading = asyncio.Lock()
        self._stops_changed = asyncio.Event()
        self._stops: StopFeed | None = None
        self._keys: Credentials | None = None
        self._is_live = False
        self._was_read = False
        self._refused = ""  # by what a reading was answered
        self._socket_refused = ""
        self._in_vain = 0
        self._certain_at = 0.0

    def start(self) -> None:
        self._tasks = [keep(self._follow())]

    async def hear_stops(self, wanted: bool) -> None:
        """Whether what becomes of its stops is to be known at once, which takes a socket more."""
        if self._stops is not None and (self._stops.is_over or not wanted):
            stops, self._stops = self._stops, None
            await stops.aclose()
        if wanted and self._stops is None and self._keys is not None:
            self._stops = StopFeed(self._keys, self._sockets, self._stops_changed.set)
            self._stops.start()

    async def aclose(self) -> None:
        await asyncio.gather(self.hear_stops(False), super().aclose())

    def _still_writes(self) -> bool:
        return self._caught_up.is_set()

    async def _follow(self) -> None:
        try:
            begun = await self._threads.insist(rows.begin_leader, self.watched)
        except NoKey:
            return
        self._was_read = begun.was_read
        self._certain_at = asyncio.get_running_loop().time()
        self._keys = begun.keys
        self._stream = self._sockets.private(begun.keys, on_event=self._on_event)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stream.run())
            group.create_task(self._take())
            group.create_task(self._read(begun.keys))
            group.create_task(self._read_stops(begun.keys))

    async def _on_event(self, event: StreamEvent) -> None:
        if isinstance(event, StreamStatus):
            self._on_status(event)
            return
        if isinstance(event, PositionsEvent):
            self._evidence.hear(event, datetime.now(UTC))
        self._news.append(event)
        if len(self._news) > MOST_WAITING:
            # All of it is read anew.
            self._news.clear()
            self._caught_up.clear()
            self._read_now.set()
        self._wake.set()

    def _on_status(self, status: StreamStatus) -> None:
        self._is_live = status.state is StreamState.SUBSCRIBED
        if status.state is StreamState.AUTH_FAILED:
            self._socket_refused = f"the socket was refused: {status.reason}"
        elif self._is_live:
            self._socket_refused = ""
        if status.state is not StreamState.CONNECTED:
            # What was traded while nobody listened comes before all that is told from here on.
            self._caught_up.clear()
            self._read_now.set()

    async def _take(self) -> None:
        while True:
            await self._caught_up.wait()
            await self._wake.wait()
            self._wake.clear()
            while self._news and self._caught_up.is_set():
                await self._take_some()

    async def _take_some(self) -> None:
        events = self._next_news()
        news = _news_of(events, self._parked)
        leader_id, tenant_id = self.watched.leader_id, self.watched.tenant_id
        try:
            taken: Taken = await self._threads.insist(take_news, leader_id, tenant_id, news)
        except Exception:
            # A reading finds what these told.
            logger.exception("News of leader %s could not be taken", leader_id)
            taken = Taken(differs=True)
        self._forget(events)
        self._parked = taken.parked
        if news.trades and self._stops is not None:
            # What came with an opening, and whether it is for all of what is held.
            self._stops_changed.set()
        if taken.parked:
            self._read_now.set()
        elif taken.differs:
            asyncio.get_running_loop().call_later(SOON_S, self._read_now.set)

    async def _read(self, keys: Credentials) -> None:
        """Read whenever something is not certain, and now and then."""
        while True:
            await self._turn()
            self._read_now.clear()
            async with self._reading:
                verdict = await self._read_once(keys)
            await self._mark()
            pause = self._pause(verdict)
            try:
                await asyncio.wait_for(self._read_now.wait(), pause)
            except TimeoutError:
                continue

    async def _turn(self) -> None:
        """A reading that news waits for comes before those that only look."""
        if not self._read_now.is_set():
            rank = _CHECKED if self._is_live else _POLLED
            turn = asyncio.ensure_future(self._readings.wait(rank))
            asked = asyncio.ensure_future(self._read_now.wait())
            try:
                await asyncio.wait({turn, asked}, return_when=asyncio.FIRST_COMPLETED)
                if turn.done():
                    return
            finally:
                turn.cancel()
                asked.cancel()
        await self._readings.wait(_ASKED)

    def _pause(self, verdict: Verdict | None) -> float:
        if verdict is Verdict.AGAIN:
            return min(POLL_S, math.ldexp(SOON_S, self._in_vain))
        if verdict is Verdict.SETTLED and self._is_live:
            return CHECK_S * random.uniform(0.8, 1.2)  # noqa: S311 - spreads readings
        return POLL_S

    async def _read_once(self, keys: Credentials) -> Verdict | None:
        """One reading, or None when there was none: what is not known is not concluded from."""
        leader_id, tenant_id = self.watched.leader_id, self.watched.tenant_id
        verdict: Verdict | None = None
        try:
            reading = await self._ask(keys)
            judged = self._evidence.copy()
            verdict = await self._threads.insist(settle, leader_id, tenant_id, reading, judged)
            self._evidence.seen = judged.seen
        except (ExchangeError, TimeoutError) as error:
            words = str(error) or type(error).__name__
            if isinstance(error, AuthFailed):
                self._refused = words
            await self._threads.insist(rows.note_error, self.watched, words)
        except Exception:
            logger.exception("Leader %s could not be settled", leader_id)
        else:
            self._was_read, self._refused = True, ""
            self._in_vain = self._in_vain + 1 if verdict is Verdict.AGAIN else 0
            self._certain_at = asyncio.get_running_loop().time()
            if not self._read_now.is_set():
                self._parked = ()
        # Without a first reading nothing may be told; later, what is heard is better than nothing.
        # A reading that was asked for meanwhile is waited for.
        is_enough = verdict is not Verdict.AGAIN or self._in_vain > MOST_IN_VAIN
        if self._was_read and is_enough and not self._read_now.is_set():
            self._caught_up.set()
        return verdict

    async def _ask(self, keys: Credentials) -> Reading:
        leader_id, tenant_id = self.watched.leader_id, self.watched.tenant_id
        before = await self._threads.insist(before_reading, leader_id, tenant_id)
        client = await self._client()
        asked = exchange_loop().submit(
            read_leader(client, keys, before.since, known=before.known, with_stops=True)
        )
        return await asyncio.wait_for(asyncio.wrap_future(asked), READ_S)

    async def _client(self) -> ExchangeClient:
        return await asyncio.to_thread(client_for, endpoint_of_market(self.watched.market))

    async def _read_stops(self, keys: Credentials) -> None:
        """Read them alone whenever they changed; each reading of the whole has them too."""
        while True:
            await self._stops_changed.wait()
            self._stops_changed.clear()
            async with self._reading:
                await self._read_stops_once(keys)
            await asyncio.sleep(STOPS_S)

    async def _read_stops_once(self, keys: Credentials) -> None:
        leader_id, tenant_id = self.watched.leader_id, self.watched.tenant_id
        try:
            client = await self._client()
            asked = exchange_loop().submit(client.fetch_open_algo_orders(keys))
            algos = await asyncio.wait_for(asyncio.wrap_future(asked), READ_S)
            if self._stops is not None and self._stops.doubts(algos):
                self._stops_changed.set()
                return
            await self._threads.insist(settle_stops, leader_id, tenant_id, algos)
        except (ExchangeError, TimeoutError) as error:
            logger.info("Stops of leader %s are read with the rest: %s", leader_id, error)
        except Exception:
            logger.exception("Stops of leader %s could not be written down", leader_id)

    async def _mark(self) -> None:
        link, reason = self._link()
        await self._threads.insist(rows.mark_leader, self.watched, link, reason)

    def _link(self) -> tuple[LeaderLink, str]:
        silent_for = asyncio.get_running_loop().time() - self._certain_at
        if self._refused:
            return LeaderLink.ERROR, self._refused
        if self._is_live and silent_for < STALE_S:
            return LeaderLink.CONNECTED, ""
        if silent_for < STALE_S:
            link = LeaderLink.POLLING if self._was_read else LeaderLink.WAITING
            return link, self._socket_refused
        return LeaderLink.STALE, "neither the socket nor a reading tells what it does"


def _news_of(events: list[StreamEvent], parked: tuple[Trade, ...]) -> News:
    trades, balance = list(parked), None
    positions: dict[tuple[str, str, str], PositionReport] = {}
    for event in events:
        if isinstance(event, OrderEvent) and event.report.last_fill is not None:
            trades.append(trade_of(event.report, event.report.last_fill))
        elif isinstance(event, PositionsEvent):
            for report in event.reports:
                key = (report.inst_id, report.position_side.value, report.margin_mode.value)
                known = positions.get(key)
                if known is None or known.updated_at <= report.updated_at:
                    positions[key] = report
        elif isinstance(event, BalanceEvent):
            balance = event.report
    return News(tuple(trades), tuple(positions.values()), balance)
