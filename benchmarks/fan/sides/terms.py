"""What a side is told once: where the exchange is, how many accounts and connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import uvloop

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    rest: str
    accounts: int
    connections: int
    redis: str = ""
    leverage: str = "known"
    executors: int = 0


class SideLike(Protocol):
    """`ready` once, `prepare` before each round (not timed), `go` is the round.

    `ready` answers with the ids of the processes whose processor time counts.
    """

    def ready(self) -> dict[str, Any]: ...

    def prepare(self, number: int) -> dict[str, Any] | None: ...

    def go(self, number: int) -> dict[str, Any]: ...


class LoopThread:
    """A uvloop in a thread of its own that keeps its connections between rounds."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
