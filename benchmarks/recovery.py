"""An executor dies in the middle of a signal: how long until every order's outcome is on record.

    python benchmarks/recovery.py [--json] [--database sqlite] [--accounts 1000] [--rounds 5]

Real executors and beat, with the stub exchange of the other benchmark. Three kinds of round, in
an order by lot: undisturbed; an executor ended with SIGKILL after a random part of the orders had
arrived, and replaced as a supervisor would; the broker's message lost. A round counts only if the
exchange accepted each order exactly once.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.fan.cells import Cell, Hall
from benchmarks.fan.machine import machine, refuse_impostors
from benchmarks.fan.ratios import Ratio
from benchmarks.fan.report import table
from benchmarks.fan.rounds import Competitor, void_because
from benchmarks.fanout import hall, say

KINDS = ("undisturbed", "killed", "message lost")
ARRIVE_S = 60


def main() -> int:
    options = read_options()
    refuse_impostors()
    began = time.perf_counter()
    report: dict[str, Any] = {"machine": machine(), "options": vars(options), "parts": []}
    for database in options.database:
        with hall(database) as place:
            report["machine"].setdefault("databases", []).append(place.store.version)
            cell = Cell(
                database=database,
                accounts=options.accounts,
                connections=min(options.accounts, 1000),
                executors=options.executors,
            )
            report["parts"].append(measure(place, cell, options.rounds))
    report["seconds"] = round(time.perf_counter() - began, 1)
    report["reached"] = not any(part["void"] for part in report["parts"])
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 0 if report["reached"] else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", action="append", choices=("sqlite", "mariadb"))
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--executors", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="of each kind")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    options.database = options.database or ["sqlite", "mariadb"]
    return options


def measure(place: Hall, cell: Cell, rounds: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    raw: list[dict[str, Any]] = []
    with place.side("product", cell) as side:
        side.child.ask("ready")
        place.stub.ask("delay", port=side.port, ms=cell.delay_ms)
        one_round(place, side, "undisturbed")
        for number in range(1, rounds + 1):
            for kind in random.sample(KINDS, len(KINDS)):
                one = one_round(place, side, kind) | {"round": number}
                say(f"{cell.database} {one}")
                raw.append(one)
                if not one["void"]:
                    seconds[kind].append(one["seconds"])
    lines = [
        Ratio(f"{kind}, until all outcomes are on record", tuple(found), unit="s")
        for kind, found in seconds.items()
    ]
    lines += [
        Ratio(f"{kind}, p99", (p99(found),), unit="s") for kind, found in seconds.items() if found
    ]
    return {
        "name": f"recovery, {cell}",
        "lines": [line.told() for line in lines],
        "void": [
            f"{one['kind']} round {one['round']}: {one['void']}" for one in raw if one["void"]
        ],
        "rounds": raw,
    }


def one_round(place: Hall, side: Competitor, kind: str) -> dict[str, Any]:
    side.child.ask("prepare", number=0)
    side.child.ask("ready")
    place.stub.ask("take", port=side.port)
    began = side.child.ask("begin", lost=kind == "message lost")["began_ns"]
    at = None
    if kind == "killed":
        at = wait_for(place, side, random.randint(1, side.orders * 9 // 10))
        side.child.ask("kill", number=random.randrange(2))
    ended = side.child.ask("finish")["ended_ns"]
    ledger = place.stub.ask("take", port=side.port)
    told = side.child.ask("outcomes")["outcomes"]
    void = void_because(side.orders, ledger)
    return {
        "kind": kind,
        "seconds": round((ended - began) / 1e9, 3),
        "killed_after": at,
        "outcomes": told,
        "void": void,
    }


def wait_for(place: Hall, side: Competitor, orders: int) -> int:
    """Until so many orders have arrived; how many there were then."""
    end = time.monotonic() + ARRIVE_S
    while True:
        found: int = place.stub.ask("count", port=side.port)["orders"]
        if found >= orders or time.monotonic() > end:
            return found
        time.sleep(0.001)


def p99(found: list[float]) -> float:
    return sorted(found)[min(int(len(found) * 0.99), len(found) - 1)]


if __name__ == "__main__":
    sys.exit(main())
