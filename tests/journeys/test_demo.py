"""`make demo`: what a newcomer sees, twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.journey
def test_the_demo_copies_one_signal_to_everybody_and_may_be_run_again(tmp_path: Path) -> None:
    first = _demo(tmp_path)
    second = _demo(tmp_path)

    for shown in (first, second):
        assert shown["signals"] == 1
        assert shown["decisions"] == {"copied": 19, "denied": 4, "skipped": 2}
        assert shown["orders"] == shown["filled"] == 19
        assert shown["unknown"] == shown["duplicates"] == 0
        assert 0 < shown["p50_ms"] <= shown["p99_ms"]
        assert set(shown["urls"]) == {"admin", "webhook", "simulator_rest", "simulator_control"}
        assert set(shown["logins"]) >= {"owner", "trader", "risk", "support", "auditor", "customer"}
    assert first["webhook_secret"] == second["webhook_secret"]


def _demo(folder: Path) -> dict[str, Any]:
    """One run without any service, and without a redis-server to be found."""
    told = {
        "COPYDESK_ENV": "demo",
        "VAR_DIR": str(folder),
        "PATH": str(Path(sys.executable).parent),
    }
    dropped = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"}
    inherited = {name: text for name, text in os.environ.items() if name not in dropped}
    run = subprocess.run(
        [sys.executable, "manage.py", "demo", "--once", "--json", "--port", "0"],
        cwd=ROOT,
        env={**inherited, **told},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    lines = run.stdout.splitlines()
    assert len(lines) == 1, run.stdout
    shown: dict[str, Any] = json.loads(lines[0])
    return shown
