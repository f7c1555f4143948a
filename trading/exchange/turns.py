"""Turns for what may be done only so many times a second, the most urgent first."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count


class Turns:
    """Gives one at a time. Belongs to one event loop.

    A loop that was held up does not make up for it: what comes at once would be too much.
    """

    def __init__(self, per_second: float) -> None:
        self._gap = 0.0
        self._next_at = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self.set_pace(per_second)

    def set_pace(self, per_second: float) -> None:
        """From the next turn on."""
        self._gap = 1 / per_second

    async def wait(self, rank: int = 0) -> None:
        """Wait for a turn: the lowest rank first, and of one rank who came first."""
        turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (rank, next(self._numbers), turn))
        self._arrange()
        await turn

    def _arrange(self) -> None:
        if self._timer is None and self._waiting:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._next_at), self._give)

    def _give(self) -> None:
        """To the first who still waits: who went away takes no turn from the others."""
        self._timer = None
        while self._waiting:
            _rank, _number, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                self._next_at = asyncio.get_running_loop().time() + self._gap
                break
        self._arrange()
