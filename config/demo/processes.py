"""The demo's child processes: started in order, restarted when they fall, always stopped."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

STOP_S = 10
PR_SET_PDEATHSIG = 1
MAX_RESTARTS = 5
STEADY_S = 60


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


@dataclass(slots=True)
class Child:
    """One process. Only its own pid is ever signaled, never a group."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    started_at: float = 0

    def start(self, stdout: int | None = None) -> None:
        self.started_at = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                list(self.command),
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                cwd=settings.BASE_DIR,
                # Ctrl-C is for us alone: we stop the children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads are started before
            )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(slots=True)
class Household:
    """All children, stopped in the reverse of the order in which they came."""

    folder: Path
    environ: dict[str, str]
    children: list[Child] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)

    def start(self, name: str, *command: str) -> Child:
        child = self._child(name, command)
        child.start()
        return child

    def start_simulator(self, ledger: Path, seed: int = 7) -> dict[str, str]:
        """Start the exchange next door and return its addresses."""
        child = self._child(
            "simulator",
            (
                *(sys.executable, "-m", "trading.simulator", "--port", "0", "--control-port", "0"),
                *("--seed", str(seed), "--ledger", str(ledger), "--limits", "off"),
            ),
        )
        child.start(stdout=subprocess.PIPE)
        assert child.process is not None  # noqa: S101 - just started
        assert child.process.stdout is not None  # noqa: S101 - it was asked for
        line = child.process.stdout.readline()
        if not line:
            raise DemoError(f"the simulator did not start:\n{child.last_words()}")
        ready = json.loads(line)
        # A restart must come back under the addresses that everybody knows by then.
        ports = [ready[name].rsplit(":", 1)[1] for name in ("rest", "control")]
        child.command = [
            *(sys.executable, "-m", "trading.simulator", "--port", ports[0]),
            *("--control-port", ports[1], "--seed", str(seed), "--ledger", str(ledger)),
            *("--limits", "off"),
        ]
        return {
            "rest": ready["rest"],
            "ws": ready["ws"]["public"].rsplit("/", 1)[0],
            "control": ready["control"],
        }

    def wait_for(self, what: str, is_ready: Callable[[], bool], timeout: float) -> None:
        """Wait until it is so. Raises DemoError after `timeout` seconds or when a child died."""
        end = time.monotonic() + timeout
        while not is_ready():
            for child in self.children:
                if not child.is_running():
                    raise DemoError(f"{child.name} stopped:\n{child.last_words()}")
            if time.monotonic() > end:
                raise DemoError(f"waited {timeout:.0f} s for {what}; logs are in {self.folder}")
            if self.leaving.wait(0.1):
                raise DemoError("interrupted")

    def keep(self, say: Callable[[str], None]) -> None:
        """Serve until told to leave; start again what falls."""
        while not self.leaving.wait(1):
            for child in self.children:
                if child.is_running():
                    if time.monotonic() - child.started_at > STEADY_S:
                        child.restarts = 0
                elif child.restarts < MAX_RESTARTS:
                    child.restarts += 1
                    say(f"{child.name} stopped and is started again")
                    child.start()

    def stop(self) -> None:
        for child in reversed(self.children):
            child.stop()

    def _child(self, name: str, command: Sequence[str]) -> Child:
        child = Child(name, command, self.environ, self.folder / f"{name}.log")
        self.children.append(child)
        return child


def _die_with_parent() -> None:
    """On Linux the kernel ends a child whose parent was killed; elsewhere nothing does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def children_environ(addresses: Mapping[str, str]) -> dict[str, str]:
    """What every child is told about the exchange; the rest is inherited."""
    return {
        **os.environ,
        "COPYDESK_ENV": "demo",
        "DEFAULT_MARKET": "simulator",
        "SIMULATOR_REST_URL": addresses["rest"],
        "SIMULATOR_WS_URL": addresses["ws"],
        "SIMULATOR_CONTROL_URL": addresses["control"],
        "PYTHONUNBUFFERED": "1",
    }
