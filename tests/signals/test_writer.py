"""The thread that stores webhook calls: everybody is answered, whatever happens to it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.db.backends.signals import connection_created

from accounts.tenancy import tenant_scope
from signals import writer as writer_of
from signals.afterwards import Counts
from signals.models import SignalSource
from signals.storing import Received
from signals.storing_together import Outcome
from signals.together import Delivery, take_together
from signals.writer import GroupWriter, NotTaken
from tests.factories import make_instrument, make_source
from tests.signals.deliveries import delivery, stored

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

CALLERS = 50


@pytest.fixture
def source() -> SignalSource:
    make_instrument()
    return make_source(rate_per_second=1000)


@pytest.fixture
def writers() -> Iterator[list[GroupWriter]]:
    made: list[GroupWriter] = []
    yield made
    for writer in made:
        writer.stop()


def ask(writer: GroupWriter, one: Delivery) -> str:
    try:
        received = writer.take(one)
    except Exception as error:  # noqa: BLE001 - what the caller is told
        return type(error).__name__
    return "duplicate" if received.duplicate else str(received.signal.status)


def at_once(writer: GroupWriter, calls: Sequence[Delivery]) -> Counter[str]:
    with ThreadPoolExecutor(len(calls)) as threads:
        return Counter(threads.map(lambda one: ask(writer, one), calls))


def until(condition: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def test_fifty_callers_with_one_id_make_one_signal(
    source: SignalSource, writers: list[GroupWriter]
) -> None:
    writers.append(GroupWriter())

    told = at_once(writers[0], [delivery(source) for _ in range(CALLERS)])

    assert told == {"accepted": 1, "duplicate": CALLERS - 1}
    assert stored() == (1, CALLERS)

    def counted() -> bool:
        with tenant_scope(source.tenant_id):
            return bool(SignalSource.objects.get(pk=source.pk).duplicate_count == CALLERS - 1)

    until(counted)


def test_callers_share_one_connection(source: SignalSource, writers: list[GroupWriter]) -> None:
    writers.append(GroupWriter())
    opened: list[Any] = []
    note = lambda **_: opened.append(threading.current_thread().name)  # noqa: E731
    connection_created.connect(note)
    try:
        told = at_once(writers[0], [delivery(source, id=str(n)) for n in range(CALLERS)])
    finally:
        connection_created.disconnect(note)

    assert told == {"accepted": CALLERS}
    # On MySQL a thread's first connection only asks what kind of server it is.
    assert opened == ["webhook-writer"] * (2 if connection.vendor == "mysql" else 1)


def test_calls_that_come_meanwhile_are_stored_together(
    source: SignalSource, writers: list[GroupWriter]
) -> None:
    sizes: list[int] = []
    go_on = threading.Event()

    def take(calls: Sequence[Delivery]) -> list[Outcome]:
        sizes.append(len(calls))
        go_on.wait(10)
        return take_together(calls)

    writers.append(GroupWriter(take=take))
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(ask, writers[0], delivery(source, id="first"))
        until(lambda: sizes == [1])
        later = [threads.submit(ask, writers[0], delivery(source, id=str(n))) for n in range(7)]
        until(lambda: writers[0]._waiting.qsize() == 7)
        go_on.set()
        told = [first.result(), *(one.result() for one in later)]

    assert told == ["accepted"] * 8
    assert sizes == [1, 7]


def test_what_is_counted_is_written_once_while_more_calls_wait(
    source: SignalSource, writers: list[GroupWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writing is a commit that those who wait would have to wait for."""
    monkeypatch.setattr(writer_of, "MOST_TOGETHER", 2)
    monkeypatch.setattr(writer_of, "COUNT_S", 60)
    batches: list[int] = []
    written: list[int] = []
    write = Counts.write
    go_on = threading.Event()

    def take(calls: Sequence[Delivery]) -> list[Outcome]:
        batches.append(len(calls))
        go_on.wait(10)
        return take_together(calls)

    def noting(self: Counts, source_id: int) -> None:
        written.append(self.duplicates)
        write(self, source_id)

    monkeypatch.setattr(Counts, "write", noting)
    writers.append(GroupWriter(take=take))
    writers[0]._counted_at = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(ask, writers[0], delivery(source))
        until(lambda: batches == [1])
        later = [threads.submit(ask, writers[0], delivery(source)) for _ in range(6)]
        until(lambda: writers[0]._waiting.qsize() == 6)
        go_on.set()
        told = [first.result(), *(one.result() for one in later)]

    assert told == ["accepted"] + ["duplicate"] * 6
    writers[0].stop()
    assert batches == [1, 2, 2, 2]
    assert written == [6]


def test_no_more_wait_than_there_is_room_for(
    source: SignalSource, writers: list[GroupWriter]
) -> None:
    go_on, began = threading.Event(), threading.Event()

    def take(calls: Sequence[Delivery]) -> list[Outcome]:
        began.set()
        go_on.wait(10)
        return take_together(calls)

    writers.append(GroupWriter(take=take, most_waiting=1))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ask, writers[0], delivery(source, id="a"))
        began.wait(10)
        second = threads.submit(ask, writers[0], delivery(source, id="b"))
        until(writers[0]._waiting.full)
        assert ask(writers[0], delivery(source, id="c")) == NotTaken.__name__
        go_on.set()
        assert (first.result(), second.result()) == ("accepted", "accepted")

    assert stored() == (2, 2)


def test_who_loses_patience_is_never_stored_afterwards(
    source: SignalSource, writers: list[GroupWriter]
) -> None:
    go_on, began = threading.Event(), threading.Event()

    def take(calls: Sequence[Delivery]) -> list[Outcome]:
        began.set()
        go_on.wait(10)
        return take_together(calls)

    writers.append(GroupWriter(take=take, patience_s=0.1))
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(ask, writers[0], delivery(source, id="being stored"))
        began.wait(10)
        assert ask(writers[0], delivery(source, id="waiting")) == NotTaken.__name__
        go_on.set()
        assert first.result() == "accepted", "what is being stored is waited for"
    writers[0].stop()

    assert stored() == (1, 1)


@pytest.mark.parametrize("failure", [RuntimeError("a fault of ours"), SystemExit(1)])
def test_a_writer_that_fails_answers_everybody_and_goes_on(
    source: SignalSource, writers: list[GroupWriter], failure: BaseException
) -> None:
    faults = [failure]

    def take(calls: Sequence[Delivery]) -> list[Outcome]:
        if faults:
            raise faults.pop()
        return take_together(calls)

    writers.append(GroupWriter(take=take))

    assert ask(writers[0], delivery(source)) == NotTaken.__name__
    assert stored() == (0, 0)
    assert ask(writers[0], delivery(source)) == "accepted"


def test_a_writer_that_was_stopped_has_stored_what_waited_and_starts_again(
    source: SignalSource, writers: list[GroupWriter]
) -> None:
    began = threading.Event()

    def take(calls: Sequence[Delivery]) -> list[Outcome]:
        began.set()
        return take_together(calls)

    writers.append(GroupWriter(take=take))
    with ThreadPoolExecutor(1) as threads:
        told = threads.submit(ask, writers[0], delivery(source, id="a"))
        began.wait(10)
        writers[0].stop()
        assert told.result() == "accepted"

    assert ask(writers[0], delivery(source, id="b")) == "accepted"


def test_a_connection_that_was_cut_is_opened_anew(
    source: SignalSource, writers: list[GroupWriter]
) -> None:
    cuts = [1]

    def take(calls: Sequence[Delivery]) -> list[Outcome]:
        if cuts:
            cuts.clear()
            cut()
        return take_together(calls)

    writers.append(GroupWriter(take=take))

    told = [ask(writers[0], delivery(source, id=each)) for each in ("a", "a")]

    assert told[0].endswith("Error"), "who noticed is told to send again"
    assert told[1] == "accepted"


def cut() -> None:
    """The other side closes this thread's connection."""
    connection.ensure_connection()
    if connection.vendor == "mysql":
        with suppress(OperationalError), connection.cursor() as cursor:
            cursor.execute("KILL CONNECTION_ID()")
    else:
        connection.connection.close()


def test_a_database_that_is_away_is_never_a_success(
    source: SignalSource, writers: list[GroupWriter]
) -> None:
    away = threading.Event()

    def take(calls: Sequence[Delivery]) -> list[Outcome]:
        if away.is_set():
            connection.close()
            connection.settings_dict = {**connection.settings_dict, **nowhere()}
        else:
            connection.settings_dict = connections["default"].settings_dict | there
        return take_together(calls)

    there = dict(connection.settings_dict)
    writers.append(GroupWriter(take=take))
    away.set()
    told = at_once(writers[0], [delivery(source, id=str(n)) for n in range(8)])

    assert told == {"OperationalError": 8}
    assert stored() == (0, 0)
    away.clear()
    assert ask(writers[0], delivery(source, id="0")) == "accepted"


def nowhere() -> dict[str, Any]:
    if connection.vendor == "mysql":
        return {"HOST": "127.0.0.1", "PORT": 1}
    return {"NAME": "/nowhere/at/all.sqlite3"}


def test_received_is_what_was_committed(source: SignalSource, writers: list[GroupWriter]) -> None:
    writers.append(GroupWriter())

    received = writers[0].take(delivery(source))

    assert isinstance(received, Received)
    assert stored() == (1, 1)
