"""What processes of the product are told that belong to a test. Imports nothing of Django."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def bare() -> dict[str, str]:
    """What a process needs that is told nothing: programs, and bytecode that is there already."""
    needed = ("PATH", "PYTHONPYCACHEPREFIX")
    return {name: os.environ[name] for name in needed if name in os.environ}


def environ(folder: Path, database: str, redis_url: str = "") -> dict[str, str]:
    """What a process of the product is told; the layer lies in `folder` unless there is Redis."""
    dropped = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "TEST_DATABASE_URL"}
    inherited = {name: text for name, text in os.environ.items() if name not in dropped}
    return inherited | {
        "COPYDESK_ENV": "test",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VAR_DIR": str(folder),
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "CELERY_BROKER_URL": "memory://",
        "LIVE_RELAY": "True",
    }


def layers(folder: Path, redis_url: str = "") -> dict[str, Any]:
    """CHANNEL_LAYERS of a process that talks to the one above."""
    if redis_url:
        name = "channels_redis.core.RedisChannelLayer"
        where: dict[str, Any] = {
            "hosts": [{"address": redis_url, "socket_timeout": 20, "max_connections": 4000}]
        }
    else:
        name = "notifications.live.embedded_layer.SqliteChannelLayer"
        where = {"path": str(folder / "live.sqlite3")}
    return {"default": {"BACKEND": name, "CONFIG": {**where, "capacity": 500, "expiry": 30}}}
