"""One process: two listening ports, the market's heartbeat, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from trading.simulator import control, control_scenario, opening, rest, websocket
from trading.simulator.clock import Clock
from trading.simulator.connection import Connection
from trading.simulator.exchange import Exchange
from trading.simulator.faults import Faults
from trading.simulator.hub import Hub
from trading.simulator.ledger import Ledger
from trading.simulator.limits import Limiter
from trading.simulator.market import Market
from trading.simulator.opening import Opening
from trading.simulator.received import LARGEST_BODY, Received
from trading.simulator.recording import Player
from trading.simulator.scenario_file import Scenario
from trading.simulator.state import HISTORY_KEPT
from trading.simulator.venue import Venue

_STEP_S: Final = 0.25
_REFRESH_S: Final = 0.1
_BACKLOG: Final = 4096
_PATIENCE_S: Final = 0.4
_LOOK_S: Final = 5
_MOMENT_S: Final = 0.02

WebHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Options:
    host: str
    port: int
    control_port: int
    accounts: tuple[Opening, ...]
    seed: int
    moving: bool
    limits: bool
    ledger: Path | None
    fsync: bool
    latency_ms: int
    speed: int = 1
    history: int = HISTORY_KEPT
    tls: Path | None = None
    tls_port: int = 0
    control_host: str = "127.0.0.1"
    control_token: str = ""
    scenario: Scenario | None = None
    recording: Path | None = None


def build(options: Options) -> Hub:
    clock = Clock()
    market = Market(options.seed, clock.ms(), speed=options.speed, moving=options.moving)
    ledger = Ledger(options.ledger, fsync=options.fsync)
    exchange = Exchange(clock, market, ledger, options.history)
    exchange.resume()
    for wanted in options.accounts:
        opening.open_account(exchange, wanted)
    limiter = Limiter(enabled=options.limits)
    venue = Venue(clock, market, ledger, exchange, limiter, Faults(options.seed))
    venue.latency_ms = options.latency_ms
    venue.control_token = options.control_token
    return Hub(venue)


async def serve(options: Options, ready: Callable[[dict[str, Any]], None]) -> None:
    """Listen, tell the addresses to `ready`, run until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    hub = build(options)
    await hub.venue.ledger.flush()
    doors = _Doors(hub)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(hub.venue.ledger.close)
        port = await doors.open(stack, options.host, options.port)
        control_port = await _listen_control(stack, hub, options)
        addresses = _addresses(options, port, control_port)
        if options.tls is not None:
            addresses["tls"] = await _listen_secured(stack, doors, options, options.tls)
        beats = [
            asyncio.ensure_future(_refresh(hub)),
            asyncio.ensure_future(_beat(hub, options)),
            asyncio.ensure_future(doors.expire()),
        ]
        ready(addresses)
        if options.scenario is not None:
            control_scenario.start(hub, options.scenario)
        await stopped.wait()
        for each in beats:
            each.cancel()
        await asyncio.gather(*(_say_goodbye(session) for session in list(hub.sessions)))


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether an error is one of this program, and not of a client that erred or left."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | ConnectionError)


def _addresses(options: Options, port: int, control_port: int) -> dict[str, Any]:
    return _doors(options.host, port, "") | {
        "control": f"http://{options.control_host}:{control_port}"
    }


def _doors(host: str, port: int, secured: str) -> dict[str, Any]:
    base = f"{host}:{port}"
    return {
        "rest": f"http{secured}://{base}",
        "ws": {name: f"ws{secured}://{base}/ws/v5/{name}" for name in websocket.URLS},
    }


async def _listen_secured(
    stack: contextlib.AsyncExitStack, doors: _Doors, options: Options, folder: Path
) -> dict[str, Any]:
    """The same two doors behind TLS, on a port of their own."""
    from trading.simulator import tls  # takes a while to load, and few need it

    context = tls.server_context(folder, options.host)
    port = await doors.open(stack, options.host, options.tls_port, context)
    authority = folder / tls.AUTHORITY
    return _doors(options.host, port, "s") | {"ca": str(authority.resolve())}


class _Doors:
    """Listening addresses of the exchange, and whoever is connected to them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._connections: set[Connection] = set()
        self._sockets = web.AppRunner(
            _application(_socket_handler(hub)), access_log=None, shutdown_timeout=_PATIENCE_S
        )

    async def open(
        self,
        stack: contextlib.AsyncExitStack,
        host: str,
        port: int,
        context: ssl.SSLContext | None = None,
    ) -> int:
        """The port it listens on."""
        if self._sockets.server is None:
            await self._sockets.setup()
            stack.push_async_callback(self._sockets.cleanup)
            stack.push_async_callback(self._finish)
        server = await asyncio.get_running_loop().create_server(
            self._connect, host, port, ssl=context, backlog=_BACKLOG, reuse_address=True
        )
        stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    def _connect(self) -> Connection:
        answer = partial(rest.handle, self._hub.venue)
        return Connection(answer, self._upgrade, self._connections)

    def _upgrade(self, received: Received) -> asyncio.Protocol | None:
        """WebSockets belong to aiohttp from their first byte on."""
        path = received.path.rstrip("/")
        is_socket = path.startswith("/ws/v5/") and path.rpartition("/")[2] in websocket.URLS
        server = self._sockets.server
        return server() if is_socket and server is not None else None

    async def expire(self) -> None:
        """Nobody holds a connection for ever without asking anything."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now = time.monotonic()
            for each in list(self._connections):
                each.expire(now)

    async def _finish(self) -> None:
        """Answers on their way still leave, within the usual patience."""
        for each in list(self._connections):
            each.stop()
        await asyncio.sleep(_MOMENT_S)
        if self._connections:
            await asyncio.sleep(_PATIENCE_S)
        for each in list(self._connections):
            each.drop()


def _application(handler: WebHandler) -> web.Application:
    application = web.Application(client_max_size=LARGEST_BODY)
    application.router.add_route("*", "/{path:.*}", handler)
    return application


def _socket_handler(hub: Hub) -> WebHandler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await websocket.handle(hub, request)

    return handler


def _control_handler(hub: Hub) -> WebHandler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await control.handle(hub, request)

    return handler


async def _listen_control(stack: contextlib.AsyncExitStack, hub: Hub, options: Options) -> int:
    application = _application(_control_handler(hub))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_PATIENCE_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(
        runner, options.control_host, options.control_port, reuse_address=True
    ).start()
    return int(runner.addresses[0][1])


async def _beat(hub: Hub, options: Options) -> None:
    exchange = hub.venue.exchange
    player = Player(exchange, options.recording) if options.recording else None
    while True:
        await asyncio.sleep(_STEP_S)
        exchange.tick(moving=options.moving)
        if player is not None:
            hub.prices_moved(player.play())
        hub.market_beat()
        await hub.venue.ledger.flush()


async def _refresh(hub: Hub) -> None:
    while True:
        await asyncio.sleep(_REFRESH_S)
        hub.refresh()


async def _say_goodbye(session: Any) -> None:
    with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
        await asyncio.wait_for(session.socket.close(code=1001), _PATIENCE_S)
