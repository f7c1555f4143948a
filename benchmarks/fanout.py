"""One signal to many accounts: the product beside what else could send the orders.

    python benchmarks/fanout.py [--json] [--quick] [--database sqlite] [--delay 50] [--tls no] …

Each side is a process of its own against a stub exchange that verifies every signature and
keeps a ledger. Sides run in turn within each round, in an order by lot; ratios are of pairs of
the same round. Exit status 1 when a promised ratio is not reached.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.fan.cells import Cell, Hall, ask_product
from benchmarks.fan.machine import machine, refuse_impostors
from benchmarks.fan.plan import Plan, run_plan
from benchmarks.fan.processes import Child
from benchmarks.fan.report import table
from benchmarks.fan.stores import broker, store_of


def main() -> int:
    options = read_options()
    refuse_impostors()
    if options.profile:
        return profile(options)
    began = time.perf_counter()
    report: dict[str, Any] = {"machine": machine(), "options": vars(options), "parts": []}
    for database in options.database:
        with hall(database) as place:
            if options.profile:
                cell = plan_of(options, database).cells[0]
                for thread, text in ask_product(place, cell, "profile", number=2)[
                    "profile"
                ].items():
                    print(f"=== {thread} thread, {cell}\n{text}")
                continue
            report["machine"].setdefault("databases", []).append(place.store.version)
            report["parts"] += run_plan(place, plan_of(options, database))
    report["seconds"] = round(time.perf_counter() - began, 1)
    missed = [
        line for part in report["parts"] for line in part["lines"] if line["reached"] is False
    ]
    report["reached"] = not missed
    print(json.dumps(report, indent=2, default=str) if options.json else table(report))
    return 1 if missed else 0


def profile(options: argparse.Namespace) -> int:
    for database in options.database:
        cell = plan_of(options, database).cells[0]
        with hall(database) as place:
            told = ask_product(place, cell, "profile", number=2)["profile"]
        for thread, text in told.items():
            print(f"=== {thread} thread, {cell}\n{text}")
    return 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=0, help="as many as accounts, to 1000")
    parser.add_argument("--delay", type=float, action="append", help="ms; default 50 and 0")
    parser.add_argument("--database", action="append", choices=("sqlite", "mariadb"))
    parser.add_argument("--tls", choices=("no", "yes", "both"), default="")
    parser.add_argument("--rounds", type=int, default=0, help="beside the warm-up; default 5")
    parser.add_argument("--sides", default="", help="product,bare,pool,tasks,lean,ccxt_async")
    parser.add_argument("--leverage", choices=("known", "to be set"), default="known")
    parser.add_argument("--executors", type=int, default=0, help="Celery workers, hop included")
    parser.add_argument("--cold", action="store_true", help="every connection has to be opened")
    parser.add_argument("--sick", action="store_true", help="only: 50 of the accounts are ill")
    parser.add_argument("--only-cells", action="store_true", help="no memory, scaling, statements")
    parser.add_argument(
        "--profile", action="store_true", help="only: where the product's time goes"
    )
    parser.add_argument("--quick", action="store_true", help="under a minute; gates CPU only")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    options.database = options.database or (["sqlite"] if options.quick else ["sqlite", "mariadb"])
    options.delay = options.delay or ([50.0] if options.quick else [50.0, 0.0])
    options.tls = options.tls or ("no" if options.quick else "both")
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.connections = options.connections or min(options.accounts, 1000)
    return options


def plan_of(options: argparse.Namespace, database: str) -> Plan:
    tls = {"no": [False], "yes": [True], "both": [False, True]}[options.tls]
    cells = [
        Cell(
            database=database,
            accounts=options.accounts,
            connections=options.connections,
            delay_ms=delay,
            tls=secured,
            cold=options.cold,
            leverage=options.leverage,
            executors=options.executors,
            pool_accounts=300 if options.quick else 0,
        )
        for secured in tls
        for delay in options.delay
    ]
    sides = options.sides.split(",") if options.sides else []
    extras = not (options.quick or options.only_cells or options.cold or options.sides)
    return Plan(cells, sides, options.rounds, quick=options.quick, sick=options.sick, extras=extras)


@contextmanager
def hall(database: str) -> Iterator[Hall]:
    """The last core is the exchange's; the sides have the others. The machine may have one."""
    cores = sorted(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory(prefix="copydesk-stub-") as folder,
        store_of(database) as store,
        broker() as (redis, pids),
    ):
        stub = Child("benchmarks.fan.stub", folder, cores=cores[-1:])
        try:
            yield Hall(stub, Path(folder), store, redis, pids, cores[:-1] or cores, say)
        finally:
            stub.stop()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
