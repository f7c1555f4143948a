"""`kill -9` while orders are being sent: another process finishes what the dead one began."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection

from tests.chaos.ledger_check import violations
from tests.trading.execution.bench import PLACE, Bench

pytestmark = [pytest.mark.django_db, pytest.mark.simulator, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(connection.vendor == "mysql", reason="the journey of a kill runs there")
@pytest.mark.parametrize(
    "point",
    [
        "S5.marked",
        pytest.param("S6.after_send", marks=pytest.mark.long),
        pytest.param("S7.recorded", marks=pytest.mark.long),
    ],
)
def test_a_killed_sender_doubles_and_loses_nothing(open_bench: Bench, point: str) -> None:
    open_bench.ask("POST", "/limits", dup_clordid="never", read_lag_ms=100)
    links = [open_bench.follower() for _ in range(4)]
    open_bench.fault("drop_after_accept", links[0], **PLACE)
    orders = open_bench.open()

    died = _send_and_die(open_bench, [str(order.id) for order in orders], point)
    assert died == -signal.SIGKILL
    assert open_bench.unfinished()
    open_bench.finish(30)

    assert violations(open_bench) == {}
    assert [open_bench.now(order).state for order in orders] == ["filled"] * 4


def _send_and_die(bench: Bench, order_ids: list[str], point: str) -> int:
    environ: dict[str, Any] = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.test_settings",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "SIMULATOR_REST_URL": configured.MARKETS["simulator"]["rest"],
        "VAR_DIR": str(configured.VAR_DIR),
        "ORDER_TTL_MARKET_S": "1",
        "LEASE_MARGIN_S": "1",
        "MARK_STALE_AFTER_S": "600",
        "COPYDESK_ENABLE_FAULTS": "1",
        "COPYDESK_FAULTS": f"{point}=kill",
    }
    command = [sys.executable, "-m", "tests.chaos.sender", *order_ids]
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()[-2000:]
    return ran.returncode
