"""The broker of the embedded default: files below VAR_DIR, without half-written messages.

Kombu's own filesystem transport writes a message into the file that readers already see,
so that a reader can find it empty and the worker ends on it. Here every file appears whole:
it is written beside its place and renamed into it, and taken by renaming it away.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

ALIAS = "filesystem"

log = logging.getLogger(__name__)


def install() -> None:
    """Make `filesystem://` mean this transport, in this process."""
    TRANSPORT_ALIASES[ALIAS] = f"{__name__}:Transport"


class Channel(filesystem.Channel):
    """Queues as folders of one file per message, oldest name first.

    What expired is dropped while reading: after a night without a worker thousands of nudges
    lie here, and handing each to the worker would keep today's waiting for minutes.
    """

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        _write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        ending = f".{queue}.msg"
        for name in sorted(os.listdir(folder)):
            if not name.endswith(ending) or name.startswith("."):
                continue
            taken = folder / f".{uuid.uuid4().hex}.taken"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another reader was faster
            text = taken.read_text()
            taken.unlink()
            try:
                message = loads(text)
            except ValueError:
                log.exception("a message that cannot be read was dropped: %s", name)
                continue
            if not _has_expired(message):
                return message
        raise Empty

    def get_table(self, exchange: str) -> list[Any]:
        return _read_table(self._file(exchange))

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str
    ) -> None:
        bound = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        file = self._file(exchange)
        with _alone(file):
            table = _read_table(file)
            if bound not in table:
                _write_whole(file, json.dumps([list(bound), *map(list, table)]))

    def _file(self, exchange: str) -> Path:
        # Kombu's own: it refuses names that would leave the folder.
        return Path(self._exchange_file(exchange))  # type: ignore[attr-defined]

    def _size(self, queue: str) -> int:
        ending = f".{queue}.msg"
        return sum(name.endswith(ending) for name in os.listdir(self.data_folder_in))


class Transport(filesystem.Transport):
    Channel = Channel


def _has_expired(message: Any) -> bool:
    """By Celery's own header; a message without one never does."""
    headers = message.get("headers") if isinstance(message, dict) else None
    expires = headers.get("expires") if isinstance(headers, dict) else None
    try:
        return expires is not None and datetime.fromisoformat(expires) < datetime.now(UTC)
    except (TypeError, ValueError):
        return False


def _read_table(file: Path) -> list[Any]:
    try:
        return [filesystem.exchange_queue_t(*row) for row in json.loads(file.read_text())]
    except FileNotFoundError:
        return []


def _write_whole(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{uuid.uuid4().hex}.draft")
    draft.write_text(text)
    draft.replace(place)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
