"""The socket that tells when a leader's take profits and stop losses change.

It says that something changed, and what it says is not kept: what is there is read. So a push
that is lost, doubled or late costs a reading, or the time until the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from trading.exchange.algos import AlgoReport
from trading.exchange.okx.websocket import SocketPool
from trading.exchange.streams import (
    AlgoEvent,
    Malformed,
    StreamEvent,
    StreamState,
    StreamStatus,
)
from trading.exchange.types import Credentials
from trading.sync.leaders.stops import is_older
from trading.sync.streams.threads import keep

logger = logging.getLogger(__name__)

# The exchange's readings may lag behind its sockets, yet not for long.
MOST_IN_VAIN = 4


class StopFeed:
    """From start() to aclose(). `on_change` is called for each change, and must only take note."""

    def __init__(
        self,
        keys: Credentials,
        sockets: SocketPool,
        on_change: Callable[[], None],
    ) -> None:
        self._stream = sockets.stops(keys, on_event=self._on_event)
        self._on_change = on_change
        self._heard: dict[str, AlgoReport] = {}
        self._in_vain = 0

    def start(self) -> None:
        self._task = keep(self._stream.run())

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def doubts(self, algos: Sequence[AlgoReport]) -> bool:
        """Whether a reading is of before what was heard. One that stays so is believed."""
        if not is_older(algos, self._heard.values()) or self._in_vain >= MOST_IN_VAIN:
            self._heard.clear()
            self._in_vain = 0
            return False
        self._in_vain += 1
        return True

    async def _on_event(self, event: StreamEvent) -> None:
        if isinstance(event, StreamStatus):
            # What changed while nobody listened is in no push.
            if event.state is StreamState.SUBSCRIBED:
                self._on_change()
            elif event.state is StreamState.AUTH_FAILED:
                logger.warning("The socket of a leader's stops was refused: %s", event.reason)
        elif isinstance(event, AlgoEvent):
            self._heard[event.report.exchange_algo_id] = event.report
            self._on_change()
        elif isinstance(event, Malformed):
            self._on_change()
