"""What ends close together is followed up together, the first of it at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from config import flow
from config.flow import MOST_TOGETHER, Gathered

REST_S = 0.2


class Told:
    """A task as the broker sees it."""

    name = "a task"

    def __init__(self, expected: int) -> None:
        self.messages: list[list[str]] = []
        self._missing, self._all_there = expected, threading.Event()

    def apply_async(self, args: Any, **_: Any) -> None:
        self.messages.append(args[0])
        self._missing -= len(args[0])
        if self._missing <= 0:
            self._all_there.set()

    def wait(self) -> list[list[str]]:
        assert self._all_there.wait(10)
        return self.messages


def test_the_first_goes_at_once() -> None:
    told = Told(1)
    Gathered(told, REST_S).add(["one"])
    assert told.messages == [["one"]]


def test_what_comes_close_behind_goes_together_and_nothing_is_lost() -> None:
    told = Told(100)
    gathered = Gathered(told, REST_S)
    for number in range(100):
        gathered.add([str(number)])
    messages = told.wait()
    assert sorted(id_ for ids in messages for id_ in ids) == sorted(map(str, range(100)))
    assert len(messages) < 10


def test_what_comes_after_the_rest_goes_at_once_again() -> None:
    told = Told(2)
    gathered = Gathered(told, 0.01)
    gathered.add(["one"])
    assert _ends(gathered)
    gathered.add(["two"])
    assert told.messages == [["one"], ["two"]]


def test_orders_that_finish_one_by_one_are_not_followed_up_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Told(200)
    monkeypatch.setattr(flow, "_finished", Gathered(told, REST_S))
    for number in range(200):
        flow.go_on(order_ids=[number])
    assert len(told.wait()) < 10


def test_a_message_has_so_many_at_most() -> None:
    told = Told(2 * MOST_TOGETHER + 1)
    Gathered(told, REST_S).add([str(number) for number in range(2 * MOST_TOGETHER + 1)])
    assert [len(ids) for ids in told.messages] == [MOST_TOGETHER, MOST_TOGETHER, 1]


def test_a_forked_child_does_not_wait_for_a_timer_that_it_has_not() -> None:
    told = Told(1)
    gathered = Gathered(told, 60)
    gathered.add(["the parent's"])
    gathered.add(["the parent's, too"])
    gathered.forget()
    gathered.add(["the child's"])
    assert told.messages == [["the parent's"], ["the child's"]]


def _ends(gathered: Gathered) -> bool:
    """Whether its rest ends within ten seconds."""
    over = threading.Event()
    for _ in range(1000):
        if not gathered.rests:
            return True
        over.wait(0.01)
    return False
