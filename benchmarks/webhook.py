"""Webhook calls acknowledged per second: stored together, and each by itself, on one daphne.

    python benchmarks/webhook.py [--json] [--database sqlite] [--callers 1 --callers 16] …

An acknowledged call is a committed row. Both views are the product's: the plain one, which is in
this folder only, leaves out the thread that stores calls together. Rounds alternate by lot; a
round with one wrong answer, or whose rows are not in the database, is void.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import os
import random
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import uvloop

from benchmarks.fan.machine import machine, refuse_impostors
from benchmarks.fan.processes import ROOT, Child, cpu_of_all
from benchmarks.fan.ratios import Ratio
from benchmarks.fan.report import table
from benchmarks.fan.stores import Store, broker, store_of
from benchmarks.simulator_load import Tally, connect, run_calls
from tests.services import die_with_parent

LIMIT = 1.5
START_S = 60
WARM = 20
BODY = {
    "instrument": "BTC-USDT-SWAP",
    "intent": "open",
    "direction": "long",
    "quantity": {"mode": "contracts", "value": 5},
}


@dataclass(frozen=True, slots=True)
class Round:
    """One view, once."""

    view: str
    number: int
    callers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    void: str = ""


def main() -> int:
    options = read_options()
    refuse_impostors()
    began = time.perf_counter()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    report: dict[str, Any] = {"machine": machine(), "options": vars(options), "parts": []}
    report["machine"]["cores"] = len(cores)
    for database in options.database:
        with store_of(database) as store, broker() as (redis, _):
            report["machine"].setdefault("databases", []).append(store.version)
            with serving(store, redis, cores[:-1] or cores) as server:
                report["parts"] += uvloop.run(measure(server, options))
    report["seconds"] = round(time.perf_counter() - began, 1)
    missed = [
        line for part in report["parts"] for line in part["lines"] if line["reached"] is False
    ]
    report["reached"] = not missed and not any(part["void"] for part in report["parts"])
    print(json.dumps(report, indent=2) if options.json else table(report))
    return 0 if report["reached"] else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", action="append", choices=("sqlite", "mariadb"))
    parser.add_argument("--callers", type=int, action="append", help="default 1, 16 and 64")
    parser.add_argument("--calls", type=int, default=400, help="per round")
    parser.add_argument("--rounds", type=int, default=5, help="beside the warm-up")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    options.database = options.database or ["sqlite", "mariadb"]
    options.callers = options.callers or [1, 16, 64]
    return options


@dataclass
class Server:
    """A daphne of the product on the first cores, and its database."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    source: str
    secret: str
    desk: Child
    services: list[int]

    def stored(self) -> list[int]:
        """Signals and nonces in the database."""
        rows: list[int] = self.desk.ask("count")["rows"]
        return rows

    def cpu_ns(self) -> int:
        return cpu_of_all([self.process.pid, *self.services])


@contextmanager
def serving(store: Store, redis: str, cores: list[int]) -> Iterator[Server]:
    environ = os.environ | store.environ(0, redis, "http://127.0.0.1:9", "")
    environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.hook.settings"
    desk = Child("benchmarks.hook.desk", environ=environ)
    made = desk.ask("make")
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port)),
            *("-v", "0", "config.asgi:application"),
        ],
        cwd=ROOT,
        env=environ,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread here
    )
    os.sched_setaffinity(process.pid, cores)
    try:
        yield Server(store.name, process, port, made["uid"], made["secret"], desk, store.pids)
    finally:
        process.terminate()
        process.wait(20)
        desk.stop()


async def measure(server: Server, options: argparse.Namespace) -> list[dict[str, Any]]:
    await is_up(server)
    parts = []
    for callers in options.callers:
        rounds: list[Round] = []
        for number in range(options.rounds + 1):
            for view in random.sample(("hooks", "plain"), 2):
                calls = options.calls if callers > 1 else options.calls // 4
                one = await measure_round(server, view, callers, calls, number)
                say(one)
                rounds += [one] if number else []
        parts.append(part(server.name, callers, rounds))
    return parts


async def is_up(server: Server) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            (line,) = await connect(f"http://127.0.0.1:{server.port}", 1)
            line.close()
            return
        except OSError:
            assert time.monotonic() < end, "daphne did not come up"
            await asyncio.sleep(0.1)


async def measure_round(server: Server, view: str, callers: int, calls: int, number: int) -> Round:
    lines = await connect(f"http://127.0.0.1:{server.port}", callers)
    each = max(calls // callers, 1)
    warm = [[call(server, view) for _ in range(max(WARM // callers, 1))] for _ in lines]
    said = [[call(server, view) for _ in range(each)] for _ in lines]
    before, void, tally = server.stored(), "", Tally(b"")
    try:
        await run_calls(lines, warm, b" 202 ")
        cpu = server.cpu_ns()
        tally = await run_calls(lines, said, b" 202 ")
        cpu = server.cpu_ns() - cpu
    except (AssertionError, ConnectionError) as error:
        void, cpu = str(error)[:200] or "an error", 0
    for line in lines:
        line.close()
    wanted = sum(map(len, warm)) + sum(map(len, said))
    if (
        not void
        and (added := [now - then for now, then in zip(server.stored(), before, strict=True)])
        != [wanted] * 2
    ):
        void = f"{added} rows of {wanted} calls"
    took = sorted(tally.took) or [0.0]
    return Round(
        view=view,
        number=number,
        callers=callers,
        per_second=len(took) / tally.seconds if tally.seconds else 0.0,
        p50_ms=took[len(took) // 2] * 1000,
        p99_ms=took[int(len(took) * 0.99)] * 1000,
        cpu_us=cpu / 1000 / len(took),
        void=void,
    )


def call(server: Server, view: str) -> bytes:
    """A signed call with an id of its own, as bytes."""
    body = json.dumps({"id": uuid.uuid4().hex, **BODY}).encode()
    timestamp, nonce = str(int(time.time())), uuid.uuid4().hex
    signed = f"{timestamp}.{nonce}.".encode() + body
    signature = hmac.new(server.secret.encode(), signed, "sha256").hexdigest()
    head = (
        f"POST /{view}/{server.source}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-Copydesk-Timestamp: {timestamp}\r\nX-Copydesk-Nonce: {nonce}\r\n"
        f"X-Copydesk-Signature: v1={signature}\r\n\r\n"
    )
    return head.encode() + body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def part(database: str, callers: int, rounds: list[Round]) -> dict[str, Any]:
    valid = {(one.view, one.number): one for one in rounds if not one.void}
    numbers = [n for view, n in valid if view == "hooks" and ("plain", n) in valid]
    pairs = [(valid["hooks", n], valid["plain", n]) for n in numbers]
    # One caller has nobody to be stored together with.
    limit = LIMIT if callers > 1 else None
    lines = [
        Ratio(
            "calls/s, together vs plain",
            tuple(ours.per_second / theirs.per_second for ours, theirs in pairs),
            limit,
            at_least=True,
        ),
        Ratio("CPU per call, together vs plain", tuple(o.cpu_us / t.cpu_us for o, t in pairs)),
    ]
    for view, name in (("hooks", "together"), ("plain", "plain")):
        found = [one for one in rounds if one.view == view and not one.void]
        for figure, unit in (("per_second", "calls/s"), ("p50_ms", "ms"), ("p99_ms", "ms")):
            values = tuple(getattr(one, figure) for one in found)
            lines.append(Ratio(f"{name}, {figure.partition('_')[0]}", values, unit=unit))
    return {
        "name": f"{database}, daphne, {callers} callers",
        "lines": [line.told() for line in lines],
        "void": [f"{one.view} round {one.number}: {one.void}" for one in rounds if one.void],
        "rounds": [asdict(one) for one in rounds],
    }


def say(one: Round) -> None:
    print(
        f"{one.view:6} {one.callers:3} callers, round {one.number}: {one.per_second:6.0f}/s"
        f" p50 {one.p50_ms:6.1f} p99 {one.p99_ms:6.1f} ms, CPU {one.cpu_us:5.0f} us"
        + ("  (warm-up)" if one.number == 0 else "")
        + (f"  VOID: {one.void}" if one.void else ""),
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
