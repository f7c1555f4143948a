"""A customer closes a copied position by hand: it pauses, people hear of it, nothing reopens it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.test_kill import FreshDatabase, _logs

ROOT = Path(__file__).parents[2]


@pytest.mark.journey
@pytest.mark.long
def test_a_close_by_hand_pauses_until_somebody_decides_on_sqlite(tmp_path: Path) -> None:
    steps = _drive(tmp_path, {"DATABASE_URL": "", "REDIS_URL": "", "CELERY_BROKER_URL": ""})

    _nothing_was_reopened(steps)


@pytest.mark.journey
@pytest.mark.services
@pytest.mark.long
def test_a_close_by_hand_pauses_until_somebody_decides_on_mariadb(tmp_path: Path) -> None:
    with FreshDatabase(os.environ["DATABASE_URL"]) as url:
        steps = _drive(tmp_path, {"DATABASE_URL": url, "REDIS_URL": os.environ["REDIS_URL"]})

    _nothing_was_reopened(steps)


def _nothing_was_reopened(steps: dict[str, Any]) -> None:
    assert steps["opened"] == ["5", "5", "5"]
    assert steps["repairs"] == [["foreign", "proposed", "Alice Moreau"]]
    assert steps["told"] == [["repair.foreign", "critical"]]
    assert steps["after_reading"] == ["0", "5", "5"]
    assert steps["after_add"] == ["0", "10", "10"]
    assert steps["after_close"] == ["0", "0", "0"]
    assert steps["orders_of_first"] == 0
    assert steps["status_after"] == "active"
    assert steps["opened_again"] == ["5", "5", "5"]


def _drive(folder: Path, environ: dict[str, str]) -> dict[str, Any]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "COPYDESK_"))}
    run = subprocess.run(
        [sys.executable, "-m", "tests.journeys.hand"],
        cwd=ROOT,
        env={**kept, **environ, "VAR_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:] + _logs(folder)
    steps: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return steps
