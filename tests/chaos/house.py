"""The product's processes: started together, started again when they die, stopped at the end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.demo.processes import Child, Household, children_environ, free_port

CELERY = (sys.executable, "-m", "celery", "-A", "config")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning")
DAPHNE_LIMITS = ("--websocket-max-message-size", "16384", "--websocket-max-frame-size", "16384")
REST_S = 0.5


@dataclass
class House:
    """Who lives here, who died when, and the file that tells the workers where to die next."""

    folder: Path
    household: Household
    addresses: Mapping[str, str]
    seed: int = 0
    deaths: dict[str, int] = field(default_factory=dict)
    # When somebody died, or an outage ended, on this machine's clock.
    disturbed_at: list[float] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)
    resting: set[str] = field(default_factory=set)
    thread: threading.Thread | None = None
    web_port: int = 0
    stops: int = 0

    @property
    def faults(self) -> Path:
        return self.folder / "faults"

    @property
    def webhook(self) -> str:
        return f"http://127.0.0.1:{self.web_port}/hooks/"

    def start(self, workers: int, doubles: bool = False) -> None:
        self.arm("")
        python = sys.executable
        self.web_port = free_port()
        daphne = (python, "-m", "daphne", "-p", str(self.web_port), *DAPHNE_LIMITS)
        self._start("web", *daphne, "config.asgi:application")
        for number in range(1, workers + 1):
            queues = "default,executor" if number == 1 else "executor"
            self._start(
                f"worker{number}",
                *(*CELERY, "worker", "-P", "threads", "-c", "8", "-Q", queues),
                *("-n", f"worker{number}@%h", *QUIET),
            )
        for end in ("", "2") if doubles else ("",):
            self._start(f"streams{end}", python, "manage.py", "run_streams")
            self._start(f"beat{end}", *CELERY, "beat", "-l", "warning", "--pidfile", "")
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.leaving.set()
        if self.thread is not None:
            self.thread.join()
        for child in self.household.children:
            if child.is_running() and child.process is not None:
                child.process.send_signal(signal.SIGCONT)
        self.household.stop()

    def arm(self, faults: str) -> None:
        """From now on the product's processes die (or stop) at these points; "" ends it."""
        beside = self.faults.with_suffix(".new")
        beside.write_text(faults)
        beside.rename(self.faults)

    def child(self, name: str) -> Child:
        return next(child for child in self.household.children if child.name == name)

    def workers(self) -> list[str]:
        return [c.name for c in self.household.children if c.name.startswith("worker")]

    def signal(self, name: str, number: signal.Signals) -> bool:
        child = self.child(name)
        if child.process is None or not child.is_running():
            return False
        child.process.send_signal(number)
        return True

    def kill(self, name: str) -> bool:
        return self.signal(name, signal.SIGKILL)

    def is_stopped(self, name: str) -> bool:
        process = self.child(name).process
        if process is None:
            return False
        try:
            stat = Path(f"/proc/{process.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rsplit(")", 1)[1].split()[0] == "T"

    @property
    def kills(self) -> int:
        return sum(self.deaths.values()) + self.stops

    def note_end(self) -> None:
        """A disturbance ends now: whoever recovers, recovers from here."""
        self.disturbed_at.append(time.time())

    def _start(self, name: str, *command: str) -> None:
        child = Child(name, command, self._environ(name), self.folder / f"{name}.log")
        self.household.children.append(child)
        child.start()

    def _environ(self, name: str) -> dict[str, str]:
        """Every life of a process draws its own deaths, the same for the same seed."""
        life = f"{self.seed} {name} {self.deaths.get(name, 0)}"
        return {**self.household.environ, "COPYDESK_FAULTS_SEED": life}

    def _watch(self) -> None:
        while not self.leaving.wait(0.05):
            for child in self.household.children:
                if child.name not in self.resting and not child.is_running():
                    self._start_again(child)

    def _start_again(self, child: Child) -> None:
        self.deaths[child.name] = self.deaths.get(child.name, 0) + 1
        self.disturbed_at.append(time.time())
        child.environ = self._environ(child.name)
        if not self.leaving.wait(REST_S):
            child.start()


def open_house(folder: Path, environ: Mapping[str, str], seed: int) -> House:
    """The exchange is up; nobody else lives here yet."""
    folder.mkdir(parents=True, exist_ok=True)
    household = Household(folder, dict(os.environ))
    addresses = household.start_simulator(folder / "ledger.jsonl", seed)
    household.environ = {
        **children_environ(addresses),
        # So many faults would open every breaker; their own tests see to them.
        "BREAKER_FEWEST_SENDS": "1000000",
        "BREAKER_REJECTS_IN_A_ROW": "1000000",
        "BREAKER_REJECTS_A_MINUTE": "1000000",
        "BREAKER_UNRESOLVED": "1000000",
        "LIMIT_ACCOUNT_SENDS": "1000",
        **environ,
        "COPYDESK_ENABLE_FAULTS": "1",
        "COPYDESK_FAULTS": f"@{folder / 'faults'}",
    }
    return House(folder, household, addresses, seed)


def poll(is_so: Callable[[], Any], seconds: float, every: float = 0.1) -> bool:
    """Wait until it is so; False when it was not in time."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
