"""Nudges of the notifications room. The outbox is the truth; the sweep finds what is undone."""

from __future__ import annotations

from celery import shared_task

from notifications.delivery import deliver_due
from notifications.fanout import fan_out as write_notifications


@shared_task
def tell_people() -> None:
    """From the diary to the outbox, and out of it."""
    write_notifications()
    deliver_due()
