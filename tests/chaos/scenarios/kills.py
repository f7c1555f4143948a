"""Processes that die: at every point, at random, asleep, one after the other."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from tests.chaos import wire
from tests.chaos.scenario import CALM, Scenario

if TYPE_CHECKING:
    from tests.chaos.desk import Desk
    from tests.chaos.stage import Stage

POINTS = (
    "S3.before_poke",
    "S2.claimed",
    "S2.mid_chunk",
    "S2.chunk_committed",
    "S4.claimed",
    "S5.before_commit",
    "S5.marked",
    "S6.before_send",
    "S6.after_send",
    "S7.before_record",
    "S7.recorded",
    "S8.before_commit",
    "S8.committed",
    "R.asked",
    "R.before_adopt",
)
ACTING = ("A.claimed", "A.marked", "A.answered", "A.recorded", "P.asked")
PASSED_S = 12
CALM_S = 12
BACK_S = 60
# These are passed once for every order, the others once for every batch.
OFTEN = {"S6.before_send": 0.0005, "S6.after_send": 0.0005}
OFTEN |= {"R.asked": 0.002, "R.before_adopt": 0.002}
OFTEN |= dict.fromkeys(ACTING, 0.005)
OFTEN |= {"S8.before_commit": 0.0005, "S8.committed": 0.0005, "S3.before_poke": 0.05}


def every_point(stage: Stage) -> None:
    """One at a time: the next signal meets death at this point, whoever passes it.

    Two desks take turns, so that the one recovers while the other is struck.
    """
    for number, point in enumerate(POINTS):
        desk = stage.desks[number % len(stage.desks)]
        stage.wait(lambda: not desk.is_busy(), CALM_S)  # noqa: B023
        if not any(_dies_at(stage, desk, point) for _ in range(3)):
            stage.breaks("points that nobody passed", point)
    _die_waiting(stage)


def _dies_at(stage: Stage, desk: Desk, point: str) -> bool:
    deaths = stage.house.kills
    asks = point.startswith("R.")
    if asks:
        # Only who hears neither the answer nor the push has to ask.
        stage.fault("drop_after_accept", times=20, **wire.PLACE)
        stage.fault("ws_drop", channel="orders")
    stage.house.arm(f"{point}=kill")
    desk.tell()
    died = stage.wait(lambda: stage.house.kills > deaths, PASSED_S, 0.02)
    stage.house.arm("")
    if asks:
        stage.clear_faults()
    stage.say(f"{point}: {'died' if died else 'nobody passed'}")
    return died


def _die_waiting(stage: Stage) -> None:
    """The bytes are out and the order is accepted; the answer never comes home."""
    for _ in stage.times(2):
        stage.fault("hang:4000", **wire.PLACE)
        before = stage.control("GET", "/health")["entries"]
        stage.desk.tell()
        accepted = f"/ledger?after={before}&limit=5000"
        stage.wait(
            lambda: any(e["kind"] == "order" for e in stage.control("GET", accepted)["entries"]),  # noqa: B023
            PASSED_S,
        )
        stage.house.kill(stage.house.workers()[0])
        stage.clear_faults()
        stage.wait(lambda: not stage.desk.is_busy(), 8)


def at_random(stage: Stage) -> None:
    """Deaths anywhere and every fault of the wire on three orders of ten."""
    for fault in stage.chance.sample(wire.HTTP, len(wire.HTTP)):
        stage.fault(fault, prob=0.3 / len(wire.HTTP) * 2, **wire.PLACE)
    for match in (wire.LOOKUP, wire.LEVERAGE, *wire.LISTS):
        stage.fault("drop_before", prob=0.05, **match)
        stage.fault("code:50026", prob=0.05, **match)
    stage.control("POST", "/latency", ms=stage.chance.choice((0, 20, 100)))
    stage.house.arm(
        ";".join(f"{point}=kill:{OFTEN.get(point, 0.02)}" for point in (*POINTS, *ACTING))
    )
    for _ in stage.times(16):
        stage.desk.tell()
        if stage.chance.random() < 0.15:
            stage.house.kill(stage.chance.choice(("streams", "beat")))
        patience = stage.chance.choice((1, 5, 10, 20))
        stage.wait(lambda: not stage.desk.is_busy(), patience)
    stage.control("POST", "/latency", ms=0)


def asleep(stage: Stage) -> None:
    """A worker is stopped between marking and sending, others take over, then it wakes."""
    for _ in stage.times(5):
        stage.house.arm("S5.marked=stop")
        stage.desk.tell()
        stage.wait(lambda: any(map(stage.house.is_stopped, stage.house.workers())), PASSED_S, 0.02)
        stage.house.arm("")
        sleepers = [name for name in stage.house.workers() if stage.house.is_stopped(name)]
        if not sleepers:
            stage.breaks("nobody slept", "S5.marked")
        time.sleep(10)
        for name in sleepers:
            stage.house.signal(name, signal.SIGCONT)
        stage.house.note_end()
        stage.house.stops += len(sleepers)


def rolling_restart(stage: Stage) -> None:
    """Every process is asked to go, one after the other, while signals come.

    The next one goes when the worker before it takes orders again, as in any deployment;
    deaths of those that have just started are the business of C2.
    """
    for number in stage.times(12):
        stage.desk.tell()
        time.sleep(stage.chance.uniform(0.05, 0.5))
        workers = stage.house.workers()
        leaver = workers[number % len(workers)]
        pid = stage.house.child(leaver).process.pid
        for name in (leaver, stage.chance.choice(("streams", "beat"))):
            stage.house.signal(name, signal.SIGTERM)
        time.sleep(2)
        if not stage.wait(lambda: _is_back(stage, leaver, pid), BACK_S):  # noqa: B023
            stage.breaks("a worker did not come back", leaver)
        stage.wait(lambda: not stage.desk.is_busy(), 4)


def _is_back(stage: Stage, name: str, before: int) -> bool:
    """Another process of this name says that it takes orders."""
    from trading.models import Heartbeat

    pid = stage.house.child(name).process.pid
    return pid != before and Heartbeat.objects.filter(kind="executor", pid=pid).exists()


SCENARIOS = [
    Scenario(
        "C1-sqlite",
        "kill -9 at every point",
        every_point,
        followers=(70, 70),
        seconds=420,
        environ=CALM,
    ),
    Scenario(
        "C1-mariadb",
        "kill -9 at every point",
        every_point,
        "mariadb",
        (70, 70),
        2,
        seconds=420,
        environ=CALM,
    ),
    Scenario(
        "C2-sqlite",
        "random kills and every HTTP fault",
        at_random,
        followers=(120,),
        seconds=420,
        recovery_s=45,
        environ=CALM,
    ),
    Scenario(
        "C2-mariadb",
        "random kills and every HTTP fault",
        at_random,
        "mariadb",
        (120,),
        2,
        seconds=420,
        recovery_s=45,
        environ=CALM,
    ),
    Scenario("C3", "workers asleep between marking and sending", asleep, "mariadb", (120,), 3),
    Scenario(
        "C23",
        "rolling restart under load",
        rolling_restart,
        "mariadb",
        (160,),
        2,
        seconds=420,
        alone=True,
    ),
]
