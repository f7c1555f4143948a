"""The databases and the broker of one run: private, gone when the run ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.fan.processes import server_on
from tests import services


@dataclass
class Store:
    """Where the product keeps its rows; one database for each number of accounts."""

    name: str
    folder: Path
    version: str
    server: str = ""
    pids: list[int] = field(default_factory=list)

    def url(self, accounts: int) -> str:
        if not self.server:
            return f"sqlite:///{self.folder}/desk{accounts}.sqlite3"
        name = f"desk{accounts}"
        _ask(self.server, f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4")
        return self.server.rpartition("/")[0] + f"/{name}"

    def environ(self, accounts: int, redis: str, rest: str, authority: str) -> dict[str, str]:
        """What a process of the product is told."""
        return {
            "COPYDESK_ENV": "test",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(self.folder),
            "DATABASE_URL": self.url(accounts),
            "REDIS_URL": redis,
            "CELERY_BROKER_URL": redis,
            "LIVE_RELAY": "True",
            "SIMULATOR_REST_URL": rest,
            "EXCHANGE_CONNECTIONS": str(min(accounts, 1000)),
            "LOG_LEVEL": "WARNING",
            # The clock stands still for nobody: a busy machine must not make prices old.
            "MARK_STALE_AFTER_S": "600",
        } | trusting(authority)


def trusting(authority: str) -> dict[str, str]:
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    return dict.fromkeys(names, authority) if authority else {}


@contextmanager
def store_of(kind: str) -> Iterator[Store]:
    with tempfile.TemporaryDirectory(prefix="copydesk-bench-") as name:
        folder = Path(name)
        if kind == "sqlite":
            yield Store(kind, folder, f"SQLite {_sqlite_version()}")
            return
        # On a disk, and every commit written to it: what a real one does.
        os.environ.setdefault("TMPDIR", tempfile.gettempdir())
        with services.mariadb() as server:
            _ask(server.url, "SET GLOBAL innodb_flush_log_at_trx_commit=1")
            pid = server_on(urlsplit(server.url).port or 0, "mariadbd")
            pids = [pid] if pid else []
            yield Store(kind, folder, server.version, server.url, pids)


@contextmanager
def broker() -> Iterator[tuple[str, list[int]]]:
    with services.redis() as server:
        pid = server_on(urlsplit(server.url).port or 0, "redis-server")
        yield server.url, [pid] if pid else []


def _ask(url: str, statement: str) -> None:
    import MySQLdb

    at = urlsplit(url)
    connection = MySQLdb.connect(
        host=at.hostname, port=at.port, user=at.username, passwd=at.password
    )
    try:
        connection.cursor().execute(statement)
    finally:
        connection.close()


def _sqlite_version() -> str:
    import sqlite3

    return sqlite3.sqlite_version
