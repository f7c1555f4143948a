"""The short form of `benchmarks.push`: a real daphne, readers, and some who never read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


def push(layer: str) -> dict[str, Any]:
    run = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.push", "--layer", layer),
            *("--seconds", "3", "--clients", "10", "--silent", "3", "--ack-s", "8", "--no-bare"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    measured: dict[str, Any] = json.loads(run.stdout)[layer]
    return measured


# Longer than Redis is waited for at a time: an idle socket must outlive it.
def check(measured: dict[str, Any]) -> None:
    readers, silent = measured["readers"], measured["silent"]

    assert measured["changes"] == 150
    assert (readers["count"], readers["gaps"], readers["missed"]) == (7, 0, 0)
    assert readers["closed"] == []
    assert silent["closed"] == 3
    assert 8 <= silent["first_s"] <= silent["last_s"] < 20
    assert measured["rss_mib"]["max"] - measured["rss_mib"]["start"] < 40
    assert measured["commit_to_frame_ms"]["p99"] < 5000


@pytest.mark.long
def test_readers_have_no_gap_and_who_never_reads_is_closed() -> None:
    check(push("embedded"))


@pytest.mark.services
@pytest.mark.long
def test_the_same_over_redis() -> None:
    check(push("redis"))
