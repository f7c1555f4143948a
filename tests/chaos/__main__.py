"""Every scenario, two at a time, and one table at the end.

    python -m tests.chaos [--seed 1] [--scenarios C1-sqlite,C2] [--scale 1] [--together 2]
                          [--json FILE]

Ends with 1 when an order was doubled, lost or overtaken, or another promise was broken.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import services
from tests.chaos.scenario import Scenario, every
from tests.run import driver_installed

ZEROS = ("doubled", "lost", "out_of_order")
COLUMNS = ("scenario", "intents", "kills", "faults", *ZEROS, "recovery_p99_s")
HEADS = (
    "scenario",
    "intents",
    "kills",
    "faults",
    "doubled",
    "lost",
    "out of order",
    "p99 recovery",
)
END_S = 40
LOOK_S = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="0: a new one")
    parser.add_argument("--scenarios", default="", help="beginnings of names, with commas")
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--together", type=int, default=2, help="so many at a time")
    parser.add_argument("--json", type=Path, default=Path("var/chaos/result.json"))
    asked = parser.parse_args()
    seed = asked.seed or random.SystemRandom().randrange(1, 1_000_000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = _chosen(asked.scenarios)
    if any(scenario.database == "mariadb" for scenario in chosen):
        services.install_packages(services.missing_programs())
        driver_installed()
    started = time.monotonic()
    rows: list[dict[str, Any]] = []
    say(f"seed {seed}")
    with tempfile.TemporaryDirectory(
        prefix="copydesk-chaos-templates-", dir=services.roomy_memory()
    ) as templates:
        places = {scenario.key: place for place, scenario in enumerate(chosen)}
        for row in _play_all(chosen, asked, seed, Path(templates)):
            rows.append(row)
            rows.sort(key=lambda row: places[row["scenario"]])
            say(_line(row))
            asked.json.parent.mkdir(parents=True, exist_ok=True)
            asked.json.write_text(json.dumps({"seed": seed, "rows": rows}, indent=1))
    print(table(rows))
    print(f"seed {seed}, {time.monotonic() - started:.0f} s; details in {asked.json}")
    return 1 if any(row["broken"] or any(row[zero] for zero in ZEROS) for row in rows) else 0


def _chosen(text: str) -> list[Scenario]:
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    found = [s for s in every() if not wanted or any(s.key.startswith(part) for part in wanted)]
    if not found:
        raise SystemExit(f"no scenario begins with {text}: {', '.join(s.key for s in every())}")
    return found


@dataclass(frozen=True, slots=True)
class _Play:
    """One scenario in a process of its own, which has until `end`."""

    scenario: Scenario
    process: subprocess.Popen[bytes]
    result: Path
    end: float

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None or time.monotonic() > self.end

    def row(self) -> dict[str, Any]:
        """What it found, or that it found nothing."""
        in_time = self.process.poll() is not None
        self.stop()
        if self.result.exists():
            found: dict[str, Any] = json.loads(self.result.read_text())
            return found
        late = f"took longer than {self.scenario.seconds} s"
        words = f"exit {self.process.returncode}" if in_time else late
        return {
            **dict.fromkeys(("intents", "kills", "faults", *ZEROS, "recovery_p99_s"), 0),
            "scenario": self.scenario.key,
            "broken": {"no result": [words]},
        }

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _play_all(
    chosen: Sequence[Scenario], asked: argparse.Namespace, seed: int, templates: Path
) -> Iterator[dict[str, Any]]:
    """The longest first; they wait far more than they work, so that some fit beside each other.

    Those that fit beside nobody come last, one at a time.
    """
    waiting = sorted(chosen, key=lambda scenario: (scenario.alone, -scenario.seconds))
    running: list[_Play] = []
    try:
        while waiting or running:
            while waiting and _fits(waiting[0], running, asked.together):
                running.append(_begin(waiting.pop(0), seed, asked.scale, templates))
            for play in [each for each in running if each.is_over]:
                running.remove(play)
                yield play.row()
            time.sleep(LOOK_S)
    finally:
        for play in running:
            play.process.terminate()
        for play in running:
            play.stop()


def _fits(scenario: Scenario, running: Sequence[_Play], together: int) -> bool:
    if scenario.alone or any(play.scenario.alone for play in running):
        return not running
    return len(running) < together


def _begin(scenario: Scenario, seed: int, scale: float, templates: Path) -> _Play:
    result = templates / f"{scenario.key}.json"
    command = [sys.executable, "-m", "tests.chaos.stage", scenario.key, "--seed", str(seed)]
    command += ["--scale", str(scale), "--templates", str(templates), "--result", str(result)]
    process = subprocess.Popen(command, start_new_session=True, preexec_fn=services.die_with_parent)  # noqa: PLW1509
    return _Play(scenario, process, result, time.monotonic() + scenario.seconds * max(scale, 1))


def table(rows: list[dict[str, Any]]) -> str:
    cells = [[str(row[name]) for name in COLUMNS] for row in rows]
    sums = [sum(row[name] for row in rows) for name in COLUMNS[1:-1]]
    worst = max((row["recovery_p99_s"] for row in rows), default=0)
    cells.append(["all", *map(str, sums), str(worst)])
    lines = [list(HEADS), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    shown = [_padded(line, widths) for line in lines]
    shown.insert(1, "-" * len(shown[0]))
    for row in rows:
        for promise, what in row["broken"].items():
            shown.append(f"{row['scenario']}: {promise}: {'; '.join(what)[:400]}")
    return "\n".join(shown)


def _padded(line: list[str], widths: list[int]) -> str:
    first, *others = zip(line, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(wide) for cell, wide in others)])


def _line(row: dict[str, Any]) -> str:
    broken = f" BROKEN {', '.join(row['broken'])}" if row["broken"] else ""
    return f"{row['scenario']}: " + ", ".join(f"{n} {row[n]}" for n in COLUMNS[1:]) + broken


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
