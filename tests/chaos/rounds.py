"""The whole product in its own processes, killed again and again at named points, and judged.

    python -m tests.chaos.rounds [--rounds 3] [--seed 0]

Each round follows one position from its opening to its close with 25 followers, while the
wire stumbles and processes die and are started again. DATABASE_URL, REDIS_URL and VAR_DIR name
what is to be used. Prints a JSON object for each round; ends with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import django

FOLLOWERS = 25
RECOVERY_S = 45
PATIENCE_S = 150
MOST_DEATHS = 4
POINTS = (
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
    "R.asked",
    "R.before_adopt",
)
# These are passed once for every order, the others once for every batch.
OFTEN = {"S6.before_send": 0.02, "S6.after_send": 0.02, "R.before_adopt": 0.1}
PLACE = {"path": "/api/v5/trade/order", "method": "POST"}
LOOKUP = {"path": "/api/v5/trade/order", "method": "GET"}
LEVERAGE = {"path": "/api/v5/account/set-leverage", "method": "POST"}
WIRE: list[Any] = [
    "drop_before",
    "drop_after_accept",
    "rst_after_accept",
    "late_accept:600",
    "late_accept:2000",
    "http:502",
    {"kind": "http", "status": 504, "after": True},
    "truncate",
    {"kind": "code", "code": "50004", "after": True},
    "code:50011",
    "code:50102",
    "hang:3000",
]
STORY: tuple[dict[str, Any], ...] = (
    {"intent": "open", "quantity": {"mode": "base", "value": "1"}, "leverage": "2"},
    {"intent": "add", "quantity": {"mode": "base", "value": "0.5"}, "leverage": "2"},
    {"intent": "reduce", "quantity": {"mode": "base", "value": "0.7"}},
    {
        "intent": "flip",
        "direction": "short",
        "quantity": {"mode": "base", "value": "0.9"},
        "leverage": "2",
    },
    {"intent": "close", "direction": "short"},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    os.environ["COPYDESK_ENV"] = "demo"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("VAR_DIR", folder)
        django.setup()
        failed = 0
        for result in run(wanted.seed, wanted.rounds):
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
            failed += bool(result["broken"])
    sys.exit(1 if failed else 0)


def run(first_seed: int, rounds: int) -> Any:
    """Bring the product up once and play the rounds on it, one after the other."""
    from django.conf import settings

    from config.demo.processes import free_port
    from config.demo.run import Demo
    from config.demo.world import NAMES, Follower

    followers = {name: Follower(500_000) for name in NAMES[:FOLLOWERS]}
    demo = Demo(port=free_port(), say=_say, followers=followers)
    try:
        demo.start()
        # The judge asks the exchange too.
        settings.MARKETS["simulator"] |= {"rest": demo.addresses["rest"]}
        with Guard(demo) as guard:
            for seed in range(first_seed, first_seed + rounds):
                yield play(demo, guard, seed)
    finally:
        demo.stop()


@dataclass
class Guard:
    """Starts again what died, a second later, as a service manager would."""

    demo: Any
    deaths: dict[str, int] = field(default_factory=dict)
    last_start: float = 0
    faults: str = ""
    leaving: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Guard:
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self.thread.join()

    def kill(self, name: str) -> None:
        child = self._child(name)
        if child.is_running():
            child.process.send_signal(signal.SIGKILL)
            child.process.wait()

    def arm(self, faults: str) -> None:
        """The worker's next life has these faults."""
        self.deaths, self.faults = {}, faults
        self.kill("worker")

    def _child(self, name: str) -> Any:
        return next(child for child in self.demo.household.children if child.name == name)

    def _watch(self) -> None:
        while not self.leaving.wait(0.1):
            for child in self.demo.household.children:
                if not child.is_running():
                    self._start_again(child)

    def _start_again(self, child: Any) -> None:
        self.deaths[child.name] = self.deaths.get(child.name, 0) + 1
        time.sleep(1)
        tired = self.deaths[child.name] > MOST_DEATHS
        faults = "" if tired or child.name != "worker" else self.faults
        child.environ = {
            **child.environ,
            "COPYDESK_ENABLE_FAULTS": "1",
            "COPYDESK_FAULTS": faults,
        }
        child.start()
        self.last_start = time.monotonic()


def play(demo: Any, guard: Guard, seed: int) -> dict[str, Any]:
    """One round: its faults, its story, its verdict."""
    from config.demo.report import ledger_end
    from tests.chaos.verdict import busy, judge

    chance = random.Random(seed)
    started = time.monotonic()
    before = ledger_end(demo.addresses["control"])
    points = chance.sample(POINTS, 4)
    guard.arm(";".join(f"{point}=kill:{OFTEN.get(point, 0.25)}" for point in points))
    _wait_for_worker(demo)
    wire = chance.sample(WIRE, 4)
    _say(f"seed {seed}: deaths at {', '.join(points)}; on the wire {wire}")
    for fault in wire:
        _control(demo, "/faults", {"fault": fault, "match": PLACE, "prob": 0.08})
    _control(demo, "/faults", {"fault": "code:50026", "match": LOOKUP, "prob": 0.1})
    _control(demo, "/faults", {"fault": "drop_before", "match": LEVERAGE, "prob": 0.1})
    _control(demo, "/latency", {"ms": chance.choice((0, 50, 200))})
    signals = []
    for terms in STORY:
        signals.append(demo.send(demo.world, **terms))
        if chance.random() < 0.15:
            guard.kill(chance.choice(("streams", "beat")))
        time.sleep(chance.uniform(0.5, 8))
    told = time.monotonic()
    while time.monotonic() < told + PATIENCE_S and busy(demo, signals):
        time.sleep(0.2)
    recovery = time.monotonic() - max(told, guard.last_start)
    _control(demo, "/faults", None)
    time.sleep(1)
    broken, numbers = judge(demo, signals, before)
    if recovery > RECOVERY_S:
        broken["recovery"] = [round(recovery, 1)]
    return {
        "seed": seed,
        "points": points,
        "wire": [str(fault) for fault in wire],
        "deaths": dict(guard.deaths),
        "recovery_s": round(recovery, 1),
        "seconds": round(time.monotonic() - started, 1),
        **numbers,
        "broken": broken,
    }


def _wait_for_worker(demo: Any) -> None:
    from django.utils import timezone

    from trading.models import Heartbeat

    since = timezone.now()
    end = time.monotonic() + PATIENCE_S
    while not Heartbeat.objects.filter(kind="executor", started_at__gte=since).exists():
        if time.monotonic() > end:
            raise SystemExit("the worker did not come back")
        time.sleep(0.1)


def _control(demo: Any, path: str, body: dict[str, Any] | None) -> None:
    from config.demo.http import call

    where = demo.addresses["control"] + path
    answer = (
        call("DELETE", where) if body is None else call("POST", where, json.dumps(body).encode())
    )
    assert answer.ok, answer


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
