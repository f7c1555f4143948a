"""Django's SQLite, but for how it waits while somebody else writes.

SQLite lets whoever waits sleep longer and longer, up to a tenth of a second, while who comes later
asks at once. Behind writers that follow one another, one that came first then waits for seconds, be
it an order that must leave. Here one writer at a time is next, all others wait for that, and nobody
passes whoever is next; what cannot wait (`accounts.contention.urgent`) asks much more often.

SQLite's own lock is the truth as ever: who is next is a matter of manners among our processes.
"""

from __future__ import annotations

import fcntl
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from accounts.contention import is_urgent

T = TypeVar("T")

# SQLite itself asks again once after this, without holding anything of Python's.
ASK_MS = 1
# Between two looks whether one may be next. A writer mostly takes some milliseconds.
PAUSE_S = (0.002, 0.008)
URGENT_PAUSE_S = (0.0002, 0.0006)
# Whoever is next and does not move for so long, as one that was frozen, is passed.
POLITE_S = 2.0
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "BEGIN")


class DatabaseWrapper(base.DatabaseWrapper):
    turn: Turn | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        self.patience_s = float(params.get("timeout", 5))
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if not self.is_in_memory_db():
            connection.execute(f"PRAGMA busy_timeout={ASK_MS}")
            self.turn = Turn(f"{self.settings_dict['NAME']}-turn")
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = self.connection.cursor(factory=Cursor)
        cursor.turn, cursor.patience_s = self.turn, self.patience_s
        return cursor

    def _commit(self) -> None:
        _patiently(super()._commit, self.patience_s)  # type: ignore[misc]

    def _close(self) -> None:
        if self.turn is not None:
            self.turn.close()
            self.turn = None
        super()._close()  # type: ignore[misc]


class Cursor(base.SQLiteCursorWrapper):
    turn: Turn | None = None
    patience_s = 0.0

    def execute(self, query: str, params: Any = None) -> Any:
        def ask() -> Any:
            return super(Cursor, self).execute(query, params)

        if self.turn is None or self.connection.in_transaction or not query.startswith(WRITES):
            return _patiently(ask, self.patience_s)
        with self.turn.next():
            return _patiently(ask, self.patience_s)

    def executemany(self, query: str, param_list: Any) -> Any:
        if self.connection.in_transaction or self.connection.isolation_level is not None:
            return super().executemany(query, param_list)
        # Each row would be a transaction of its own, and what was written must not be repeated.
        self.execute("BEGIN IMMEDIATE")
        try:
            done = super().executemany(query, param_list)
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()
        return done


class Turn:
    """Who writes next, among all processes: whoever has the lock on a file beside the database."""

    def __init__(self, place: str) -> None:
        self._file = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)

    def close(self) -> None:
        os.close(self._file)

    @contextmanager
    def next(self) -> Iterator[None]:
        """Be next in here. A kernel takes the turn away from whoever dies."""
        held = self._wait()
        try:
            yield
        finally:
            if held:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _wait(self) -> bool:
        until = 0.0
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                now = time.monotonic()
                until = until or now + POLITE_S
                if now >= until:
                    return False
            else:
                return True
            pause = URGENT_PAUSE_S if is_urgent() else PAUSE_S
            time.sleep(random.uniform(*pause))  # noqa: S311, TID251 - as SQLite does itself


def _patiently(ask: Callable[[], T], patience_s: float) -> T:
    """Ask until the other writer is done, or raise what SQLite says when `patience_s` are over.

    What SQLite refuses so has done nothing, and is asked again as it was.
    """
    until = 0.0
    while True:
        try:
            return ask()
        except (sqlite3.OperationalError, OperationalError) as error:
            if not _is_busy(error):
                raise
            now = time.monotonic()
            until = until or now + patience_s
            if now >= until:
                raise


def _is_busy(error: Exception) -> bool:
    """What was read before its transaction began to write stays old: for that none can wait."""
    code: int = getattr(error.__cause__ or error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY and code != sqlite3.SQLITE_BUSY_SNAPSHOT
