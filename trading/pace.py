"""How many orders leave per second: this process counts its own, the database those of accounts."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db.models import Count

from accounts.questions import Given, Question
from trading.leases import alive_count
from trading.models import Order

SECOND = timedelta(seconds=1)
# Openings live for minutes at most: older rows need not be looked at.
LOOK_BACK = timedelta(minutes=10)
PROCESSES_FRESH_S = 5.0


class Pace:
    """The sends of this process within the last second, and what that means for all of them.

    Executors share the work evenly, so each takes the others to be as busy as itself: asking the
    database about every send of everybody would cost more than it protects.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()  # chunks are marked by several threads
        self._processes, self._asked_at = 1, -PROCESSES_FRESH_S

    def add(self, count: int) -> None:
        with self._lock:
            if count:
                self._sent.append((self._clock(), count))

    def forget(self) -> None:
        """As in a process that has just started."""
        with self._lock:
            self._sent.clear()
        self._processes, self._asked_at = 1, -PROCESSES_FRESH_S

    def of_all(self) -> int:
        """Estimated sends of the whole installation within the last second."""
        return self.own() * self.executors()

    def share(self, count: int) -> int:
        """What `count` orders of this process mean for the whole installation."""
        return count * self.executors()

    def own(self) -> int:
        since = self._clock() - 1
        with self._lock:
            while self._sent and self._sent[0][0] <= since:
                self._sent.popleft()
            return sum(count for _, count in self._sent)

    def executors(self) -> int:
        """How many processes send, this one among them; asked every few seconds."""
        if self._clock() - self._asked_at >= PROCESSES_FRESH_S:
            self._processes, self._asked_at = max(alive_count("executor"), 1), self._clock()
        return self._processes


pace = Pace()


def sends_of_accounts(account_ids: Iterable[int], now: datetime) -> dict[int, int]:
    """Orders of each account that were marked within the last second (one query)."""
    since = {"created": now - LOOK_BACK, "sent": now - SECOND}
    return dict(_SENDS.ask(accounts=set(account_ids), **since))


_SENDS = Question(
    lambda: (
        Order.objects.filter(
            account_id__among=Given("accounts"),
            created_at__gte=Given("created"),
            sent_at__gt=Given("sent"),
        )
        .order_by()
        .values_list("account_id")
        .annotate(count=Count("id"))
    )
)
