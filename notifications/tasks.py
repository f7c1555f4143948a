"""Nudges of the notifications room. The outbox is the truth; the sweep finds what is undone."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from celery import shared_task

from notifications.delivery import deliver_due
from notifications.fanout import fan_out as write_notifications
from notifications.live.relay import post
from notifications.live.sweep import forget_old, sweep_missed
from trading.leases import single_flight

SWEEP_S = 10
PRUNE_S = 60


@shared_task
def tell_people() -> None:
    """From the diary to the outbox, and out of it."""
    write_notifications()
    deliver_due()


@shared_task
def sweep_live() -> None:
    """Tell open pages of what a process that died did not get to tell them."""
    _sweep_live()


@shared_task
def prune_live() -> None:
    """Forget live events that nobody can still miss."""
    _prune_live()


@single_flight("sweep_live", SWEEP_S)
def _sweep_live() -> None:
    if posted := sweep_missed():
        async_to_sync(post)(posted)


@single_flight("prune_live", PRUNE_S)
def _prune_live() -> None:
    forget_old()
