"""Turns are given evenly, the most urgent first, and never two for one."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from trading.exchange.turns import Turns


async def test_a_loop_that_was_held_up_does_not_make_up_for_it() -> None:
    turns, given = Turns(20), []

    async def take() -> None:
        await turns.wait()
        given.append(time.monotonic())

    waiting = [asyncio.create_task(take()) for _ in range(5)]
    await asyncio.sleep(0.01)
    time.sleep(0.3)  # noqa: ASYNC251 - the loop is held up, on purpose
    await asyncio.gather(*waiting)

    gaps = [later - before for before, later in pairwise(given)]
    assert min(gaps) > 0.045


async def test_the_most_urgent_comes_first_and_of_the_others_who_came_first() -> None:
    turns, order = Turns(100), []

    async def take(name: str, rank: int) -> None:
        await turns.wait(rank)
        order.append(name)

    asked = [("first", 1), ("second", 1), ("last", 2), ("urgent", 0)]
    await asyncio.gather(*(take(name, rank) for name, rank in asked))

    assert order == ["urgent", "first", "second", "last"]


async def test_who_went_away_takes_no_turn_from_the_others() -> None:
    turns = Turns(5)
    waiting = [asyncio.create_task(turns.wait()) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting[1:-1]:
        task.cancel()

    begun = time.monotonic()
    await asyncio.gather(waiting[0], waiting[-1])
    assert time.monotonic() - begun < 0.4
