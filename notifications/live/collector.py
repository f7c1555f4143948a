"""From "these rows were committed" to the relay: one thread in every process that changes rows.

Nudges cost the committing thread a few microseconds. What comes within a tenth of a second is
relayed together. A process that dies before it did so is made good by the sweep.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from notifications.live.finding import Source
from notifications.live.relay import Posted, post, relay

TOGETHER_S = 0.1
AGAIN_S = 1.0
# Beyond this many waiting ids the sweep is the quicker way.
MOST_WAITING = 20_000

log = logging.getLogger(__name__)


class Collector:
    """Gathers nudges and relays them from a thread of its own, which a first nudge starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ids: dict[Source, set[Any]] = {}
        self._posted: list[Posted] = []
        self._thread: threading.Thread | None = None

    def note(self, source: Source, ids: Iterable[Any]) -> None:
        """These rows were committed. Never waits for the database, never raises."""
        with self._lock:
            waiting = self._ids.setdefault(source, set())
            if len(waiting) < MOST_WAITING:
                waiting.update(ids)
        self._begin()

    def post(self, posted: Iterable[Posted]) -> None:
        """Send this with the next batch."""
        with self._lock:
            self._posted += posted
        self._begin()

    def relay_waiting(self) -> list[Posted]:
        """Relay what was noted so far and say what is to be sent."""
        with self._lock:
            ids, self._ids = self._ids, {}
            posted, self._posted = self._posted, []
        try:
            return [*(relay(ids) if ids else []), *posted]
        except (DatabaseError, InterfaceError):
            self._put_back(ids, posted)
            raise

    def _put_back(self, ids: Mapping[Source, set[Any]], posted: list[Posted]) -> None:
        with self._lock:
            for source, some in ids.items():
                self._ids.setdefault(source, set()).update(some)
            self._posted = posted + self._posted

    def _begin(self) -> None:
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(
                        target=self._run, name="live-relay", daemon=True
                    )
                    self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            pause = threading.Event()
            while True:
                self._wake.wait()
                pause.wait(TOGETHER_S)
                self._wake.clear()
                try:
                    if posted := self.relay_waiting():
                        runner.run(post(posted))
                    close_old_connections()
                except (DatabaseError, InterfaceError) as error:
                    log.warning("live events wait, the database is not with us: %s", error)
                    connections.close_all()
                    pause.wait(AGAIN_S)
                    self._wake.set()
                except Exception:
                    log.exception("live events were lost, the sweep will find them")


_collector = Collector()


def _start_afresh() -> None:
    """A forked process has its parent's locks but not its thread."""
    global _collector  # noqa: PLW0603 - one per process
    _collector = Collector()


os.register_at_fork(after_in_child=_start_afresh)


def note(source: Source, ids: Iterable[Any]) -> None:
    """Tell open pages of committed changes, soon and together with others."""
    if settings.LIVE_RELAY:
        _collector.note(source, ids)


def send_soon(posted: Iterable[Posted]) -> None:
    """Send this to sockets with the next batch."""
    if settings.LIVE_RELAY:
        _collector.post(posted)
