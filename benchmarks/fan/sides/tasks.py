"""One Celery task per order, sent by the worker's own keep-alive ccxt instances."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from celery import group

from benchmarks.fan.sides import tasks_app
from benchmarks.fan.sides.terms import Terms
from tests.services import die_with_parent

THREADS = 20


class Side:
    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        os.environ |= {"BENCH_BROKER": terms.redis, "BENCH_REST": terms.rest}
        tasks_app.app.conf.broker_url = terms.redis
        self._worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "benchmarks.fan.sides.tasks_app"),
                *("worker", "-P", "threads", "-c", str(THREADS), "--loglevel", "WARNING"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread here
        )

    def ready(self) -> dict[str, Any]:
        while not tasks_app.app.control.ping(timeout=0.2):
            assert self._worker.poll() is None, "the worker ended"
        return {"pids": [os.getpid(), self._worker.pid]}

    def prepare(self, number: int) -> None:
        """A task for each thread, so that all have their instance and their connection."""
        group(tasks_app.warm.s() for _ in range(THREADS * 2)).apply_async()

    def go(self, number: int) -> dict[str, Any]:
        """Only published when this returns: the exchange's ledger tells when all have arrived."""
        began = time.monotonic_ns()
        for account in range(self._terms.accounts):
            tasks_app.place_order.apply_async((account, number))
        return {"began_ns": began, "accepted": None}
