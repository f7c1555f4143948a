"""Ratios of pairs that ran in the same round, and whether they reach what was promised."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.fan.rounds import Measured

Figure = Callable[[Measured], float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of the target table. `limit` is kept from below when `at_least`."""

    name: str
    rounds: tuple[float, ...]
    limit: float | None = None
    at_least: bool = False
    unit: str = "x"

    @property
    def median(self) -> float | None:
        return statistics.median(self.rounds) if self.rounds else None

    @property
    def is_reached(self) -> bool | None:
        """None when nothing was promised; a line without one valid round is not reached."""
        if self.limit is None:
            return None
        if self.median is None:
            return False
        return self.median >= self.limit if self.at_least else self.median <= self.limit

    def told(self) -> dict[str, Any]:
        return {
            "what": self.name,
            "unit": self.unit,
            "rounds": [round(value, 4) for value in self.rounds],
            "median": self.median,
            "min": min(self.rounds, default=None),
            "max": max(self.rounds, default=None),
            "limit": self.limit,
            "at_least": self.at_least,
            "reached": self.is_reached,
        }


def pairs(measured: Sequence[Measured], side: str, other: str, figure: Figure) -> tuple[float, ...]:
    """`figure` of a side divided by that of the other, round by round, void ones left out."""
    found = []
    for number in sorted({one.number for one in measured}):
        ours = _valid(measured, side, number)
        theirs = _valid(measured, other, number)
        if ours and theirs:
            found.append(figure(ours) / figure(theirs))
    return tuple(found)


def values(measured: Sequence[Measured], side: str, figure: Figure) -> tuple[float, ...]:
    return tuple(figure(one) for one in measured if one.side == side and not one.void)


def _valid(measured: Sequence[Measured], side: str, number: int) -> Measured | None:
    for one in measured:
        if one.side == side and one.number == number and not one.void:
            return one
    return None


def cpu_of(one: Measured) -> float:
    """All processes: the side's own, its database and its broker."""
    return one.cpu_us + one.services_us


def time_of(one: Measured) -> float:
    return one.time_ms


def arrival_of(one: Measured) -> float:
    return one.arrival_ms


def rate_of(one: Measured) -> float:
    return one.per_second
