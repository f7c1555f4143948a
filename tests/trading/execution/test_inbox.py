"""Answers between two threads: each is taken once, and whoever waits is woken in time."""

from __future__ import annotations

import threading
import time
from typing import Any

from trading.execution.send import Inbox


def test_each_is_taken_once_in_its_order() -> None:
    """Batch after batch, while they keep coming; a wake-up that was missed would take minutes."""
    inbox, began = Inbox(), time.monotonic()
    answers: list[Any] = list(range(20_000))
    taken: list[Any] = []

    def come() -> None:
        for number, answer in enumerate(answers):
            inbox.put(answer)
            if number % 100 == 0:
                time.sleep(0)

    coming = threading.Thread(target=come)
    coming.start()
    while len(taken) < len(answers):
        inbox.wait(1, 10)
        inbox.wait(min(len(answers) - len(taken), 7), 10)
        taken += inbox.take(400)
    coming.join()

    assert taken == answers
    assert time.monotonic() - began < 10


def test_one_is_not_waited_for_longer_than_said() -> None:
    inbox, began = Inbox(), time.monotonic()

    inbox.wait(1, 0.05)

    assert 0.05 <= time.monotonic() - began < 2
    assert (len(inbox), inbox.take(5)) == (0, [])


def test_no_more_is_taken_than_asked_for() -> None:
    inbox = Inbox()
    answers: list[Any] = [1, 2, 3]
    for answer in answers:
        inbox.put(answer)

    assert inbox.take(2) == answers[:2]
    assert inbox.take(2) == answers[2:]
    assert len(inbox) == 0
