"""One side, as a process: `python -m benchmarks.fan.sides NAME OPTIONS-AS-JSON`."""

from __future__ import annotations

import importlib
import json
import os
import sys

import django

from benchmarks.fan.processes import answer_lines
from benchmarks.fan.sides.terms import Terms


def main() -> None:
    name, told = sys.argv[1:]
    if name in ("product", "executors"):
        django.setup()
    module = importlib.import_module(f"benchmarks.fan.sides.{name}")
    side = module.Side(Terms(**json.loads(told)))
    answer_lines(
        {
            "ready": side.ready,
            "prepare": side.prepare,
            "go": side.go,
            **getattr(side, "more", {}),
        }
    )
    # Nobody waits for what is open, and nobody is told of it.
    os._exit(0)


if __name__ == "__main__":
    main()
