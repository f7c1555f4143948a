"""Rounds: every side once, in an order by lot, judged by the exchange's ledger."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fan.processes import Child, cpu_of_all

OPENING_MS = 300
SETTLE_S = 0.1
ARRIVE_S = 120


@dataclass
class Competitor:
    """A side with its process and its own port at the stub."""

    name: str
    child: Child
    port: int
    orders: int
    warm: bool = True
    pids: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measured:
    """One side in one round; `void` says why it does not count."""

    side: str
    number: int
    orders: int
    time_ms: float
    arrival_ms: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    services_us: float
    stub_us: float
    void: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.orders / self.time_ms * 1000

    @property
    def is_stub_bound(self) -> bool:
        return self.stub_us * self.orders > self.time_ms * 500


class Track:
    """One stub and what runs against it. `services`: databases and brokers that cost time too."""

    def __init__(self, stub: Child, services: Sequence[int], delay_ms: float) -> None:
        self._stub, self._services, self._delay_ms = stub, services, delay_ms

    def run(
        self, sides: Iterable[Competitor], rounds: int, say: Callable[[str], None]
    ) -> list[Measured]:
        """All rounds but the first, which warms everybody up."""
        listed = list(sides)
        for side in listed:
            side.pids = side.child.ask("ready")["pids"]
        measured: list[Measured] = []
        for number in range(rounds + 1):
            random.shuffle(listed)
            for side in listed:
                one = self.measure(side, number)
                say(line_of(one))
                if number:
                    measured.append(one)
        return measured

    def measure(self, side: Competitor, number: int) -> Measured:
        self._prepare(side, number)
        stub_cpu = cpu_of_all([self._stub.pid])
        services_cpu = cpu_of_all(self._services)
        cpu = cpu_of_all(side.pids)
        told = side.child.ask("go", number=number)
        if "ended_ns" not in told:
            self._wait_for(side)
        cpu = cpu_of_all(side.pids) - cpu
        services_cpu = cpu_of_all(self._services) - services_cpu
        stub_cpu = cpu_of_all([self._stub.pid]) - stub_cpu
        ledger = self._stub.ask("take", port=side.port)
        return _judged(side, number, told, ledger, (cpu, services_cpu, stub_cpu))

    def _prepare(self, side: Competitor, number: int) -> None:
        """Connections are opened by calls that all wait at once, so that none is used twice."""
        self._stub.ask("delay", port=side.port, ms=OPENING_MS)
        side.child.ask("prepare", number=number)
        time.sleep(SETTLE_S + OPENING_MS / 1000)
        self._stub.ask("delay", port=side.port, ms=self._delay_ms)
        if not side.warm:
            self._stub.ask("drop", port=side.port)
            time.sleep(SETTLE_S)
        self._stub.ask("take", port=side.port)

    def _wait_for(self, side: Competitor) -> None:
        until = time.monotonic() + ARRIVE_S
        while time.monotonic() < until:
            if self._stub.ask("count", port=side.port)["orders"] >= side.orders:
                break
            time.sleep(0.01)
        time.sleep(SETTLE_S + self._delay_ms / 1000)


def _judged(
    side: Competitor,
    number: int,
    told: Mapping[str, Any],
    ledger: Mapping[str, Any],
    cpu: tuple[int, int, int],
) -> Measured:
    began, orders = told["began_ns"], side.orders
    # Where some accounts are ill, the time is that of the others.
    replied = sorted(ledger["healthy_ns"]) or [began]
    waited = [(at - began) / 1e6 for at in replied]
    arrived = ledger["arrived_ns"] or [began]
    return Measured(
        side=side.name,
        number=number,
        orders=orders,
        time_ms=waited[-1],
        arrival_ms=(arrived[-1] - began) / 1e6,
        p50_ms=waited[len(waited) // 2],
        p99_ms=waited[int(len(waited) * 0.99)],
        cpu_us=cpu[0] / 1000 / orders,
        services_us=cpu[1] / 1000 / orders,
        stub_us=cpu[2] / 1000 / orders,
        void=void_because(orders, ledger),
        more={"new_connections": ledger["connections"]}
        | {"recorded_ms": (told["ended_ns"] - began) / 1e6 if "ended_ns" in told else None},
    )


def void_because(orders: int, ledger: Mapping[str, Any]) -> str:
    """Why a round does not count, or nothing: the ledger must hold each order once."""
    accepted = ledger["orders"] + ledger["refused"]
    found = {
        f"{ledger['bad_signatures']} signatures were wrong": ledger["bad_signatures"],
        f"{ledger['doubled']} orders came twice": ledger["doubled"],
        f"{ledger['expired']} orders came too late": ledger["expired"],
        f"{accepted} of {orders} orders arrived": accepted != orders,
        f"{ledger['orders']} orders of {ledger['accounts']} accounts": ledger["accounts"]
        != ledger["orders"],
        "an answer was not sent": 0 in ledger["replied_ns"],
    }
    return "; ".join(words for words, is_so in found.items() if is_so)


def line_of(one: Measured) -> str:
    text = (
        f"round {one.number} {one.side:18} {one.time_ms:8.1f} ms {one.per_second:8.0f}/s"
        f" p50 {one.p50_ms:7.1f} p99 {one.p99_ms:7.1f} CPU {one.cpu_us:6.0f}"
        f" + {one.services_us:4.0f} us, stub {one.stub_us:3.0f} us"
    )
    if one.number == 0:
        text += "  (warm-up)"
    if one.is_stub_bound:
        text += "  stub-bound"
    return text + (f"  VOID: {one.void}" if one.void else "")
