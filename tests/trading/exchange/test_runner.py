"""One loop per process, and only in its process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from trading.exchange.runner import exchange_loop, stop_exchange_loop


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    yield
    stop_exchange_loop()


async def _answer() -> int:
    await asyncio.sleep(0)
    return 42


def test_it_answers_and_stays_the_same() -> None:
    assert exchange_loop().run(_answer(), timeout=5) == 42
    assert exchange_loop() is exchange_loop()


def test_what_takes_too_long_is_canceled() -> None:
    with pytest.raises(TimeoutError):
        exchange_loop().run(asyncio.sleep(10), timeout=0.01)


def test_a_stopped_loop_is_followed_by_another() -> None:
    before = exchange_loop()
    stop_exchange_loop()

    assert exchange_loop() is not before
    assert exchange_loop().run(_answer(), timeout=5) == 42


def test_a_forked_child_has_its_own() -> None:
    before = exchange_loop()
    child = os.fork()
    if child == 0:
        fine = exchange_loop() is not before and exchange_loop().run(_answer(), timeout=5) == 42
        os._exit(0 if fine else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert exchange_loop() is before
