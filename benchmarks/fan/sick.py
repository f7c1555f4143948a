"""A signal to many accounts of which some are ill: the others must not wait for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.fan import ratios
from benchmarks.fan.cells import Cell, Hall
from benchmarks.fan.plan import part
from benchmarks.fan.ratios import Ratio, pairs

REVOKED, BROKE, SLOW = 20, 20, 10
LIMIT = 1.1


def run_sick(hall: Hall, cell: Cell, rounds: int) -> dict[str, Any]:
    """The healthy ones among the ill, beside as many healthy ones alone."""
    ill = REVOKED + BROKE + SLOW
    healthy = cell.accounts - ill
    numbers = range(0, cell.accounts, cell.accounts // ill)[:ill]
    kinds = {
        "revoked": list(numbers[:REVOKED]),
        "broke": list(numbers[REVOKED : REVOKED + BROKE]),
        "slow": list(numbers[REVOKED + BROKE :]),
    }
    alone = replace(cell, accounts=healthy, connections=min(cell.connections, healthy))
    hall.say(f"-- {ill} of {cell.accounts} accounts are ill, beside {healthy} healthy ones: {cell}")
    with hall.side("product", cell) as mixed, hall.side("product", alone) as pure:
        mixed.name, pure.name = "among the ill", "alone"
        hall.stub.ask("sick", port=mixed.port, **kinds)
        measured = hall.track(cell).run([mixed, pure], rounds, hall.say)
        outcomes = mixed.child.ask("outcomes")["outcomes"]
    right = {"rejected KEY_INVALID": REVOKED, "rejected INSUFFICIENT_MARGIN": BROKE}
    wrong = sum(abs(outcomes.get(name, 0) - count) for name, count in right.items())
    lines = [
        Ratio(
            "time of the healthy vs alone",
            pairs(measured, "among the ill", "alone", ratios.time_of),
            LIMIT,
        ),
        Ratio("orders without the right reason", (float(wrong),), 0.0, unit="orders"),
    ]
    return part(f"ill accounts, {cell}", lines, measured) | {"outcomes": outcomes}
