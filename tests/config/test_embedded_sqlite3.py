"""Writers of the embedded default side by side: none starves, and what is urgent goes first."""

from __future__ import annotations

import fcntl
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.db.utils import load_backend

from accounts.contention import urgent

HELD_S = 0.01


def connected(file: Path, patience_s: float = 20) -> Any:
    """A connection of its own, as settings.py makes them."""
    settings: dict[str, Any] = {
        "ENGINE": "config.embedded_sqlite3",
        "NAME": str(file),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": patience_s,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
        },
        "TIME_ZONE": None,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "AUTOCOMMIT": True,
        "ATOMIC_REQUESTS": False,
        "TEST": {"NAME": None},
    }
    wrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "of its own")
    wrapper.inc_thread_sharing()
    return wrapper


def write(connection: Any, held_s: float = 0) -> int:
    """One transaction that writes and is open for so long; the number of this one."""
    connection.ensure_connection()
    connection._start_transaction_under_autocommit()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE counts SET n = n + 1 WHERE id = 1")
    number = count(connection)
    time.sleep(held_s)  # somebody's work within its transaction
    connection._commit()
    return number


@pytest.fixture
def file(tmp_path: Path, django_db_blocker: Any) -> Iterator[Path]:
    place = tmp_path / "some.sqlite3"
    with django_db_blocker.unblock():
        with closing(connected(place)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE counts (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
            cursor.execute("INSERT INTO counts VALUES (1, 0)")
        yield place


@pytest.fixture
def busy(file: Path) -> Iterator[None]:
    """Six writers that follow one another without a pause."""
    over = threading.Event()

    def keep_writing() -> None:
        with closing(connected(file)) as connection:
            while not over.is_set():
                write(connection, HELD_S)

    threads = [threading.Thread(target=keep_writing) for _ in range(6)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def passed_by(file: Path, times: int, how: Callable[[Any], int]) -> list[int]:
    """How many transactions of others came first, each time."""
    passed = []
    with closing(connected(file)) as connection:
        connection.ensure_connection()
        for _ in range(times):
            before = count(connection)
            passed.append(how(connection) - before - 1)
            time.sleep(0.02)  # comes anew, as a signal does
    return passed


@pytest.mark.usefixtures("busy")
def test_what_is_urgent_waits_for_a_writer_or_two_and_not_for_all_of_them(file: Path) -> None:
    def at_once(connection: Any) -> int:
        with urgent():
            return write(connection)

    passed = passed_by(file, 40, at_once)
    assert statistics.median(passed) < 6
    assert max(passed) < 50


@pytest.mark.usefixtures("busy")
def test_a_writer_among_others_is_not_put_off_for_ever(file: Path) -> None:
    """SQLite alone lets it wait for its whole patience, and then says that it is locked."""
    passed = passed_by(file, 25, write)
    assert statistics.median(passed) < 30
    assert max(passed) < 200


def test_who_is_next_and_frozen_is_passed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.embedded_sqlite3.base.POLITE_S", 0.05)
    frozen = os.open(f"{file}-turn", os.O_RDWR)
    fcntl.flock(frozen, fcntl.LOCK_EX)
    with closing(connected(file)) as connection:
        write(connection)
        assert count(connection) == 1
    os.close(frozen)


def test_a_writer_that_never_ends_is_told_of_when_patience_is_over(file: Path) -> None:
    with closing(connected(file)) as first, closing(connected(file, patience_s=0.1)) as second:
        first.ensure_connection()
        first._start_transaction_under_autocommit()
        with (
            pytest.raises(OperationalError, match="locked"),
            second.cursor() as cursor,
        ):
            cursor.execute("UPDATE counts SET n = 9 WHERE id = 1")
        first._rollback()
        assert count(second) == 0


def test_many_rows_are_written_once_also_while_somebody_else_writes(file: Path) -> None:
    with closing(connected(file)) as first, closing(connected(file)) as second:
        first.ensure_connection()
        first._start_transaction_under_autocommit()
        ending = threading.Timer(0.1, first._commit)
        ending.start()
        with second.cursor() as cursor:
            cursor.executemany("UPDATE counts SET n = n + %s WHERE id = 1", [(1,), (2,), (3,)])
        ending.join()
        assert count(second) == 6


def test_a_row_that_cannot_be_written_takes_back_those_with_it(file: Path) -> None:
    rows = [(2, 1), (1, 1)]
    with closing(connected(file)) as connection:
        with pytest.raises(IntegrityError), connection.cursor() as cursor:
            cursor.executemany("INSERT INTO counts VALUES (%s, %s)", rows)
        write(connection)
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM counts")
            assert cursor.fetchall() == [(1,)]


def count(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT n FROM counts WHERE id = 1")
        found: int = cursor.fetchone()[0]
        return found
