"""Destinations and the outbox in the back office."""

from __future__ import annotations

from notifications.admin import destinations, outbox

__all__ = ["destinations", "outbox"]
