"""Several executors share the work: one that dies for good, one that is asked to leave."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from tests.chaos.scenario import CALM, Scenario

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

LEAVES_S = 25
GONE_S = 3


def one_dies_for_good(stage: Stage) -> None:
    """In the middle of a fan-out; nobody starts it again, and the others do all of the work."""
    first, second, third = stage.house.workers()
    stage.control("POST", "/latency", ms=300)
    for victim in (third, second):
        before = stage.control("GET", "/health")["entries"]
        stage.house.resting.add(victim)
        stage.desk.tell()
        stage.wait(lambda: _has_accepted(stage, before), 20, 0.02)  # noqa: B023
        if not stage.house.kill(victim):
            stage.breaks("nobody to kill", victim)
        stage.house.stops += 1
        stage.house.note_end()
        stage.desk.tell()
        stage.settle(60)
    stage.control("POST", "/latency", ms=0)
    stage.notes["left"] = first


def one_leaves(stage: Stage) -> None:
    """Asked to go while it sends: it finishes, is no longer counted at once, and is gone soon."""
    stage.control("POST", "/latency", ms=300)
    slowest = 0.0
    for name in stage.house.workers()[1:]:
        before = stage.control("GET", "/health")["entries"]
        pid = stage.house.child(name).process.pid
        stage.house.resting.add(name)
        stage.desk.tell()
        stage.wait(lambda: _has_accepted(stage, before), 20, 0.02)  # noqa: B023
        asked = time.monotonic()
        stage.house.signal(name, signal.SIGTERM)
        if not stage.wait(lambda: not _is_counted(pid), GONE_S, 0.05):  # noqa: B023
            stage.breaks("a leaving worker is counted", name)
        if not stage.wait(lambda: not stage.house.child(name).is_running(), LEAVES_S + 5):  # noqa: B023
            stage.breaks("a worker does not leave", name)
        slowest = max(slowest, time.monotonic() - asked)
        stage.desk.tell()
        stage.settle(60)
    if slowest > LEAVES_S:
        stage.breaks("a worker leaves too slowly", f"{slowest:.1f} s")
    stage.control("POST", "/latency", ms=0)
    stage.notes["left within s"] = round(slowest, 1)


def _has_accepted(stage: Stage, after: int) -> bool:
    entries = stage.control("GET", f"/ledger?after={after}&limit=5000")["entries"]
    return any(entry["kind"] == "order" for entry in entries)


def _is_counted(pid: int) -> bool:
    from trading.models import Heartbeat

    return bool(Heartbeat.objects.filter(kind="executor", pid=pid).exists())


SCENARIOS = [
    Scenario(
        "E1", "two of three executors die for good", one_dies_for_good, "mariadb", (120,), 3,
        environ=CALM,
    ),
    Scenario(
        "E2", "executors leave while they send", one_leaves, "mariadb", (120,), 3, environ=CALM
    ),
]  # fmt: skip
