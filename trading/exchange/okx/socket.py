"""One OKX socket kept alive: connect, log in, subscribe, listen, ping, and again after a fall."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from trading.exchange.errors import MalformedReport
from trading.exchange.okx.constants import ARGUMENTS_PER_SUBSCRIBE, PING_AFTER_S, PONG_WITHIN_S
from trading.exchange.okx.pushes import PushReader, malformed
from trading.exchange.streams import OnEvent, StreamEvent, StreamState, StreamStatus

logger = logging.getLogger(__name__)

Argument = dict[str, str]

# Waiting for this key or address to be fixed is a matter of minutes, not of seconds.
_AUTH_CODES = frozenset(
    {"60005", "60007", "60009", "60011", "60020", "60022", "60024", "60032", "50100", "50101"}
    | {"50105", "50110", "50111", "50113", "50114", "50119"}
    | {"4001", "4007"}
)
_UPGRADE = "64008"
_MAX_MESSAGE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SocketTimes:
    """Seconds. Tests shorten them."""

    connect: float = 10
    answer: float = 10
    ping_after: float = PING_AFTER_S
    pong_within: float = PONG_WITHIN_S
    backoff_first: float = 0.5
    backoff_most: float = 30
    auth_retry: float = 60


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What is particular to one socket: where it goes and what it asks for."""

    url: str
    headers: dict[str, str]
    arguments: Callable[[], list[Argument]]
    login: Callable[[], dict[str, Any]] | None
    # A public socket lives with one refused instrument; a private one must have all channels.
    all_channels_needed: bool


class Lost(Exception):  # noqa: N818 - says what happened
    """This connection is over."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class OkxSocket:
    """Runs until aclose(). An exception of `on_event` is not ours to hide: it ends run()."""

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        session: aiohttp.ClientSession,
        pace: Callable[[], Any],
        on_event: OnEvent,
        times: SocketTimes,
    ) -> None:
        self._dialogue = dialogue
        self._session = session
        self._pace = pace
        self._on_event = on_event
        self._times = times
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def run(self) -> None:
        self._task = asyncio.create_task(self._keep_connected())
        try:
            await self._task
        except asyncio.CancelledError:
            if not self._closed:
                raise

    async def aclose(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def send(self, payload: dict[str, Any]) -> None:
        """Send now if connected; a new connection asks for everything by itself."""
        if self._socket is not None and not self._socket.closed:
            await self._socket.send_str(json.dumps(payload))

    async def _keep_connected(self) -> None:
        while not self._closed:
            try:
                await self._connection()
            except Lost as lost:
                await self._report(lost)
                await asyncio.sleep(self._pause(lost))

    async def _connection(self) -> None:
        """One connection from start to its end, which is always Lost."""
        await self._pace()
        try:
            async with self._session.ws_connect(
                self._dialogue.url,
                headers=self._dialogue.headers,
                timeout=aiohttp.ClientWSTimeout(ws_close=1),
                max_msg_size=_MAX_MESSAGE,
            ) as socket:
                self._socket = socket
                await self._status(StreamState.CONNECTED)
                await self._converse(socket)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Lost(f"{type(error).__name__}: {error}") from error
        finally:
            self._socket = None

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        reader = PushReader()
        if self._dialogue.login is not None:
            await socket.send_str(json.dumps(self._dialogue.login()))
            await self._answers(socket, reader, {"login"}, 1)
        arguments = self._dialogue.arguments()
        for start in range(0, len(arguments), ARGUMENTS_PER_SUBSCRIBE):
            part = arguments[start : start + ARGUMENTS_PER_SUBSCRIBE]
            await socket.send_str(json.dumps({"op": "subscribe", "args": part}))
        await self._answers(socket, reader, {"subscribe"}, len(arguments))
        self._failures = 0
        await self._status(StreamState.SUBSCRIBED)
        while True:
            await self._next(socket, reader)

    async def _answers(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        reader: PushReader,
        wanted: set[str],
        count: int,
    ) -> None:
        """Deliver what comes until `count` requests are answered."""
        async with asyncio.timeout(self._times.answer):
            while count > 0:
                event = await self._next(socket, reader)
                if event in wanted or event == "error":
                    count -= 1

    async def _next(self, socket: aiohttp.ClientWebSocketResponse, reader: PushReader) -> str:
        """Handle one message; the name of its event, "" for a push."""
        text = await self._receive(socket)
        if text == "pong":
            return ""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            await self._deliver(malformed(MalformedReport("push", "not an object"), "", text))
            return ""
        if "event" in message:
            return self._event(message)
        for event in reader.read(message):
            await self._deliver(event)
        return ""

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        """The next text. Silence is answered with a ping, silence after that is the end."""
        try:
            message = await socket.receive(timeout=self._times.ping_after)
        except TimeoutError:
            await socket.send_str("ping")
            message = await socket.receive(timeout=self._times.pong_within)
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            raise Lost("a binary message")
        code = socket.close_code
        raise Lost(f"closed: {message.extra or message.data or ''}", "" if not code else str(code))

    def _event(self, message: dict[str, Any]) -> str:
        event = str(message["event"])
        code, words = str(message.get("code", "")), str(message.get("msg", ""))[:200]
        if event == "notice" and code == _UPGRADE:
            raise Lost("service upgrade", code)
        if event == "channel-conn-count-error":
            raise Lost("too many connections of this channel", code)
        if event == "login" and code not in ("", "0"):
            raise Lost(words, code)
        if event == "error":
            if self._dialogue.all_channels_needed:
                raise Lost(words, code)
            logger.warning("Refused by the socket: %s %s", code, words)
        return event

    async def _report(self, lost: Lost) -> None:
        logger.info("A socket ended: %s %s", lost.code, lost.reason)
        refused = lost.code in _AUTH_CODES
        state = StreamState.AUTH_FAILED if refused else StreamState.DISCONNECTED
        await self._status(state, lost.reason, lost.code)

    async def _status(self, state: StreamState, reason: str = "", code: str = "") -> None:
        await self._deliver(StreamStatus(state, reason, code))

    async def _deliver(self, event: StreamEvent) -> None:
        try:
            await self._on_event(event)
        except (aiohttp.ClientError, OSError) as error:
            # Not to be taken for a fault of this socket.
            raise RuntimeError("the consumer of a stream failed") from error

    def _pause(self, lost: Lost) -> float:
        jitter = random.uniform(0.5, 1)  # noqa: S311 - spreads reconnects, guards nothing
        if lost.code in _AUTH_CODES:
            return self._times.auth_retry * jitter
        if lost.code == _UPGRADE:
            return 0
        pause = min(self._times.backoff_most, self._times.backoff_first * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return pause * jitter
