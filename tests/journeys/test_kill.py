"""A worker dies while orders are being sent; every order still ends once, and known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

ROOT = Path(__file__).parents[2]
RECOVERY_S = 45


@pytest.mark.journey
@pytest.mark.long
def test_a_killed_worker_doubles_and_loses_nothing_on_sqlite(tmp_path: Path) -> None:
    outcome = _drive(tmp_path, {"DATABASE_URL": "", "REDIS_URL": "", "CELERY_BROKER_URL": ""})

    _every_order_ended_once(outcome)


@pytest.mark.journey
@pytest.mark.services
def test_a_killed_worker_doubles_and_loses_nothing_on_mariadb_and_redis(tmp_path: Path) -> None:
    with FreshDatabase(os.environ["DATABASE_URL"]) as url:
        outcome = _drive(tmp_path, {"DATABASE_URL": url, "REDIS_URL": os.environ["REDIS_URL"]})

    _every_order_ended_once(outcome)


def _every_order_ended_once(outcome: dict[str, Any]) -> None:
    assert outcome["orders"] == 25
    assert outcome["states"] == {"filled": 25}
    assert outcome["doubled"] == []
    assert outcome["lost"] == []
    assert outcome["unknown_to_us"] == []
    assert outcome["fills"] == 25
    assert outcome["fills_agree"]
    assert outcome["recovery_s"] < RECOVERY_S


def _drive(folder: Path, environ: dict[str, str]) -> dict[str, Any]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "COPYDESK_"))}
    run = subprocess.run(
        [sys.executable, "-m", "tests.journeys.drive"],
        cwd=ROOT,
        env={**kept, **environ, "VAR_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:] + _logs(folder)
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return result


def _logs(folder: Path) -> str:
    parts = [f"\n== {p.name}\n{p.read_text()[-1500:]}" for p in (folder / "logs").glob("*.log")]
    return "".join(parts)


class FreshDatabase:
    """A database of its own on the session's server, since other processes must see it."""

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        self.name = f"journey_{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> str:
        self._run(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        return urlunsplit(self.parts._replace(path=f"/{self.name}"))

    def __exit__(self, *_: object) -> None:
        self._run(f"DROP DATABASE {self.name}")

    def _run(self, statement: str) -> None:
        import MySQLdb

        connection = MySQLdb.connect(
            host=self.parts.hostname,
            port=self.parts.port or 3306,
            user=self.parts.username or "",
            password=self.parts.password or "",
        )
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()
