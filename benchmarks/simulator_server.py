"""A server of the simulator's benchmark: a process on a core of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Server:
    """A process pinned to the first core."""

    process: subprocess.Popen[str]
    told: dict[str, Any]
    started_s: float

    @property
    def cpu_s(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def memory_kb(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1024

    def ask(self, path: str, body: Any) -> Any:
        """The control API."""
        request = urllib.request.Request(self.told["control"] + path, json.dumps(body).encode())
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@contextmanager
def serving(core: int, module: str, *flags: str) -> Iterator[Server]:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    os.sched_setaffinity(process.pid, {core})
    told = json.loads(process.stdout.readline())
    try:
        yield Server(process, told, round(time.perf_counter() - began, 3))
    finally:
        process.terminate()
        process.wait(15)
