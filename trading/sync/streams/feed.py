"""One account's private socket, and the queue between it and the database."""

from __future__ import annotations

import asyncio
import logging

from customers.credentials import NoKey
from trading.exchange.okx.websocket import SocketPool
from trading.exchange.streams import StreamEvent, StreamState, StreamStatus
from trading.sync.streams import rows
from trading.sync.streams.private_feed import MOST_WAITING, PrivateFeed
from trading.sync.streams.reconciler import Reconciler
from trading.sync.streams.rows import Watched
from trading.sync.streams.threads import DatabaseThreads, keep

logger = logging.getLogger(__name__)

_STATES = {
    StreamState.CONNECTED: rows.CONNECTING,
    StreamState.SUBSCRIBED: "live",
    StreamState.DISCONNECTED: "disconnected",
    StreamState.AUTH_FAILED: rows.REFUSED,
}


class AccountFeed(PrivateFeed):
    """From start() to aclose(): news is applied in its order, nothing is lost without a reading."""

    def __init__(
        self,
        watched: Watched,
        sockets: SocketPool,
        threads: DatabaseThreads,
        reconciler: Reconciler,
    ) -> None:
        super().__init__(sockets, threads)
        self.watched = watched
        self.heard = False
        self._reconciler = reconciler
        self._status: StreamStatus | None = None
        self._oldest = 0.0
        self._connections = 0

    def start(self) -> None:
        self._tasks = [keep(self._listen()), keep(self._write())]

    def _still_writes(self) -> bool:
        return not self.is_over

    async def _listen(self) -> None:
        try:
            keys = await self._threads.insist(rows.begin_socket, self.watched)
        except NoKey:
            return
        self._stream = self._sockets.private(keys, on_event=self._on_event)
        await self._stream.run()

    async def _on_event(self, event: StreamEvent) -> None:
        if isinstance(event, StreamStatus):
            self._on_status(event)
        else:
            if not self._news:
                self._oldest = asyncio.get_running_loop().time()
            self._news.append(event)
            self.heard = True
            if len(self._news) > MOST_WAITING:
                self._news.clear()
                self._reconciler.ask(self.watched.account_id, "overrun")
        self._wake.set()

    def _on_status(self, status: StreamStatus) -> None:
        self._status = status
        if status.state is StreamState.SUBSCRIBED:
            cause = "reconnect" if self._connections else "connect"
            self._connections += 1
            self._reconciler.ask(self.watched.account_id, cause)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._news or self._status is not None:
                await self._write_status()
                await self._write_news()

    async def _write_status(self) -> None:
        status, self._status = self._status, None
        if status is not None:
            state = _STATES[status.state]
            await self._threads.insist(rows.mark_socket, self.watched, state, status.reason)

    async def _write_news(self) -> None:
        events = self._next_news()
        if not events:
            return
        waited = asyncio.get_running_loop().time() - self._oldest
        try:
            write = rows.write_news
            if await self._threads.insist(write, self.watched, events, waited):
                self._reconciler.ask(self.watched.account_id, "external")
        except Exception as error:
            logger.exception("News of account %s could not be applied", self.watched.account_id)
            await self._threads.insist(rows.set_news_aside, self.watched, events, error)
            self._reconciler.ask(self.watched.account_id, "fault")
        self._forget(events)
