"""A leader trades a day and fifty accounts follow it in every way there is.

The same day with lost, doubled and reordered pushes and with streams processes killed three
times is in the scenarios L2 and L3 of `make chaos`; it must end the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAY_S = 500
# All but five limit copiers and four who follow no signal without a stop.
MUST_HOLD = 41


@pytest.mark.journey
@pytest.mark.long
@pytest.mark.timeout(DAY_S + 60)
def test_at_the_end_of_the_day_the_three_numbers_agree_for_everybody(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    command = [sys.executable, "-m", "tests.chaos.stage", "L1", "--seed", "5"]
    command += ["--templates", str(tmp_path), "--result", str(result)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "COPYDESK_"))}

    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, "DATABASE_URL": "", "REDIS_URL": ""},
        capture_output=True,
        text=True,
        timeout=DAY_S,
        check=False,
    )

    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(result.read_text())
    assert found["broken"] == {}, run.stderr[-3000:]
    assert (found["doubled"], found["lost"], found["out_of_order"]) == (0, 0, 0)
    assert found["notes"]["followers in position"] >= MUST_HOLD
    assert found["notes"]["signals"] >= 17
