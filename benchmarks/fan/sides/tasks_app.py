"""The Celery application of the side that makes one task per order."""

from __future__ import annotations

import os
import threading
from typing import Any

from celery import Celery

from benchmarks.fan.sides import pool

app = Celery("bench", broker=os.environ.get("BENCH_BROKER", ""))
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=4,
    task_serializer="json",
    broker_connection_retry_on_startup=True,
)
_own = threading.local()
_shared: list[Any] = []
_making = threading.Lock()


def _exchange() -> Any:
    if not hasattr(_own, "exchange"):
        rest = os.environ["BENCH_REST"]
        with _making:
            if not _shared:
                _shared.append(pool.make_exchange(rest))
        _own.exchange = pool.make_exchange(rest, _shared[0])
    return _own.exchange


@app.task
def warm() -> None:
    _exchange().fetch_time()


@app.task
def place_order(account: int, number: int) -> None:
    pool.place(_exchange(), account, number)
