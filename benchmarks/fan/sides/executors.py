"""The product as it is deployed: Celery workers on the executor queue, the hop included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from accounts.tenancy import all_tenants
from benchmarks.fan import desk
from benchmarks.fan.sides import product
from benchmarks.fan.sides.terms import Terms
from tests.services import die_with_parent
from trading import tasks
from trading.enums import OrderState
from trading.leases import alive_count
from trading.models import Order

WAIT_S = 120
UNDECIDED = (OrderState.NEW, OrderState.READY, OrderState.SENDING, OrderState.UNKNOWN)


class Side(product.Side):
    """As many executors as asked for, and beat, whose sweep finds what a dead one left."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self.more |= {"kill": self.kill, "begin": self.begin, "finish": self.finish}
        executor = ("worker", "-P", "threads", "-c", "8", "-Q", "executor", "--without-mingle")
        self._executor = executor
        self._workers = [self._start(number) for number in range(terms.executors)]
        self._beat = _celery("beat", "--pidfile=", "-s", f"{os.environ['VAR_DIR']}/beat")

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        return _celery(*self._executor, "-n", f"executor{number}-{time.monotonic_ns()}@bench")

    def ready(self) -> dict[str, Any]:
        end = time.monotonic() + WAIT_S
        while alive_count("executor") < self.terms.executors:
            assert time.monotonic() < end, "the executors did not come up"
            tasks.executor_heartbeat.apply_async(expires=5)
            time.sleep(0.2)
        return {"pids": [os.getpid(), *(worker.pid for worker in self._workers)]}

    def prepare(self, number: int) -> dict[str, Any] | None:
        desk.forget_the_round()
        return None

    def go(self, number: int) -> dict[str, Any]:
        return self.begin() | self.finish()

    def begin(self, lost: bool = False) -> dict[str, Any]:
        """Commit a signal and nudge, unless the message is lost on its way."""
        stored = desk.new_signal(self.source)
        began = time.monotonic_ns()
        if not lost:
            tasks.copy_signal.apply_async((str(stored.pk),), expires=15)
        return {"began_ns": began}

    def finish(self) -> dict[str, Any]:
        """Wait until the outcome of every order is on record."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            with all_tenants("the orders of a round"):
                made = Order.objects.count()
                if made >= self.terms.accounts:
                    open_ = Order.objects.filter(state__in=UNDECIDED).count()
                    if not open_:
                        break
            time.sleep(0.01)
        return {"ended_ns": time.monotonic_ns()}

    def kill(self, number: int) -> dict[str, Any]:
        """End an executor without a warning, and start another in its place."""
        victim = self._workers[number]
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        self._workers[number] = self._start(number)
        return {"killed": victim.pid}


def _celery(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "--app", "config", *words, "--loglevel", "WARNING"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread here
    )
