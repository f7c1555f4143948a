"""One cell of the benchmark: a database, a delay, TLS or not, and the sides that meet there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fan.processes import Child
from benchmarks.fan.rounds import Competitor, Measured, Track
from benchmarks.fan.sides.terms import Terms
from benchmarks.fan.stores import Store, trusting
from trading.simulator.tls import AUTHORITY, server_context

TASKS_MOST = 200
POOL_QUICK = 300


@dataclass(frozen=True, slots=True)
class Cell:
    """What is the same for every side."""

    database: str
    accounts: int = 1000
    connections: int = 1000
    delay_ms: float = 50
    tls: bool = False
    cold: bool = False
    leverage: str = "known"
    executors: int = 0
    pool_accounts: int = 0

    def __str__(self) -> str:
        words = [
            self.database,
            "TLS" if self.tls else "no TLS",
            f"{self.accounts} accounts",
            f"{self.connections} connections",
            f"{self.delay_ms:g} ms",
            "cold pool" if self.cold else "warm pool",
            f"leverage {self.leverage}",
        ]
        return ", ".join(words + ([f"{self.executors} executors"] if self.executors else []))


@dataclass
class Hall:
    """The stub and the services of a run, and the cores that everybody gets."""

    stub: Child
    folder: Path
    store: Store
    redis: str
    services: list[int]
    cores: Sequence[int]
    say: Callable[[str], None]
    authority: str = field(init=False)

    def __post_init__(self) -> None:
        server_context(self.folder, "127.0.0.1")
        self.authority = str(self.folder / AUTHORITY)

    def track(self, cell: Cell) -> Track:
        return Track(self.stub, [*self.services, *self.store.pids], cell.delay_ms)

    @contextmanager
    def side(self, name: str, cell: Cell, accounts: int = 0) -> Iterator[Competitor]:
        """A side in its own process; `accounts` when it takes fewer than the others."""
        accounts = accounts or cell.accounts
        port = self.stub.ask("open", tls=cell.tls)["port"]
        rest = f"http{'s' if cell.tls else ''}://127.0.0.1:{port}"
        authority = self.authority if cell.tls else ""
        terms = Terms(
            rest,
            accounts,
            min(cell.connections, accounts),
            self.redis,
            cell.leverage,
            cell.executors,
        )
        environ = trusting(authority)
        if name.startswith("product"):
            environ = self.store.environ(accounts, self.redis, rest, authority)
        child = Child(
            "benchmarks.fan.sides",
            "executors" if name == "product" and cell.executors else name,
            json.dumps(asdict(terms)),
            cores=() if cell.executors else self.cores,
            environ=environ,
        )
        try:
            yield Competitor(name, child, port, accounts, warm=not cell.cold)
        finally:
            child.stop()


def run_cell(hall: Hall, cell: Cell, names: Sequence[str], rounds: int) -> list[Measured]:
    hall.say(f"-- {cell}: {', '.join(names)}")
    with ExitStack() as stack:
        sides = [
            stack.enter_context(hall.side(name, cell, _accounts(name, cell))) for name in names
        ]
        return hall.track(cell).run(sides, rounds, hall.say)


def _accounts(name: str, cell: Cell) -> int:
    """A task per order takes so long, and costs the same for each, that fewer tell as much."""
    if name == "tasks":
        return min(cell.accounts, TASKS_MOST)
    if name == "pool" and cell.pool_accounts:
        return cell.pool_accounts
    return cell.accounts


def ask_product(hall: Hall, cell: Cell, question: str, **said: Any) -> dict[str, Any]:
    """A fresh process of the product: one round, then the question."""
    with hall.side("product", cell) as side:
        side.pids = side.child.ask("ready")["pids"]
        track = hall.track(cell)
        hall.say(f"-- {question}, {cell}")
        for number in (0, 1):
            track.measure(side, number)
        return side.child.ask(question, **said)
