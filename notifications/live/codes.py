"""Why a live socket is closed. docs/live.md explains each to those who write clients."""

from __future__ import annotations

from enum import IntEnum


class Close(IntEnum):
    BAD_MESSAGE = 4400
    NO_SESSION = 4401
    FORBIDDEN = 4403
    TOO_SLOW = 4408
    TOO_MANY = 4429
