"""What is measured in one database, and which line of the promises each part answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.fan import ratios
from benchmarks.fan.cells import Cell, Hall, ask_product, run_cell
from benchmarks.fan.ratios import Ratio, pairs, values
from benchmarks.fan.rounds import Measured

SIDES = ("product", "bare", "pool", "tasks")
INFORMATION = ("lean", "ccxt_async")
MANY = 5000
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Plan:
    cells: Sequence[Cell]
    sides: Sequence[str]
    rounds: int
    quick: bool
    sick: bool
    extras: bool


def run_plan(hall: Hall, plan: Plan) -> list[dict[str, Any]]:
    if plan.sick:
        from benchmarks.fan.sick import run_sick

        return [run_sick(hall, cell, plan.rounds) for cell in plan.cells]
    parts = []
    for number, cell in enumerate(plan.cells):
        names = plan.sides or (SIDES + (INFORMATION if number == 0 and plan.extras else ()))
        measured = run_cell(hall, cell, names, plan.rounds)
        parts.append(part(str(cell), cell_lines(measured, cell, plan.quick), measured))
    if plan.extras:
        parts += run_extras(hall, plan)
    return parts


def part(name: str, lines: Sequence[Ratio], measured: Sequence[Measured]) -> dict[str, Any]:
    return {
        "name": name,
        "lines": [line.told() for line in lines],
        "void": [f"{one.side} round {one.number}: {one.void}" for one in measured if one.void],
        "rounds": [asdict(one) for one in measured],
    }


def cell_lines(measured: Sequence[Measured], cell: Cell, quick: bool) -> list[Ratio]:
    """The promises that hold for every cell. Wall time says little on a busy machine."""
    timed = not (quick or cell.cold or cell.leverage != "known")
    faster = 20.0 if cell.delay_ms >= 50 else 5.0

    def against(other: str, figure: ratios.Figure) -> tuple[float, ...]:
        return pairs(measured, "product", other, figure)

    lines = [
        Ratio("time vs bare aiohttp", against("bare", ratios.time_of), 1.2 if timed else None),
        Ratio("time to the last arrival vs bare aiohttp", against("bare", ratios.arrival_of)),
        Ratio(
            "orders/s vs ThreadPool(10) + sync ccxt",
            against("pool", ratios.rate_of),
            faster if timed else None,
            at_least=True,
        ),
        Ratio("CPU per order vs ThreadPool(10)", against("pool", ratios.cpu_of), 0.25),
        Ratio("CPU per order vs a task per order", against("tasks", ratios.cpu_of), 0.08),
        Ratio("time vs lean aiohttp", against("lean", ratios.time_of)),
        Ratio("time vs one ccxt instance", against("ccxt_async", ratios.time_of)),
        Ratio("product, ms", values(measured, "product", ratios.time_of), unit="ms"),
        Ratio("product, CPU us/order", values(measured, "product", ratios.cpu_of), unit="us"),
    ]
    return [line for line in lines if line.rounds]


def run_extras(hall: Hall, plan: Plan) -> list[dict[str, Any]]:
    cell = plan.cells[0]
    parts = []
    for changed in (replace(cell, cold=True), replace(cell, leverage="to be set")):
        measured = run_cell(hall, changed, ("product", "bare"), plan.rounds)
        parts.append(part(str(changed), cell_lines(measured, changed, plan.quick), measured))
    parts.append(scaling(hall, cell, plan.rounds))
    parts.append(memory(hall, cell))
    parts.append(statements(hall, cell))
    return parts


def scaling(hall: Hall, cell: Cell, rounds: int) -> dict[str, Any]:
    """The same work for five times as many accounts, side by side."""
    few, many = cell, replace(cell, accounts=MANY)
    hall.say(f"-- scaling: {few.accounts} and {many.accounts} accounts, {cell.database}")
    with hall.side("product", few) as small, hall.side("product", many) as large:
        small.name, large.name = "product, few", "product, many"
        measured = hall.track(cell).run([small, large], rounds, hall.say)
    found = pairs(measured, "product, many", "product, few", ratios.cpu_of)
    name = f"CPU per order at {many.accounts} vs {few.accounts} accounts"
    return part(f"scaling, {cell.database}", [Ratio(name, found, 1.15)], measured)


def memory(hall: Hall, cell: Cell) -> dict[str, Any]:
    """Growth of a fresh executor from few to many accounts, with as many connections."""
    sizes = (cell.accounts, MANY)
    found = [ask_product(hall, replace(cell, accounts=size), "memory") for size in sizes]
    added = (found[1]["kb"] - found[0]["kb"]) / (sizes[1] - sizes[0])
    most = (found[1]["most_kb"] - found[0]["most_kb"]) / (sizes[1] - sizes[0])
    lines = [
        Ratio("memory per additional account", (added,), 20.0, unit="KB"),
        Ratio("memory per additional account at the worst moment", (most,), unit="KB"),
    ]
    return part(f"memory, {cell.database}", lines, []) | {"found": found}


def statements(hall: Hall, cell: Cell) -> dict[str, Any]:
    """Per chunk: what five chunks ask more than one, without what a signal asks once."""
    counted = {}
    for chunks in (1, 5):
        told = ask_product(hall, replace(cell, accounts=chunks * CHUNK), "statements", number=2)
        counted[chunks] = told["statements"]
    more = {
        name: (counted[5].get(name, 0) - counted[1].get(name, 0)) / 4
        for name in sorted(counted[5].keys() | counted[1].keys())
    }
    per_chunk = sum(count for name, count in more.items() if _counts(name))
    lines = [
        Ratio(f"statements per chunk of {CHUNK}", (per_chunk,), 12.0, unit="statements"),
        Ratio("with all that is asked beside them", (sum(more.values()),), unit="statements"),
    ]
    return part(f"statements, {cell.database}", lines, []) | {"per_chunk": more, "counted": counted}


def _counts(name: str) -> bool:
    """Not what opens and closes a transaction or asks for the time, nor what others do at the
    time: the clock that is sampled every minute, the thread that tells open pages."""
    kind, _, table = name.partition(" ")
    others = table.startswith(("notifications_", "trading_clockreading"))
    return bool(table) and kind not in ("SAVEPOINT", "RELEASE", "SET") and not others
