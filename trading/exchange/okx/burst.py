"""Many orders on their way at once, and the promise to tell of each exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from trading.exchange.types import SendOutcome

logger = logging.getLogger(__name__)


class Burst:
    """`finished` when every outcome was given; `skewed` when one of them blamed our clock."""

    def __init__(self, count: int, done: Callable[[int, SendOutcome], None]) -> None:
        self._done = done
        self._given = bytearray(count)
        self.left = count
        self.skewed = False
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not count:
            self.finished.set_result(None)

    def give(self, index: int, outcome: SendOutcome) -> None:
        """The first outcome of an order counts; what its receiver does wrong stops no other."""
        if self._given[index]:
            return
        self._given[index] = 1
        self.left -= 1
        self.skewed = self.skewed or outcome.clock_skewed
        try:
            self._done(index, outcome)
        except Exception:
            logger.exception("The outcome of an order could not be delivered")
        if not self.left and not self.finished.done():
            self.finished.set_result(None)

    def give_rest(self, outcome: SendOutcome) -> None:
        """The same for all that have none."""
        for index, given in enumerate(self._given):
            if not given:
                self.give(index, outcome)
