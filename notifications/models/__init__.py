"""The tables of room 6."""

from __future__ import annotations

from notifications.models.destinations import Destination, NotificationRule
from notifications.models.live import LiveEvent, LiveStream
from notifications.models.outbox import DeliveryAttempt, Notification

__all__ = [
    "DeliveryAttempt",
    "Destination",
    "LiveEvent",
    "LiveStream",
    "Notification",
    "NotificationRule",
]
