"""Everything one running simulator holds, shared by REST, WebSocket and control."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from trading.simulator.algo_engine import AlgoEngine
from trading.simulator.announcements import Announcement
from trading.simulator.clock import Clock
from trading.simulator.codes import OkxError
from trading.simulator.countdown import Countdowns
from trading.simulator.exchange import Exchange
from trading.simulator.faults import Faults
from trading.simulator.ledger import Ledger
from trading.simulator.limits import Limiter
from trading.simulator.market import Market


@dataclass(slots=True)
class Venue:
    clock: Clock
    market: Market
    ledger: Ledger
    exchange: Exchange
    limiter: Limiter
    faults: Faults
    latency_ms: int = 0
    control_token: str = ""
    ws_idle_s: int = 30
    background: set[asyncio.Task[None]] = field(default_factory=set)
    announcements: list[Announcement] = field(default_factory=list)
    algos: AlgoEngine = field(init=False)
    countdowns: Countdowns = field(init=False)

    def __post_init__(self) -> None:
        self.algos = AlgoEngine(self.exchange)
        self.countdowns = Countdowns(self.exchange)

    def later(self, work: Any) -> None:
        """Run a coroutine beside the request that started it."""
        task = asyncio.ensure_future(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)


@dataclass(frozen=True, slots=True)
class Answer:
    """The envelope; `timed` answers carry the gateway times of order endpoints."""

    data: list[Any]
    code: str = "0"
    msg: str = ""
    http: int = 200
    timed: bool = False

    def body(self, in_us: int, out_us: int) -> dict[str, Any]:
        made: dict[str, Any] = {"code": self.code, "data": self.data, "msg": self.msg}
        if self.timed:
            made["inTime"], made["outTime"] = str(in_us), str(out_us)
        return made


def refusal(error: OkxError) -> Answer:
    return Answer([], error.code, error.message, error.http)
