"""How fast the simulator is, next to a bare aiohttp echo server under the same load.

    python -m benchmarks.simulator [--orders 20000] [--accounts 5000] [--sockets 2000] [--json]

The server runs on one core with its ledger on, the generator on another. Both servers are
measured in turn, the same number of calls of the same size. Processor time per call is the
number to trust on a machine that others use as well; the rate is what was seen on the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.simulator_calls import (
    SWAP,
    Trader,
    frame_of,
    market_frames,
    market_orders,
    order,
    order_queries,
    plain_post,
    resting_frames,
    resting_orders,
    split,
)
from benchmarks.simulator_load import Line, Tally, connect, listen, run_calls
from benchmarks.simulator_server import Server, serving

LINES = 50
CHANNELS = (
    {"channel": "orders", "instType": "ANY"},
    {"channel": "account", "extraParams": '{"updateInterval":"0"}'},
    {"channel": "positions", "instType": "ANY", "extraParams": '{"updateInterval":"0"}'},
)
Report = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("orders", 20_000), ("accounts", 5000), ("sockets", 2000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    report = uvloop.run(measure(options, cores[0]))
    print(json.dumps(report, indent=2) if options.json else table(report))


async def measure(options: argparse.Namespace, core: int) -> Report:
    traders = [Trader(f"trader{number}") for number in range(LINES)]
    report: Report = {"options": vars(options), "calls": {}}
    with tempfile.TemporaryDirectory(prefix="copydesk-simulator-") as folder:
        path = Path(folder) / "ledger.jsonl"
        with serving(core, "benchmarks.simulator_echo") as echo:
            await measure_echo(echo, traders, options, report)
        flags = ("--no-market", "--limits", "off", "--ledger", str(path))
        with serving(core, "trading.simulator", *flags) as simulator:
            report["start_s"] = simulator.started_s
            simulator.ask("/prices", {SWAP: "64000"})
            for each in traders:
                simulator.ask("/accounts", each.opening)
            await measure_calls(simulator, traders, options, report)
            await measure_sockets(simulator, options, report)
            await measure_tickers(simulator, options, report)
            measure_accounts(simulator, options, report)
        size, lines = path.stat().st_size, path.read_bytes().count(b"\n")
        with serving(core, "trading.simulator", *flags) as simulator:
            report["restart"] = {"entries": lines, "bytes": size, "s": simulator.started_s}
    return report


async def measure_echo(
    server: Server, traders: list[Trader], options: argparse.Namespace, report: Report
) -> None:
    calls = split(traders, options.orders, market_orders)
    report["calls"]["echo, HTTP"] = await over_http(server, calls, b" 200 ")
    lines = await listen(server.told["ws"]["private"], LINES)
    frames = split(traders, options.orders, market_frames)
    report["calls"]["echo, WebSocket"] = await over_lines(server, lines, frames, b'"op"')
    before = server.memory_kb
    lines = await listen(server.told["ws"]["private"], options.sockets)
    heard = Heard(lines, b"tick")
    began = time.perf_counter()
    text = json.dumps({"tick": "x" * 600}).encode()
    (teller,) = await connect(server.told["rest"], 1)
    teller.write(plain_post("/tell", text))
    report["echo_sockets"] = {
        "kb_per_socket": (server.memory_kb - before) / options.sockets,
        "one_frame_to_each_s": await heard.all() - began,
    }


async def measure_calls(
    server: Server, traders: list[Trader], options: argparse.Namespace, report: Report
) -> None:
    kinds = {
        "market orders, REST": market_orders,
        "limit orders and cancels, REST": resting_orders,
        "queries of an order, REST": order_queries,
    }
    good = b'"code":"0"'
    for name, kind in kinds.items():
        calls = split(traders, options.orders, kind)
        report["calls"][name] = await over_http(server, calls, good)
    lines = await listen(server.told["ws"]["private"], LINES)
    await run_calls(lines, [[frame_of(each.login())] for each in traders], b'"login"')
    for name, kind in (
        ("market orders, WebSocket", market_frames),
        ("limit orders and cancels, WebSocket", resting_frames),
    ):
        frames = split(traders, options.orders, kind)
        report["calls"][name] = await over_lines(server, lines, frames, good)
    for each in lines:
        each.close()


async def measure_sockets(server: Server, options: argparse.Namespace, report: Report) -> None:
    """One account and one private socket each, with a resting order that one price fills."""
    traders = [Trader(f"listener{number}") for number in range(options.sockets)]
    for each in traders:
        server.ask("/accounts", each.opening)
    before, began = server.memory_kb, time.perf_counter()
    lines = await listen(server.told["ws"]["private"], len(traders))
    await run_calls(lines, [[frame_of(each.login())] for each in traders], b'"login"')
    hello = frame_of({"op": "subscribe", "args": CHANNELS})
    ready = Heard(lines, b'"snapshot"', times=2)
    for line in lines:
        line.write(hello)
    opened_s = await ready.all() - began
    memory = (server.memory_kb - before) / len(traders)
    heard = Heard(lines, b'"state":"live"')
    rest = await connect(server.told["rest"], LINES)
    placing = [
        [each.call("POST", "/api/v5/trade/order", order(px="60000")) for each in traders[n::LINES]]
        for n in range(LINES)
    ]
    await run_calls(rest, placing, b'"code":"0"')
    await heard.all()
    filled, account = Heard(lines, b'"state":"filled"'), Heard(lines, b'"channel":"positions"')
    began, cpu = time.perf_counter(), server.cpu_s
    (control,) = await connect(server.told["control"], 1)
    control.write(plain_post("/prices", json.dumps({SWAP: "59000"}).encode()))
    filled_s, account_s = await filled.all() - began, await account.all() - began
    report["sockets"] = {
        "count": len(traders),
        "open_login_subscribe_s": opened_s,
        "kb_per_socket": memory,
        "one_price_fills_all_orders_pushed_s": filled_s,
        "and_positions_pushed_s": account_s,
        "cpu_s": server.cpu_s - cpu,
    }
    for line in lines:
        line.close()


async def measure_tickers(server: Server, options: argparse.Namespace, report: Report) -> None:
    """One price to everybody; the channel itself pushes at most every 100 ms."""
    lines = await listen(server.told["ws"]["public"], options.sockets)
    ready = Heard(lines, b'"data"')
    arg = {"channel": "tickers", "instId": SWAP}
    hello = frame_of({"op": "subscribe", "args": [arg]})
    for line in lines:
        line.write(hello)
    await ready.all()
    await asyncio.sleep(1)
    heard = Heard(lines, b'"last":"59001"')
    began, cpu = time.perf_counter(), server.cpu_s
    (control,) = await connect(server.told["control"], 1)
    control.write(plain_post("/prices", json.dumps({SWAP: "59001"}).encode()))
    report["tickers"] = {
        "count": len(lines),
        "one_price_to_each_s": await heard.all() - began,
        "cpu_s": server.cpu_s - cpu,
    }
    for line in lines:
        line.close()


def measure_accounts(server: Server, options: argparse.Namespace, report: Report) -> None:
    before, began = server.memory_kb, time.perf_counter()
    for number in range(options.accounts):
        server.ask("/accounts", Trader(f"account{number}").opening)
    report["accounts"] = {
        "count": options.accounts,
        "kb_per_account": (server.memory_kb - before) / options.accounts,
        "s": time.perf_counter() - began,
    }


class Heard:
    """Waits until every line has heard something `times` times."""

    def __init__(self, lines: list[Line], wanted: bytes, times: int = 1) -> None:
        self._done = asyncio.get_running_loop().create_future()
        self._missing = len(lines) * times
        self._wanted = wanted
        for line in lines:
            self._follow(line, times)

    async def all(self) -> float:
        return float(await asyncio.wait_for(self._done, 120))

    def _follow(self, line: Line, times: int) -> None:
        before, left = line.hear, times

        def hear(frame: bytes) -> None:
            nonlocal left
            before(frame)
            if left and self._wanted in frame:
                left -= 1
                self._missing -= 1
                if not self._missing:
                    self._done.set_result(time.perf_counter())

        line.hear = hear


async def over_http(server: Server, calls: list[list[bytes]], good: bytes) -> Report:
    lines = await connect(server.told["rest"], LINES)
    made = await over_lines(server, lines, calls, good)
    for each in lines:
        each.close()
    return made


async def over_lines(
    server: Server, lines: list[Line], calls: list[list[bytes]], good: bytes
) -> Report:
    warm = len(calls[0]) // 10
    await run_calls(lines, [each[:warm] for each in calls], good)
    cpu = server.cpu_s
    tally = await run_calls(lines, [each[warm:] for each in calls], good)
    return summary(tally, server.cpu_s - cpu)


def summary(tally: Tally, cpu_s: float) -> Report:
    count = len(tally.took)
    cuts = statistics.quantiles(tally.took, n=100)
    return {
        "per_second": round(count / tally.seconds),
        "cpu_us": round(cpu_s / count * 1e6),
        "p50_ms": round(cuts[49] * 1000, 2),
        "p99_ms": round(cuts[98] * 1000, 2),
    }


def table(report: Report) -> str:
    echo = report["calls"]["echo, HTTP"]
    rows = [f"{'':38}{'per s':>8}{'CPU us':>8}{'p50 ms':>8}{'p99 ms':>8}{'x echo':>8}"]
    for name, row in report["calls"].items():
        against = report["calls"]["echo, WebSocket"] if "WebSocket" in name else echo
        ratio = f"{row['cpu_us'] / against['cpu_us']:>8.2f}"
        numbers = "".join(
            f"{row[each]:>8}" for each in ("per_second", "cpu_us", "p50_ms", "p99_ms")
        )
        rows.append(f"{name:38}{numbers}{ratio}")
    for part in ("echo_sockets", "sockets", "tickers", "accounts", "restart"):
        told = ", ".join(f"{name} {value:.4g}" for name, value in report[part].items())
        rows.append(f"{part}: {told}")
    rows.append(f"start_s: {report['start_s']}")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
