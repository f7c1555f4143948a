"""When whole positions and balances are pushed again, spread over time."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from typing import Final

from trading.simulator.channels import Subscription
from trading.simulator.session import Session

_LONGEST_TURN_S: Final = 0.02


class Timetable:
    """Each subscription keeps the rhythm of its own first push.

    One turn takes 20 ms at most: what is due and does not fit in waits for the next,
    so that regular pushes never hold up what is new.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Session, Subscription]] = []
        self._made = 0

    def add(self, session: Session, subscription: Subscription) -> None:
        if subscription.interval_ms:
            due = time.monotonic() + subscription.interval_ms / 1000
            self._made += 1
            heapq.heappush(self._due, (due, self._made, session, subscription))

    def due(self) -> Iterator[tuple[Session, Subscription]]:
        """What is due now; each comes again unless its session gave it up."""
        begun = time.monotonic()
        while self._due and self._due[0][0] <= begun:
            _, _, session, subscription = heapq.heappop(self._due)
            if session.is_gone or session.subscriptions.get(subscription.name) is not subscription:
                continue
            yield session, subscription
            self.add(session, subscription)
            if time.monotonic() - begun > _LONGEST_TURN_S:
                return
