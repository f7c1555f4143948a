"""The Celery application: workers and beat start from here."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import (
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)

from config import embedded_broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

embedded_broker.install()
app = Celery("copydesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

LEAVE_S = 3
log = logging.getLogger(__name__)


@worker_ready.connect
def take_up(sender: Any = None, **_: Any) -> None:
    """A worker that starts takes up at once what another left behind, and says it is there."""
    if not _forks(sender):
        _learn_what_is_open()
    beats = ("executor_heartbeat", "worker_heartbeat")
    for task in (*beats, "sweep_orders", "reconcile_accounts", "verify_pending"):
        app.send_task(f"trading.tasks.{task}", expires=30)


@worker_process_init.connect
def take_up_in_child(**_: Any) -> None:
    """Every process that sends orders learns by itself what is still open."""
    _learn_what_is_open()


@worker_shutting_down.connect
def leave(**_: Any) -> None:
    """What runs is finished; nothing more is shared out to this worker."""
    _aside(_say_goodbye).join(LEAVE_S)


@worker_process_shutdown.connect
def leave_in_child(**_: Any) -> None:
    _aside(_say_goodbye).join(LEAVE_S)


def _learn_what_is_open() -> None:
    if "executor" in app.amqp.queues.consume_from:
        _aside(_warm_up)


def _forks(worker: Any) -> bool:
    pool = getattr(worker, "pool", None)
    return bool(getattr(type(pool), "uses_semaphore", False)) and "prefork" in type(pool).__module__


def _aside(job: Callable[[], None]) -> threading.Thread:
    """In a thread with connections of its own: the caller's may be in the middle of something."""
    thread = threading.Thread(target=_alone, args=(job,), name=job.__name__, daemon=True)
    thread.start()
    return thread


def _alone(job: Callable[[], None]) -> None:
    from django.db import connections

    try:
        job()
    except Exception:
        log.exception("%s failed", job.__name__)
    finally:
        connections.close_all()


def _warm_up() -> None:
    from trading.tasks import warm_up

    warm_up()


def _say_goodbye() -> None:
    from trading.leases import leave

    leave()
