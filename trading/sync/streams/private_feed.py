"""A private socket, and the queue of what it told and nobody has written down yet."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

from trading.exchange.okx.websocket import PrivateStream, SocketPool
from trading.exchange.streams import StreamEvent
from trading.sync.streams.threads import DatabaseThreads

MOST_WAITING = 2000
_TOGETHER = 200
_LAST_WORDS_S = 1.5


class PrivateFeed(ABC):
    """What feeds of one socket have in common; `start` of each begins its tasks."""

    def __init__(self, sockets: SocketPool, threads: DatabaseThreads) -> None:
        self._sockets = sockets
        self._threads = threads
        self._news: deque[StreamEvent] = deque()
        self._wake = asyncio.Event()
        self._stream: PrivateStream | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_over(self) -> bool:
        """True when a task ended by itself, which only a fault of ours can do."""
        return any(task.done() for task in self._tasks)

    async def aclose(self) -> None:
        """Close the socket and write down what it had told."""
        if self._stream is not None:
            await self._stream.aclose()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LAST_WORDS_S
        while self._news and self._still_writes() and loop.time() < deadline:
            self._wake.set()
            await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @abstractmethod
    def _still_writes(self) -> bool:
        """Would what waits be written down, were it given the time?"""

    def _next_news(self) -> list[StreamEvent]:
        """The oldest of what waits. It waits until it is `_forget`-ed."""
        return list(self._news)[:_TOGETHER]

    def _forget(self, events: Sequence[StreamEvent]) -> None:
        # An overrun meanwhile has emptied the queue.
        for event in events:
            if self._news and self._news[0] is event:
                self._news.popleft()
