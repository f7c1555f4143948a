"""One thread per process that stores webhook calls: what waits is committed together.

A server that answers many requests at once would otherwise open a connection and wait for a
commit for each. A call is answered when its own transaction is committed, never before.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection

from signals.afterwards import Afterwards, gathered, tell
from signals.storing import Received
from signals.storing_together import Outcome
from signals.together import Delivery, take_together

MOST_TOGETHER = 64
MOST_WAITING = 1000
MOST_UNTOLD = 10_000
PATIENCE_S = 10.0
STOP_S = 5.0
# A connection that was not used for so long may have been closed by the other side.
IDLE_S = 1.0
# While more calls wait, what is counted of the last ones is written so seldom.
COUNT_S = 1.0

log = logging.getLogger(__name__)


class NotTaken(Exception):  # noqa: N818 - says what happened
    """The call was not stored and nothing of it was used up: there is too much to do."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    delivery: Delivery
    answer: Future[Received] = field(default_factory=Future)


class _Thread:
    """A daemon thread that is there whenever it is needed, and takes what a queue holds."""

    def __init__(self, name: str, serve: Callable[[], None]) -> None:
        self._name, self._serve = name, serve
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()

    def end(self, queue_: queue.Queue[Any], timeout: float) -> None:
        """Let it serve what its queue holds, and wait until it has."""
        if self._thread is None or not self._thread.is_alive():
            return
        with suppress(queue.Full):
            queue_.put(None, timeout=timeout)
            self._thread.join(timeout)


class GroupWriter:
    """Takes calls from any thread, one at a time each, and stores them together."""

    def __init__(
        self,
        *,
        take: Callable[[Sequence[Delivery]], list[Outcome]] = take_together,
        most_waiting: int = MOST_WAITING,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._take, self._patience_s = take, patience_s
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(most_waiting)
        self._untold: queue.Queue[Afterwards | None] = queue.Queue(MOST_UNTOLD)
        self._writing = _Thread("webhook-writer", self._write)
        self._telling = _Thread("webhook-teller", self._tell)
        self._used_at = 0.0
        self._uncounted = Afterwards()
        self._counted_at = 0.0

    def take(self, delivery: Delivery) -> Received:
        """Store this call with whatever else waits. Raises what stands in its way, or NotTaken."""
        waiting = _Waiting(delivery)
        try:
            self._waiting.put_nowait(waiting)
        except queue.Full:
            raise NotTaken("too many calls wait") from None
        self._writing.start()
        try:
            return waiting.answer.result(self._patience_s)
        except TimeoutError:
            if waiting.answer.cancel():
                raise NotTaken("its turn did not come") from None
            # It is being stored: nobody but the outcome may say whether it was.
            return waiting.answer.result()

    def stop(self, timeout: float = STOP_S) -> None:
        """Store what waits, tell of it, and end. A call that comes later starts it again."""
        self._writing.end(self._waiting, timeout)
        self._telling.end(self._untold, timeout)

    def _write(self) -> None:
        try:
            while (first := self._waiting.get()) is not None:
                self._store(self._with_others(first))
            self._count()
        finally:
            connection.close()

    def _with_others(self, first: _Waiting) -> list[_Waiting]:
        """What came while the last batch was being stored. Nobody waits for more to come."""
        together = [first]
        while len(together) < MOST_TOGETHER:
            try:
                another = self._waiting.get_nowait()
            except queue.Empty:
                break
            if another is None:
                self._waiting.put(None)
                break
            together.append(another)
        return [one for one in together if one.answer.set_running_or_notify_cancel()]

    def _store(self, together: Sequence[_Waiting]) -> None:
        """Whatever happens here, everybody is answered."""
        try:
            self._look_at_the_connection()
            with gathered() as afterwards:
                outcomes = self._take([one.delivery for one in together])
            for one, outcome in zip(together, outcomes, strict=True):
                _answer(one, outcome)
            self._follow_up(afterwards)
        except BaseException as error:
            for one in together:
                if not one.answer.done():
                    _answer(one, NotTaken(f"the writer failed: {type(error).__name__}"))
            log.exception("calls could not be stored")

    def _look_at_the_connection(self) -> None:
        now = time.monotonic()
        if now - self._used_at > IDLE_S and connection.connection and not connection.is_usable():
            connection.close()
        self._used_at = now

    def _follow_up(self, afterwards: Afterwards) -> None:
        """Counts here, where the connection is; what waits for a broker in a thread of its own."""
        self._uncounted.take_counts(afterwards)
        if self._waiting.empty() or time.monotonic() - self._counted_at > COUNT_S:
            self._count()
        if not afterwards.announcements:
            return
        try:
            self._untold.put_nowait(afterwards)
        except queue.Full:
            log.warning("signals were not announced: the sweep finds them")
        self._telling.start()

    def _count(self) -> None:
        """A commit of its own, which the calls that wait need not wait for each time."""
        try:
            self._uncounted.write_counts()
        except DatabaseError as error:
            log.warning("calls were not counted: %s", error)
            self._uncounted.counts.clear()
            connection.close()
        self._counted_at = time.monotonic()

    def _tell(self) -> None:
        try:
            while (afterwards := self._untold.get()) is not None:
                tell(afterwards.announcements)
        finally:
            connection.close()


def _answer(one: _Waiting, outcome: Outcome) -> None:
    if isinstance(outcome, Exception):
        one.answer.set_exception(outcome)
    else:
        one.answer.set_result(outcome)


_writer = GroupWriter()


def the_writer() -> GroupWriter:
    """This process's writer."""
    return _writer


def _start_afresh() -> None:
    """A forked process has its parent's locks but not its threads."""
    global _writer  # noqa: PLW0603 - one per process
    _writer = GroupWriter()


def _stop() -> None:
    _writer.stop()


os.register_at_fork(after_in_child=_start_afresh)
atexit.register(_stop)
