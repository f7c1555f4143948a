"""The Celery application: workers and beat start from here."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from config import embedded_broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

embedded_broker.install()
app = Celery("copydesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def take_up(**_: Any) -> None:
    """A worker that starts takes up at once what another left behind, and says it is there."""
    beats = ("executor_heartbeat", "worker_heartbeat")
    for task in ("warm_up", *beats, "sweep_orders", "verify_pending"):
        app.send_task(f"trading.tasks.{task}", expires=30)
