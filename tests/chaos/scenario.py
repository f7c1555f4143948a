"""What a scenario is, and where all of them are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

# Breakers that do not open for what a scenario does on purpose.
CALM = {
    "BREAKER_REJECTS_IN_A_ROW": "100000",
    "BREAKER_REJECTS_A_MINUTE": "100000",
    "BREAKER_UNRESOLVED": "100000",
    "BREAKER_FEWEST_SENDS": "1000000",
    "LIMIT_ACCOUNT_SENDS": "1000",
}
ROOMS = ("kills", "executors", "outages", "wires", "lies", "switches", "strangers", "leaders")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`followers` of each desk; `seconds` is the most it may take, `recovery_s` the most its
    orders may take to recover. `limits` are settings of the simulator."""

    key: str
    title: str
    play: Callable[[Any], None]
    database: str = "sqlite"
    followers: tuple[int, ...] = (100,)
    workers: int = 1
    seconds: int = 300
    recovery_s: float = 20
    # Of the orders that no later signal overtook, or the scenario has not shown much.
    least_accepted: float = 0.4
    limits: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    doubles: bool = False  # a second beat and a second streams process
    # It starts processes all the time, each for seconds of a whole processor: beside another
    # scenario on two processors its clock would measure that one.
    alone: bool = False


def every() -> list[Scenario]:
    found: list[Scenario] = []
    for room in ROOMS:
        found += import_module(f"tests.chaos.scenarios.{room}").SCENARIOS
    return found


def find(key: str) -> Scenario:
    return next(scenario for scenario in every() if scenario.key == key)
