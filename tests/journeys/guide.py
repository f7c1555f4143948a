"""The examples of docs/api.md: each command as it is printed, and the answer beside it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
FENCE = re.compile(r"^```(sh|json)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What is keyed by a currency, or by what a decision went by.
OPEN = ("volume", "fees", "realized_pnl", "numbers")
# So that the status is known whatever the command prints; it is printed as one would type it.
PRELUDE = r"""
set -euo pipefail
curl() { command curl --max-time 20 -w '\n%{http_code}' "$@"; }
"""


@dataclass(frozen=True)
class Example:
    """One command and, unless none is printed, the answer it is said to have."""

    line: int
    command: str
    answer: Any

    @property
    def foretells(self) -> bool:
        """It changes nothing, and goes by prices that a busy machine may tell late."""
        return "/preview" in self.command


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any


def examples() -> Iterator[Example]:
    """Every block of sh, with the block of json that follows it, if one does."""
    text = GUIDE.read_text()
    blocks = list(FENCE.finditer(text))
    for place, block in enumerate(blocks):
        if block[1] != "sh":
            continue
        after = blocks[place + 1] if place + 1 < len(blocks) else None
        answer = json.loads(after[2]) if after and after[1] == "json" else None
        yield Example(text[: block.start()].count("\n") + 1, block[2], answer)


def run(example: Example, environ: Mapping[str, str]) -> Answer:
    """Run it in bash, as a reader would."""
    done = subprocess.run(
        ["bash", "-c", PRELUDE + example.command],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"line {example.line}: {done.stderr}"
    body, _, status = done.stdout.rpartition("\n")
    return Answer(int(status), json.loads(body))


def differences(told: Any, found: Any, path: str = "") -> Iterator[str]:
    """Where an answer is not of the form that is printed: other names, or other kinds of value.
    null stands for any value; a list is told by its first item."""
    match told, found:
        case dict(), dict():
            yield from _of_objects(told, found, path)
        case list(), list():
            if bool(told) and not found:
                yield f"{path}: empty"
            for one, other in list(zip(told, found, strict=False))[:1]:
                yield from differences(one, other, f"{path}[]")
        case _ if told is not None and found is not None and type(told) is not type(found):
            yield f"{path}: {told!r} is printed, {found!r} was told"


def _of_objects(told: dict[str, Any], found: dict[str, Any], path: str) -> Iterator[str]:
    if path.endswith(OPEN):
        told = dict.fromkeys(found, next(iter(told.values()), ""))
    if told.keys() != found.keys():
        yield f"{path}: {sorted(told.keys() ^ found.keys())}"
    for name in sorted(told.keys() & found.keys()):
        yield from differences(told[name], found[name], f"{path}.{name}")
