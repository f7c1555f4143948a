"""Two days at the exchange: random traders, prices at 600 times their pace, faults now and then.

    python -m tests.soak [--seconds 288] [--speed 600] [--traders 50] [--seed 1]

Afterwards the process must have written nothing to its standard error, the money in it must
add up to what was deposited, a replay of its ledger must give the accounts it reported, and
its memory must not have grown on the second day. Prints one JSON object; ends with 1 when
something is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from decimal import setcontext
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

import aiohttp
import psutil

from tests.simulator.client import Client, Simulator, start
from tests.soak.trader import PATIENCE, Trader
from trading.simulator.clock import Clock
from trading.simulator.decimals import EXACT, plain
from trading.simulator.exchange import Exchange
from trading.simulator.ledger import Ledger
from trading.simulator.market import Market

PAUSE_S: Final = 0.15
FAULT_EVERY_S: Final = 3.0
FAULTS: Final = (
    "drop_before",
    "drop_after_accept",
    "rst_after_accept",
    "truncate",
    "hang:200",
    "late_accept:300",
    "slow_body:10",
    "http:502",
    "code:50026",
    "scode:51008",
    "partial:3",
    "ws_drop",
    "ws_duplicate",
    "ws_disconnect",
    "ws_reorder:3",
    "ws_delay:200",
)
# A slope is told from the second day; on the first, histories and windows fill.
WARM: Final = 1 / 2
MEMORY_GROWS: Final = "memory grows"
LARGEST_SLOPE_KB_S: Final = 100.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("seconds", 288), ("speed", 600), ("traders", 50), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    setcontext(EXACT.copy())
    with tempfile.TemporaryDirectory(prefix="copydesk-soak-") as folder:
        report = asyncio.run(soak(options, Path(folder)))
    print(json.dumps(report, indent=2))
    return 1 if report["wrong"] else 0


async def soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    path, errors = folder / "ledger.jsonl", folder / "stderr"
    flags = ("--speed", str(options.speed), "--seed", str(options.seed), "--history", "40")
    with errors.open("w") as stderr:
        simulator = start("--limits", "off", "--ledger", str(path), *flags, stderr=stderr)
        try:
            report, accounts, seq = await run(simulator, options)
        finally:
            report_code = simulator.stop()
    report["ledger"] = judge(path, folder / "copy.jsonl", accounts, seq)
    told = errors.read_text()
    report["wrong"] = [
        *([f"ended with {report_code}"] if report_code else []),
        *([f"standard error: {told[-4000:]}"] if told else []),
        *report["ledger"].pop("wrong"),
        *([MEMORY_GROWS] if report["memory"]["slope_kb_s"] > LARGEST_SLOPE_KB_S else []),
    ]
    return report


async def run(
    simulator: Simulator, options: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, Any], int]:
    memory: list[tuple[float, float]] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as http:
        traders = [
            Trader(await open_account(simulator, n), http, n) for n in range(options.traders)
        ]
        tasks = [asyncio.create_task(each.trade(PAUSE_S)) for each in traders]
        tasks += [asyncio.create_task(each.listen(simulator.ws["private"])) for each in traders]
        tasks += [
            asyncio.create_task(break_things(simulator, Random(options.seed))),
            asyncio.create_task(weigh(simulator, memory)),
        ]
        done, _ = await asyncio.wait(
            tasks, timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
    simulator.ask("DELETE", "/faults")
    await asyncio.sleep(1)
    accounts, seq = quiet_accounts(simulator, [each.client.key for each in traders])
    told: Counter[str] = sum((each.told for each in traders), Counter())
    report = {
        "options": vars(options),
        "answers": dict(told.most_common()),
        "calls": sum(told.values()),
        "pushes": sum(each.pushes for each in traders),
        "memory": slope(memory),
    }
    return report, accounts, seq


async def open_account(simulator: Simulator, number: int) -> Client:
    money = {"USDT": "200000", "BTC": "2"} if number % 5 else {"USDT": "2000"}
    return await asyncio.to_thread(simulator.account, f"soak{number}", balances=money)


async def break_things(simulator: Simulator, random: Random) -> None:
    while True:
        await asyncio.sleep(FAULT_EVERY_S)
        body = {"match": {}, "fault": random.choice(FAULTS), "prob": 0.1, "times": 20}
        await asyncio.to_thread(simulator.ask, "POST", "/faults", body)
        if random.random() < 0.3:
            await asyncio.to_thread(simulator.ask, "DELETE", "/faults")


async def weigh(simulator: Simulator, memory: list[tuple[float, float]]) -> None:
    process = psutil.Process(simulator.process.pid)
    while True:
        memory.append((time.monotonic(), process.memory_info().rss / 1024))
        await asyncio.sleep(0.5)


def slope(memory: list[tuple[float, float]]) -> dict[str, float]:
    steady = memory[int(len(memory) * WARM) :]
    times, sizes = zip(*steady, strict=True)
    return {
        "first_mb": round(memory[0][1] / 1024, 1),
        "warm_mb": round(steady[0][1] / 1024, 1),
        "last_mb": round(memory[-1][1] / 1024, 1),
        "slope_kb_s": round(statistics.linear_regression(times, sizes).slope, 2),
    }


def quiet_accounts(simulator: Simulator, keys: list[str]) -> tuple[dict[str, Any], int]:
    """What the process says of every account, at a moment in which nothing happened."""
    for _ in range(100):
        seq = simulator.ask("GET", "/health").body["entries"]
        accounts = {key: told(simulator.ask("GET", f"/accounts/{key}").body) for key in keys}
        if simulator.ask("GET", "/health").body["entries"] == seq:
            return accounts, seq
    raise AssertionError("the exchange never stood still")


def told(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "balances": row["balances"],
        "positions": [
            [each[name] for name in ("inst_id", "mgn_mode", "pos_side", "qty", "margin")]
            for each in row["positions"]
        ],
        "orders": [each["ord_id"] for each in row["orders"]],
    }


def judge(path: Path, copy: Path, accounts: dict[str, Any], seq: int) -> dict[str, Any]:
    """Replay the ledger up to the moment of the report, and add up the money."""
    with path.open("rb") as lines, copy.open("wb") as kept:
        kept.writelines(islice(lines, seq))
    began, clock = time.monotonic(), Clock()
    state = Exchange(clock, Market(1, clock.ms()), Ledger(copy)).state
    took = time.monotonic() - began
    wrong = [
        f"{ccy}: {plain(state.total(ccy))} held, {plain(amount)} deposited"
        for ccy, amount in state.deposited.items()
        if state.total(ccy) != amount
    ]
    for key, live in accounts.items():
        account = state.accounts[key]
        replayed = {
            "balances": {ccy: plain(cash) for ccy, cash in account.balances.items()},
            "positions": [
                [each.inst_id, each.mgn_mode, each.pos_side, plain(each.qty), plain(each.margin)]
                for each in account.open_positions()
            ],
            "orders": list(account.pending),
        }
        wrong += [
            f"{key} {name}: {replayed[name]} replayed, {live[name]} reported"
            for name in replayed
            if replayed[name] != live[name]
        ]
    kinds = Counter(entry["kind"] for entry in Ledger(path).read())
    return {"entries": dict(kinds.most_common()), "replay_s": round(took, 2), "wrong": wrong}


if __name__ == "__main__":
    sys.exit(main())
