"""Chunks of one signal copied side by side, where the database server works while we do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

from django.db import connection

T = TypeVar("T")

# While one of two waits for the server the other decides; a third would only wait for either.
THREADS = 2
UNUSED_S = 30.0

_threads: ThreadPoolExecutor | None = None
_used_at: dict[int, float] = {}


def may_overlap() -> bool:
    """SQLite lets one transaction write at a time; and nobody else sees into an open one."""
    return connection.vendor == "mysql" and not connection.in_atomic_block


def overlapping(jobs: Sequence[Callable[[], T]], go_on: Callable[[], bool]) -> Iterator[T]:
    """Do the jobs in threads with connections of their own; what they return, as they end.

    Asks `go_on` before each job and ends early where it says no. When a job fails, or waiting for
    one is interrupted, those under way are waited for and told, and then the error is raised.
    """
    waiting, running = list(jobs), set[Future[T]]()
    failure: BaseException | None = None
    try:
        while running or (waiting and failure is None):
            try:
                while waiting and failure is None and len(running) < THREADS:
                    if not go_on():
                        waiting.clear()
                        break
                    context = copy_context()
                    running.add(_pool().submit(context.run, _in_thread, waiting.pop(0)))
                done, running = wait(running, return_when=FIRST_COMPLETED)
            except BaseException as error:  # noqa: BLE001 - raised below, when all have been told
                failure = error
                continue
            for one in done:
                failure = one.exception() or failure
                if one.exception() is None:
                    yield one.result()
    finally:
        wait(running)  # nobody hears of these, but nobody takes them for abandoned either
    if failure is not None:
        raise failure


def _in_thread(job: Callable[[], T]) -> T:
    """With the thread's own connection, a new one after a while: the server may have left."""
    key = id(connection.connection)
    if connection.connection is not None and time.monotonic() - _used_at.pop(key, 0.0) > UNUSED_S:
        connection.close()
    try:
        return job()
    except BaseException:
        connection.close()
        raise
    finally:
        if connection.connection is not None:
            _used_at[id(connection.connection)] = time.monotonic()


def _pool() -> ThreadPoolExecutor:
    global _threads  # noqa: PLW0603 - made by the first process that needs it
    if _threads is None:
        _threads = ThreadPoolExecutor(THREADS, thread_name_prefix="copying")
    return _threads


def _forget() -> None:
    global _threads  # noqa: PLW0603 - a forked child has none of its parent's threads
    _threads = None
    _used_at.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
