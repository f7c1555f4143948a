"""The product: from a committed signal to its orders at the exchange and their answers on record.

In one process, as an executor does it: without the hop over the broker.
"""

from __future__ import annotations

import cProfile
import io
import os
import pstats
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.db.backends.utils import CursorWrapper

from benchmarks.fan import desk
from benchmarks.fan.sides.terms import Terms
from trading import tasks
from trading.endpoints import endpoint_of_market
from trading.exchange.runner import client_for, exchange_loop
from trading.execution import leverage, starting
from trading.execution.clock import clock_is_right
from trading.execution.memory import settle_memory


class Side:
    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.more = {
            "outcomes": self.outcomes,
            "memory": self.memory,
            "statements": self.statements,
            "profile": self.profile,
        }
        call_command("migrate", verbosity=0)
        self.source = desk.desk_of(terms.accounts)

    def ready(self) -> dict[str, Any]:
        return {"pids": [os.getpid()]}

    def prepare(self, number: int) -> dict[str, Any] | None:
        desk.forget_the_round()
        client = client_for(endpoint_of_market("simulator"))
        clock_is_right(client)
        starting.take_up("simulator")
        if self.terms.leverage == "to be set":
            for account in range(self.terms.accounts):
                leverage.forget(account + 1)
        exchange_loop().run(client.warm(self.terms.connections))
        settle_memory()
        return None

    def go(self, number: int) -> dict[str, Any]:
        signal = desk.new_signal(self.source)
        began = time.monotonic_ns()
        tasks.copy_signal(str(signal.pk))
        return {"began_ns": began, "ended_ns": time.monotonic_ns()}

    def outcomes(self) -> dict[str, Any]:
        return {"outcomes": desk.outcomes()}

    def memory(self) -> dict[str, Any]:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        return {"kb": pages * os.sysconf("SC_PAGE_SIZE") // 1024, "most_kb": most}

    def statements(self, number: int) -> dict[str, Any]:
        """A round in which the statements are counted; not for timing."""
        self.prepare(number)
        with counted() as told:
            self.go(number)
        return {"statements": told}

    def profile(self, number: int) -> dict[str, Any]:
        """A round under the profiler, the thread with the database and the one with the wire."""
        self.prepare(number)
        here, wire = cProfile.Profile(), cProfile.Profile()
        loop = exchange_loop().loop
        loop.call_soon_threadsafe(wire.enable)
        here.enable()
        self.go(number)
        here.disable()
        loop.call_soon_threadsafe(wire.disable)
        return {"profile": {"database": _costliest(here), "wire": _costliest(wire)}}


def _costliest(profile: cProfile.Profile) -> str:
    text = io.StringIO()
    found = pstats.Stats(profile, stream=text)
    found.sort_stats("tottime").print_stats(35)
    found.sort_stats("cumulative").print_stats("copydesk|trading|accounts|customers|notifications")
    return text.getvalue()


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Count what every thread of this process asks of the database, by kind and table."""
    told: dict[str, int] = {}
    one, many, counting = CursorWrapper.execute, CursorWrapper.executemany, threading.Lock()

    def note(sql: str) -> None:
        words = str(sql).replace('"', "").replace("`", "").split()
        kind = words[0].upper()
        before = {"SELECT": "FROM", "INSERT": "INTO", "DELETE": "FROM"}.get(kind)
        table = words[1] if kind == "UPDATE" else ""
        if before in words:
            table = words[words.index(before) + 1]
        with counting:
            told[f"{kind} {table}".strip()] = told.get(f"{kind} {table}".strip(), 0) + 1

    def execute(self: Any, sql: Any, params: Any = None) -> Any:
        note(sql)
        return one(self, sql, params)

    def executemany(self: Any, sql: Any, param_list: Any) -> Any:
        note(sql)
        return many(self, sql, param_list)

    CursorWrapper.execute, CursorWrapper.executemany = execute, executemany  # type: ignore[method-assign]
    try:
        yield told
    finally:
        CursorWrapper.execute, CursorWrapper.executemany = one, many  # type: ignore[method-assign]
