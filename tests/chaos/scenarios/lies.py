"""Sockets that repeat, forget and mix up; clocks that are wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.chaos import wire
from tests.chaos.scenario import Scenario

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

TTL_MS = 3000
SKEW_MS = 1000
AGREE_S = 20


def events(stage: Stage) -> None:
    """Every push may come three times, late, or never, and sockets are cut in mid-fill."""
    stage.fault("partial:5", **wire.PLACE)
    stage.fault("ws_duplicate:3", prob=0.2)
    stage.fault("ws_reorder:20", prob=0.2)
    stage.fault("ws_drop", prob=0.05)
    for _ in stage.times(16):
        stage.desk.tell()
        for _ in range(2):
            time.sleep(1)
            stage.control("POST", "/cut-sockets")
        stage.wait(lambda: not stage.desk.is_busy(), 3)
    stage.clear_faults()


def clock_skew(stage: Stage) -> None:
    """A little is measured and allowed for; too much stops trading until it is right again."""
    for offset in (400, -1500):
        _set_clock(stage, offset)
        stage.desk.tell()
        stage.settle(45)
    for offset in (5000, -40_000):
        _set_clock(stage, offset)
        before = stage.control("GET", "/health")["entries"]
        stage.desk.tell()
        time.sleep(6)
        found = stage.control("GET", f"/ledger?after={before}&limit=5000")["entries"]
        accepted = [entry for entry in found if entry["kind"] == "order"]
        if accepted:
            stage.breaks("accepted with a wrong clock", offset, len(accepted))
        _set_clock(stage, 0)
        stage.settle(60)
    stage.control("POST", "/limits", clock_drift_ppm=2000)
    stage.desk.tell()
    stage.settle(45)
    stage.control("POST", "/limits", clock_drift_ppm=0)
    _check_deadlines(stage)


def _set_clock(stage: Stage, offset_ms: int) -> None:
    """The exchange's clock jumps; workers that start now measure it."""
    stage.control("POST", "/limits", clock_offset_ms=offset_ms)
    for name in stage.house.workers():
        stage.house.kill(name)
    stage.wait(lambda: all(stage.house.child(n).is_running() for n in stage.house.workers()), 20)
    time.sleep(AGREE_S / 4)
    stage.house.note_end()


def _check_deadlines(stage: Stage) -> None:
    """Nothing was sent past its deadline, or with one that lies too far ahead."""
    from tests.chaos.verdict import ledger

    far = []
    for entry in ledger(stage.control_url):
        if (
            entry["kind"] == "order"
            and entry.get("exp_time")
            and entry["inst_id"] == wire.INSTRUMENT
        ):
            ahead = int(entry["exp_time"]) - entry["ts"]
            if not 0 <= ahead <= TTL_MS + SKEW_MS:
                far.append(ahead)
    if far:
        stage.breaks("deadlines too far ahead", *far[:5])


SCENARIOS = [
    Scenario(
        "C9", "events repeated, mixed up, dropped", events, "mariadb", (120,), 2, recovery_s=60
    ),
    Scenario("C10", "clocks that are wrong", clock_skew, "sqlite", (100,), recovery_s=60),
]
