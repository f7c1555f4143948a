"""The map on the wall: every event and what it sets in motion."""

from __future__ import annotations


def connect() -> None:
    """Connect every event to its receivers. Called once, when all apps are loaded."""
