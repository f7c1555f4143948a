"""Every live socket of this process: counted, asked to show it is alive, kept up to date."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError

from notifications.live.entry import Visitor
from notifications.live.replay import current_numbers

TICK_S = 1.0
LOOK_S = 2.0

log = logging.getLogger(__name__)


class Socket(Protocol):
    visitor: Visitor | None

    async def tick(self, now: float) -> None: ...

    async def compare(self, current: Mapping[str, int]) -> None: ...


class Hub:
    """One per event loop. A look at the rows, for all sockets together, notices every loss."""

    def __init__(self) -> None:
        self._sockets: dict[Socket, Visitor] = {}
        self._per_user: Counter[int] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._sockets)

    def count_of(self, user_id: int) -> int:
        return self._per_user[user_id]

    def add(self, socket: Socket, visitor: Visitor) -> None:
        self._sockets[socket] = visitor
        self._per_user[visitor.user_id] += 1
        if not self._tasks:
            self._tasks = [asyncio.create_task(run()) for run in (self._tick, self._look)]

    def remove(self, socket: Socket) -> None:
        visitor = self._sockets.pop(socket, None)
        if visitor is not None:
            self._per_user[visitor.user_id] -= 1
            if not self._per_user[visitor.user_id]:
                del self._per_user[visitor.user_id]
        if not self._sockets:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            for socket in list(self._sockets):
                try:
                    await socket.tick(loop.time())
                except Exception:
                    log.exception("a live socket could not be looked after")

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            places = {s: (v.tenant_id, v.audience) for s, v in self._sockets.items()}
            try:
                look = database_sync_to_async(current_numbers, thread_sensitive=False)
                current = await look(set(places.values()))
            except (DatabaseError, InterfaceError) as error:
                log.warning("live sockets rely on messages alone: %s", error)
                continue
            except Exception:
                log.exception("live sockets rely on messages alone")
                continue
            for socket, place in places.items():
                try:
                    await socket.compare(current.get(place, {}))
                except Exception:
                    log.exception("a live socket could not be brought up to date")


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
