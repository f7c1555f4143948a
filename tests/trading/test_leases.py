"""One process does a job at a time; several share the sockets."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.utils import timezone

from trading.leases import (
    alive_count,
    alive_counts,
    beat_heartbeat,
    claim_streams,
    db_now,
    end_heartbeat,
    fair_capacity,
    give_back_job,
    job_lease,
    release_streams,
    single_flight,
    take_job,
)
from trading.models import Heartbeat, JobLease, StreamLease

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ANNA, BORIS = uuid.UUID(int=1), uuid.UUID(int=2)


def lapse() -> None:
    past = db_now() - timedelta(seconds=1)
    JobLease.objects.update(until=past)
    StreamLease.objects.update(until=past)


def test_the_database_tells_the_time_in_utc() -> None:
    now = db_now()

    assert now.tzinfo is UTC
    assert abs(now - timezone.now()) < timedelta(seconds=5)
    assert isinstance(now, datetime)


def test_a_job_is_done_by_one() -> None:
    with job_lease("sweep", 60) as first, job_lease("sweep", 60) as second:
        assert (first, second) == (True, False)
    with job_lease("sweep", 60) as third:
        assert third


def test_a_job_is_given_back_when_it_fails() -> None:
    with pytest.raises(ZeroDivisionError), job_lease("sweep", 60):
        raise ZeroDivisionError

    assert take_job("sweep", ANNA, 60)


def test_a_holder_renews_and_is_followed_when_its_time_is_over() -> None:
    assert take_job("sweep", ANNA, 60)
    assert take_job("sweep", ANNA, 60)
    assert not take_job("sweep", BORIS, 60)

    lapse()

    assert take_job("sweep", BORIS, 60)
    give_back_job("sweep", ANNA)
    assert not take_job("sweep", ANNA, 60)


def test_a_decorated_job_returns_none_to_the_others() -> None:
    @single_flight("count", 60)
    def count(number: int) -> int:
        assert count(0) is None
        return number

    assert count(7) == 7


@pytest.mark.django_db(transaction=True)
def test_many_threads_take_a_new_job_once() -> None:
    start = threading.Barrier(6)

    def take(number: int) -> bool:
        start.wait()
        try:
            return take_job("first", uuid.UUID(int=number + 1), 60)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        taken = list(threads.map(take, range(6)))

    assert sum(taken) == 1


def test_two_copies_share_the_sockets() -> None:
    everything = range(1, 11)
    alone = claim_streams(ANNA, everything, seconds=20, capacity=fair_capacity(10, 1))
    share = fair_capacity(10, 2)

    nothing_free = claim_streams(BORIS, everything, seconds=20, capacity=share)
    fewer = claim_streams(ANNA, everything, seconds=20, capacity=share)
    rest = claim_streams(BORIS, everything, seconds=20, capacity=share)

    assert (len(alone), share, len(nothing_free)) == (10, 6, 0)
    assert len(fewer) == 6
    assert fewer | rest == set(everything)
    assert not fewer & rest


def test_sockets_of_a_dead_copy_are_taken_over() -> None:
    claim_streams(ANNA, [1, 2, 3], seconds=20, capacity=9)

    lapse()

    assert claim_streams(BORIS, [1, 2, 3], seconds=20, capacity=9) == {1, 2, 3}
    assert claim_streams(ANNA, [1, 2, 3], seconds=20, capacity=9) == set()


def test_unwanted_sockets_are_given_back() -> None:
    claim_streams(ANNA, [1, 2, 3], seconds=20, capacity=9)

    assert claim_streams(ANNA, [2], seconds=20, capacity=9) == {2}
    assert claim_streams(BORIS, [1, 3], seconds=20, capacity=9) == {1, 3}
    release_streams(ANNA)
    assert claim_streams(BORIS, [1, 2, 3], seconds=20, capacity=9) == {1, 2, 3}


@pytest.mark.django_db(transaction=True)
def test_copies_that_start_together_never_hold_the_same_socket() -> None:
    start = threading.Barrier(4)

    def claim(number: int) -> frozenset[int]:
        start.wait()
        try:
            owner = uuid.UUID(int=number + 1)
            return claim_streams(owner, range(40), seconds=20, capacity=fair_capacity(40, 4))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        shares = list(threads.map(claim, range(4)))

    assert sum(map(len, shares)) == len(frozenset().union(*shares))


def test_a_process_says_that_it_lives_until_it_leaves() -> None:
    for note in ("a", "b"):
        beat_heartbeat("streams", note)

    assert alive_count("streams") == 1
    assert alive_counts("executor", "streams") == {"executor": 0, "streams": 1}
    assert Heartbeat.objects.get().note == "b"
    Heartbeat.objects.update(beat_at=db_now() - timedelta(minutes=1))
    assert alive_count("streams") == 0
    end_heartbeat("streams")
    assert not Heartbeat.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_tasks_of_one_process_may_both_be_the_first_to_say_that_it_lives() -> None:
    end_heartbeat("twice")
    together = threading.Barrier(2)

    def beat() -> None:
        together.wait()
        beat_heartbeat("twice")
        connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(beat) for _ in range(2)]:
            done.result()

    assert alive_count("twice") == 1
