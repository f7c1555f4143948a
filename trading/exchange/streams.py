"""What the sockets tell, and the shape of a socket's owner."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from trading.exchange.algos import AlgoReport
from trading.exchange.errors import MalformedReport
from trading.exchange.types import (
    BalanceReport,
    InstrumentReport,
    MarkPriceReport,
    OrderReport,
    PositionReport,
    TickerReport,
)


class StreamState(StrEnum):
    CONNECTED = "connected"  # the socket is open
    SUBSCRIBED = "subscribed"  # every channel is confirmed: nothing from here on is missed
    DISCONNECTED = "disconnected"  # what happens until SUBSCRIBED must be read over REST
    AUTH_FAILED = "auth_failed"  # the credentials were refused; the next try is slow


@dataclass(frozen=True, slots=True)
class StreamStatus:
    state: StreamState
    reason: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    report: OrderReport


@dataclass(frozen=True, slots=True)
class AlgoEvent:
    """A take profit or stop loss came, changed or ended. No snapshot comes before these."""

    report: AlgoReport


@dataclass(frozen=True, slots=True)
class PositionsEvent:
    """A snapshot is complete: positions missing from it are closed. Otherwise only what changed."""

    reports: tuple[PositionReport, ...]
    snapshot: bool


@dataclass(frozen=True, slots=True)
class BalanceEvent:
    report: BalanceReport
    snapshot: bool


@dataclass(frozen=True, slots=True)
class TickerEvent:
    report: TickerReport


@dataclass(frozen=True, slots=True)
class MarkPriceEvent:
    report: MarkPriceReport


@dataclass(frozen=True, slots=True)
class InstrumentsEvent:
    reports: tuple[InstrumentReport, ...]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A push that could not be read. The stream goes on."""

    error: MalformedReport
    channel: str
    excerpt: str


StreamEvent = (
    StreamStatus
    | OrderEvent
    | AlgoEvent
    | PositionsEvent
    | BalanceEvent
    | TickerEvent
    | MarkPriceEvent
    | InstrumentsEvent
    | Malformed
)
# Awaited in order of arrival; while it runs the socket is not read, so it should only enqueue.
OnEvent = Callable[[StreamEvent], Awaitable[None]]


class Stream(Protocol):
    async def run(self) -> None:
        """Connect, subscribe, deliver, reconnect: until aclose() or cancellation."""
        ...

    async def aclose(self) -> None: ...
