"""The warm connections to one host, shared by all accounts, and who waits for one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from trading.exchange.okx.classify import Answer, NotSent
from trading.exchange.okx.connection import Connection, Errand, NoAnswer, not_connected

logger = logging.getLogger(__name__)

# A handshake takes the better part of a millisecond of our processor.
CONNECTING_AT_ONCE = 50
LOOK_EVERY_S = 0.1
RESOLVE_EVERY_S = 30.0
RETRY_WARM_S = 1.0
CLOSING_S = 1.0


@dataclass(frozen=True, slots=True)
class PoolTimes:
    """`answer_s` from writing to the last byte; an idle connection is renewed after `idle_s`, well
    before servers close one by themselves."""

    connect_s: float = 3.0
    answer_s: float = 8.0
    idle_s: float = 45.0


class Pool:
    """Belongs to one event loop. A request waits for a connection, never for another's answer.

    Questions do not wait behind what changes accounts: of both, one after the other is served.
    """

    def __init__(self, address: str, *, limit: int, times: PoolTimes) -> None:
        parts = urlsplit(address)
        self.host = parts.netloc
        self._name = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._limit = limit
        self._times = times
        self._alive: set[Connection] = set()
        # The last used is taken first, so that few are kept when few are needed.
        self._idle: list[Connection] = []
        self._questions: deque[Errand] = deque()
        self._changes: deque[Errand] = deque()
        self._asked_last = False
        self._connecting: set[asyncio.Task[None]] = set()
        self._wanted = 0
        self._addresses: list[str] = []
        self._resolved_at = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._warm_again = 0.0
        self._closed = False
        self._emptied = asyncio.Event()

    @property
    def open_count(self) -> int:
        return len(self._alive)

    def submit(self, errand: Errand, now: float) -> None:
        """Have it sent as soon as a connection is free; it is answered in any case. `now` is the
        loop's time."""
        if self._closed:
            errand.answered(Answer(failure=NotSent("the client is closed")))
            return
        (self._questions if errand.asks else self._changes).append(errand)
        if self._look is None:
            self._watch()
        self._serve(now)

    def abandon(self, errand: Errand) -> None:
        """Nobody waits for it any more: it is not sent, or its connection is given up."""
        queue = self._questions if errand.asks else self._changes
        if errand in queue:
            queue.remove(errand)
            errand.answered(Answer(failure=NotSent("nobody waits for it any more")))
            return
        for connection in self._alive:
            if connection.errand is errand:
                connection.fail(NoAnswer("nobody waits for the answer any more"))
                return

    async def warm(self, connections: int) -> int:
        """Open that many and keep at least as many; returns how many are open."""
        self._wanted = min(connections, self._limit)
        self._watch()
        failures = 0
        while not self._closed and len(self._alive) < self._wanted and not failures:
            before = len(self._alive)
            self._refill()
            if not self._connecting:
                break
            await asyncio.wait(self._connecting, return_when=asyncio.FIRST_COMPLETED)
            failures = int(len(self._alive) <= before and not self._connecting)
        return len(self._alive)

    async def aclose(self) -> None:
        self._closed = True
        if self._look is not None:
            self._look.cancel()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        self._fail_waiting(math.inf, NotSent("the client is closed"))
        for connection in list(self._alive):
            connection.fail(NoAnswer("the client was closed"))
        if self._alive:
            # The sockets are closed in the loop's next rounds; one that hangs holds up nobody.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), CLOSING_S)

    def free(self, connection: Connection, kept_s: int | None) -> None:
        """Its answer is whole: it may carry the next request."""
        idle_s = self._times.idle_s * connection.patience
        if kept_s is not None:
            idle_s = min(idle_s, kept_s - 1)
        now = asyncio.get_running_loop().time()
        connection.idle_until = now + idle_s
        self._idle.append(connection)
        if self._questions or self._changes:
            self._serve(now)

    def opened(self, connection: Connection) -> None:
        self._alive.add(connection)
        # Not all of them are renewed at once.
        connection.patience = random.uniform(0.7, 1)  # noqa: S311
        self._emptied.clear()
        self.free(connection, None)

    def lost(self, connection: Connection) -> None:
        self._alive.discard(connection)
        if not self._alive:
            self._emptied.set()
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._closed:
            self._grow()

    def _serve(self, now: float) -> None:
        """Hand what waits to what is free; open more when there is not enough."""
        while self._idle and (self._questions or self._changes):
            connection = self._idle.pop()
            if connection.idle_until < now:
                # After a pause of the whole process it may long be closed without our knowing.
                connection.drop()
            elif connection.is_open:
                self._give(connection, now)
        if self._questions or self._changes:
            self._grow()

    def _give(self, connection: Connection, now: float) -> None:
        """The next errand that still wants to go."""
        until = now + self._times.answer_s
        while (errand := self._next()) is not None:
            try:
                message = errand.message()
            except NotSent as refusal:
                errand.answered(Answer(failure=refusal))
                continue
            connection.send(errand, message, until)
            return
        self._idle.append(connection)

    def _next(self) -> Errand | None:
        asks = bool(self._questions) and not (self._asked_last and self._changes)
        self._asked_last = asks
        if asks:
            return self._questions.popleft()
        return self._changes.popleft() if self._changes else None

    def _grow(self) -> None:
        waiting = len(self._questions) + len(self._changes)
        if waiting:
            self._connect(waiting - len(self._connecting))

    def _refill(self) -> None:
        self._connect(self._wanted - len(self._alive) - len(self._connecting))

    def _connect(self, more: int) -> None:
        room = min(
            self._limit - len(self._alive) - len(self._connecting),
            CONNECTING_AT_ONCE - len(self._connecting),
        )
        for _ in range(min(more, room)):
            task = asyncio.ensure_future(self._open_one())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _open_one(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        connection: Connection | None = None
        failure: Exception | None = None
        try:
            async with asyncio.timeout(self._times.connect_s):
                connection = await self._connection(loop)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing was sent
            failure = error
        self._connecting.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        if failure is not None:
            self._not_opened(began, failure)
        elif connection is not None and self._closed:
            connection.drop()
        elif connection is not None:
            self.opened(connection)

    async def _connection(self, loop: asyncio.AbstractEventLoop) -> Connection:
        addresses = await self._resolve(loop)
        for place, address in enumerate(addresses):
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(self),
                    address,
                    self._port,
                    ssl=self.tls,
                    server_hostname=self._name if self.tls else None,
                )
            except OSError:
                if place + 1 == len(addresses):
                    raise
            else:
                return connection
        raise OSError("the name has no address")

    async def _resolve(self, loop: asyncio.AbstractEventLoop) -> list[str]:
        """Asked anew now and then: hosts move, and a thousand connections need one answer."""
        if not self._addresses or loop.time() - self._resolved_at > RESOLVE_EVERY_S:
            found = await loop.getaddrinfo(self._name, self._port, type=socket.SOCK_STREAM)
            self._addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
            self._resolved_at = loop.time()
        return self._addresses

    def _not_opened(self, began: float, failure: Exception) -> None:
        """With no connection left nor on its way, whoever waited since before this try is told."""
        self._addresses = []
        if self._alive or self._connecting or self._closed:
            return
        logger.info("No connection to %s: %s", self.host, failure)
        self._fail_waiting(began + self._times.answer_s, not_connected(failure))
        self._grow()

    def _fail_waiting(self, until: float, failure: NotSent) -> None:
        """All that must be written by then."""
        waiting = [*self._questions, *self._changes]
        late = [errand for errand in waiting if errand.until <= until]
        if not late:
            return
        self._questions = deque(each for each in self._questions if each.until > until)
        self._changes = deque(each for each in self._changes if each.until > until)
        for errand in late:
            errand.answered(Answer(failure=failure))

    def _watch(self) -> None:
        if self._look is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._look = loop.call_later(LOOK_EVERY_S, self._look_after)

    def _look_after(self) -> None:
        """Whose answer does not come, who waited too long, and what was idle too long."""
        self._look = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._alive):
            if connection.errand is None:
                if connection.idle_until < now:
                    connection.drop()
            elif connection.until < now:
                connection.fail(TimeoutError("no answer in time"))
        self._fail_waiting(now, NotSent("no connection was free in time"))
        if self._wanted and self._warm_again < now:
            self._warm_again = now + RETRY_WARM_S
            self._refill()
        if self._alive or self._connecting or self._wanted or self._questions or self._changes:
            self._watch()
