"""Processes that speak JSON lines with the one that started them, and what they cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.services import die_with_parent

ROOT = Path(__file__).resolve().parent.parent.parent
STOP_S = 10


class Child:
    """A module run as a process of its own, on the given cores."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        cores: Collection[int] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=os.environ | dict(environ or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread here
        )
        if cores:
            os.sched_setaffinity(self._process.pid, cores)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, do: str, **said: Any) -> dict[str, Any]:
        """Say one thing and wait for the answer. Raises RuntimeError when there is none."""
        self.tell(do, **said)
        return self.hear()

    def tell(self, do: str, **said: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **said}) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"process {self._process.pid} ended: {self._process.args!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End it, by its own id."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def answer_lines(handlers: Mapping[str, Callable[..., dict[str, Any] | None]]) -> None:
    """The child's half: answer each line until there are no more. Prints go to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        said = json.loads(line)
        answer = handlers[said.pop("do")](**said) or {}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def cpu_ns(pid: int) -> int:
    """Processor time of a process so far, all threads, ended ones included."""
    clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) makes of a process id
    return time.clock_gettime_ns(clock)


def cpu_of_all(pids: Collection[int]) -> int:
    return sum(cpu_ns(pid) for pid in pids)


def server_on(port: int, program: str) -> int | None:
    """The process id of a server that was started with this port, to read what it costs."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if program in command.split(" ")[0] and str(port) in command:
            return int(folder.name)
    return None
