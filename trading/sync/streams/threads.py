"""Threads in which the streams process touches the database; its event loop never does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connection, connections

from trading.sync.apply import Contended

logger = logging.getLogger(__name__)
T = TypeVar("T")

PASSING = (OperationalError, InterfaceError, Contended)
_BACKOFF_S = 0.2
_BACKOFF_MOST_S = 5.0
# One writer at a time is all SQLite has; more threads would only wait in line.
_SQLITE_THREADS = 2
_THREADS = 8


class DatabaseThreads:
    """Runs functions in a few threads that keep their connections."""

    def __init__(self, count: int | None = None) -> None:
        default = _SQLITE_THREADS if connection.vendor == "sqlite" else _THREADS
        self._threads = ThreadPoolExecutor(count or default, thread_name_prefix="database")

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: _guarded(function, args, kwargs))

    async def insist(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """The same, again and again while the database hiccups. For what may be repeated."""
        pause = _BACKOFF_S
        while True:
            try:
                return await self.run(function, *args, **kwargs)
            except PASSING as error:
                logger.warning("The database is not with us, trying again: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _BACKOFF_MOST_S)

    def stop(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def keep(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that should run until it is canceled; its end by a fault is logged."""
    task = asyncio.create_task(coroutine)
    task.add_done_callback(_log_fault)
    return task


def _log_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("A task of the streams ended by a fault", exc_info=error)


def _guarded(function: Callable[..., T], args: Any, kwargs: Any) -> T:
    try:
        return function(*args, **kwargs)
    except (OperationalError, InterfaceError):
        # Whatever is left of this connection, the next call begins with another.
        connections.close_all()
        raise
