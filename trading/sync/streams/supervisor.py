"""Keeps a feed for every account and market that is this copy's to keep."""

from __future__ import annotations

import asyncio
import logging
import uuid

from trading.endpoints import endpoint_of_market
from trading.exchange.okx.constants import CONNECTIONS_PER_SECOND
from trading.exchange.okx.websocket import SocketPool
from trading.exchange.runner import stop_exchange_loop
from trading.exchange.turns import Turns
from trading.sync.streams import rows
from trading.sync.streams.feed import AccountFeed
from trading.sync.streams.leader_rows import WatchedLeader
from trading.sync.streams.leaders import READINGS_PER_SECOND, LeaderFeed
from trading.sync.streams.prices import MarketFeed
from trading.sync.streams.reconciler import Reconciler
from trading.sync.streams.threads import PASSING, DatabaseThreads, keep

logger = logging.getLogger(__name__)

POLL_S = 2.0
BEAT_S = 10.0
_LEAVE_S = 1.5


async def run_streams(
    stop: asyncio.Event, *, connections_per_second: float = CONNECTIONS_PER_SECOND
) -> None:
    """Keep the sockets until `stop` is set, then leave within a few seconds."""
    supervisor = Supervisor(connections_per_second)
    try:
        await supervisor.run(stop)
    finally:
        await supervisor.aclose()


class Supervisor:
    def __init__(self, connections_per_second: float) -> None:
        self._owner = uuid.uuid4()
        self._allowed = self._pace = connections_per_second
        self._threads = DatabaseThreads()
        # Leases are renewed in time, whatever waits to be written.
        self._round_thread = DatabaseThreads(1)
        # Readings wait for the network: they must not hold up the news.
        self._reading_threads = DatabaseThreads(2)
        # What a leader does must not wait for what its followers' orders came to.
        self._leader_threads = DatabaseThreads()
        # Nor prices: nothing is opened on one that was written too late.
        self._price_threads = DatabaseThreads(1)
        self._reconciler = Reconciler(self._reading_threads)
        self._accounts: dict[int, AccountFeed] = {}
        self._leaders: dict[int, LeaderFeed] = {}
        self._readings = Turns(READINGS_PER_SECOND)
        self._markets: dict[str, MarketFeed] = {}
        self._sockets: dict[str, SocketPool] = {}
        self._beat_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        reconciling = [keep(self._reconciler.run()) for _ in range(2)]
        try:
            while not stop.is_set():
                await self._tick()
                try:
                    await asyncio.wait_for(stop.wait(), POLL_S)
                except TimeoutError:
                    continue
        finally:
            for task in reconciling:
                task.cancel()

    async def aclose(self) -> None:
        closing = [feed.aclose() for feed in self._accounts.values()]
        closing += [feed.aclose() for feed in self._leaders.values()]
        closing += [feed.aclose() for feed in self._markets.values()]
        await asyncio.gather(*closing, return_exceptions=True)
        await asyncio.gather(*(pool.aclose() for pool in self._sockets.values()))
        try:
            leaving = self._round_thread.run(rows.leave, self._owner, list(self._markets))
            await asyncio.wait_for(leaving, _LEAVE_S)
        except (TimeoutError, *PASSING) as error:
            logger.warning("Leases were not given back, they will lapse: %s", error)
        self._round_thread.stop()
        self._threads.stop()
        self._reading_threads.stop()
        self._leader_threads.stop()
        self._price_threads.stop()
        await asyncio.to_thread(stop_exchange_loop)

    async def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        beat = now - self._beat_at >= BEAT_S
        try:
            view = await self._round_thread.run(rows.look_around, self._owner, tell=beat)
            if beat:
                self._beat_at = now
                await self._note_heard()
        except PASSING as error:
            # Sockets go on: two copies of one account do no harm, none would.
            logger.warning("The database is not with us: %s", error)
            return
        self._share_pace(view.copies_here)
        await self._keep_markets(view.markets)
        # A leader's news is the first that must be heard.
        await self._keep_leaders({watched.leader_id: watched for watched in view.leaders})
        await asyncio.gather(
            *(feed.hear_stops(key in view.mirrored) for key, feed in self._leaders.items())
        )
        await self._keep_accounts({watched.account_id: watched for watched in view.accounts})

    async def _keep_accounts(self, wanted: dict[int, rows.Watched]) -> None:
        gone = [
            feed
            for account_id, feed in self._accounts.items()
            if wanted.get(account_id) != feed.watched or feed.is_over
        ]
        for feed in gone:
            del self._accounts[feed.watched.account_id]
        await asyncio.gather(*(feed.aclose() for feed in gone), return_exceptions=True)
        for account_id in wanted.keys() - self._accounts.keys():
            watched = wanted[account_id]
            feed = AccountFeed(watched, self._pool(watched.market), self._threads, self._reconciler)
            self._accounts[account_id] = feed
            feed.start()

    async def _keep_leaders(self, wanted: dict[int, WatchedLeader]) -> None:
        gone = [
            feed
            for leader_id, feed in self._leaders.items()
            if wanted.get(leader_id) != feed.watched or feed.is_over
        ]
        for feed in gone:
            del self._leaders[feed.watched.leader_id]
        await asyncio.gather(*(feed.aclose() for feed in gone), return_exceptions=True)
        for leader_id in wanted.keys() - self._leaders.keys():
            watched = wanted[leader_id]
            feed = LeaderFeed(
                watched, self._pool(watched.market), self._leader_threads, self._readings
            )
            self._leaders[leader_id] = feed
            feed.start()

    async def _keep_markets(self, wanted: tuple[str, ...]) -> None:
        gone = [
            market for market, feed in self._markets.items() if market not in wanted or feed.is_over
        ]
        await asyncio.gather(*(self._markets.pop(market).aclose() for market in gone))
        for market in wanted:
            if market not in self._markets:
                self._markets[market] = MarketFeed(market, self._pool(market), self._price_threads)
                self._markets[market].start()

    def _share_pace(self, copies: int) -> None:
        """The exchange counts connections per address, whichever copy opens them."""
        self._pace = self._allowed / copies
        for pool in self._sockets.values():
            pool.set_pace(self._pace)

    async def _note_heard(self) -> None:
        heard = [account_id for account_id, feed in self._accounts.items() if feed.heard]
        for account_id in heard:
            self._accounts[account_id].heard = False
        if heard:
            await self._round_thread.run(rows.touch_sockets, heard)

    def _pool(self, market: str) -> SocketPool:
        if market not in self._sockets:
            self._sockets[market] = SocketPool(
                endpoint_of_market(market), connections_per_second=self._pace
            )
        return self._sockets[market]
