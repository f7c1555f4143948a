"""The product's sockets at OKX: private streams of accounts, and one public stream per market."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import aiohttp

from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.constants import CONNECTIONS_PER_SECOND
from trading.exchange.okx.encode import instrument_type
from trading.exchange.okx.socket import Argument, Dialogue, OkxSocket, SocketTimes
from trading.exchange.streams import OnEvent
from trading.exchange.turns import Turns
from trading.exchange.types import Credentials, Endpoint, InstrumentType

# Otherwise OKX repeats everything each five seconds, to every account.
_EVENTS_ONLY = '{"updateInterval":"0"}'
_PRIVATE_ARGUMENTS: list[Argument] = [
    {"channel": "orders", "instType": "ANY"},
    {"channel": "positions", "instType": "ANY", "extraParams": _EVENTS_ONLY},
    {"channel": "account", "extraParams": _EVENTS_ONLY},
]
_STOP_ARGUMENTS: list[Argument] = [{"channel": "orders-algo", "instType": "ANY"}]
# Connections that were begun evenly arrive unevenly, and one too many is refused.
SPARE = 1.1
# What is traded must be heard before what protects it is.
_FIRST, _AFTERWARDS = 0, 1


class SocketPool:
    """What the sockets of one endpoint share: an HTTP session apart from the orders', and a pace.

    One per process and event loop. OKX counts new connections per address.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connections_per_second: float = CONNECTIONS_PER_SECOND,
        clock: ExchangeClock | None = None,
        times: SocketTimes | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.clock = clock or ExchangeClock()
        self.times = times or SocketTimes()
        self._turns = Turns(connections_per_second / SPARE)
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self.times.connect),
            )
        return self._session

    def private(self, credentials: Credentials, *, on_event: OnEvent) -> PrivateStream:
        """Orders, positions and balance of one account."""
        return PrivateStream(
            self, credentials, self.endpoint.ws_private, _PRIVATE_ARGUMENTS, on_event=on_event
        )

    def stops(self, credentials: Credentials, *, on_event: OnEvent) -> PrivateStream:
        """Take profits and stop losses of one account, which OKX tells at another address."""
        return PrivateStream(
            self,
            credentials,
            self.endpoint.ws_business,
            _STOP_ARGUMENTS,
            on_event=on_event,
            rank=_AFTERWARDS,
        )

    def public(
        self,
        inst_ids: Iterable[str],
        *,
        inst_types: Iterable[InstrumentType] = (),
        on_event: OnEvent,
    ) -> PublicStream:
        return PublicStream(self, inst_ids, inst_types=inst_types, on_event=on_event)

    def set_pace(self, connections_per_second: float) -> None:
        """From the next connection on."""
        self._turns.set_pace(connections_per_second / SPARE)

    async def pace(self, rank: int = _FIRST) -> None:
        """Wait for this connection's turn; those of a lower rank come first."""
        await self._turns.wait(rank)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class PrivateStream:
    """One account's channels at one address. It lives only while it has all of them."""

    def __init__(
        self,
        pool: SocketPool,
        credentials: Credentials,
        url: str,
        arguments: Sequence[Argument],
        *,
        on_event: OnEvent,
        rank: int = _FIRST,
    ) -> None:
        self._credentials = credentials
        self._clock = pool.clock
        dialogue = Dialogue(
            url=url,
            headers=_headers(pool.endpoint),
            arguments=lambda: list(arguments),
            login=self._login,
            all_channels_needed=True,
        )
        self._socket = _socket(pool, dialogue, on_event, rank)

    async def run(self) -> None:
        await self._socket.run()

    async def aclose(self) -> None:
        await self._socket.aclose()

    def _login(self) -> dict[str, Any]:
        seconds = str(self._clock.now_ms() // 1000)
        text = f"{seconds}GET/users/self/verify"
        digest = hmac.new(self._credentials.secret.encode(), text.encode(), hashlib.sha256)
        argument = {
            "apiKey": self._credentials.api_key,
            "passphrase": self._credentials.passphrase,
            "timestamp": seconds,
            "sign": base64.b64encode(digest.digest()).decode(),
        }
        return {"op": "login", "args": [argument]}


class PublicStream:
    """Tickers and mark prices of the given instruments, listings of the given types."""

    def __init__(
        self,
        pool: SocketPool,
        inst_ids: Iterable[str],
        *,
        inst_types: Iterable[InstrumentType] = (),
        on_event: OnEvent,
    ) -> None:
        self._inst_ids = set(inst_ids)
        self._inst_types = tuple(inst_types)
        dialogue = Dialogue(
            url=pool.endpoint.ws_public,
            headers=_headers(pool.endpoint),
            arguments=self._arguments,
            login=None,
            all_channels_needed=False,
        )
        self._socket = _socket(pool, dialogue, on_event)

    async def run(self) -> None:
        await self._socket.run()

    async def watch(self, inst_ids: Iterable[str]) -> None:
        """Follow exactly these instruments from here on."""
        wanted = set(inst_ids)
        added, gone = wanted - self._inst_ids, self._inst_ids - wanted
        self._inst_ids = wanted
        if gone:
            await self._socket.send({"op": "unsubscribe", "args": _prices(gone)})
        if added:
            await self._socket.send({"op": "subscribe", "args": _prices(added)})

    async def aclose(self) -> None:
        await self._socket.aclose()

    def _arguments(self) -> list[Argument]:
        listings = [
            {"channel": "instruments", "instType": instrument_type(inst_type)}
            for inst_type in self._inst_types
        ]
        return listings + _prices(self._inst_ids)


def _prices(inst_ids: Iterable[str]) -> list[Argument]:
    return [
        {"channel": channel, "instId": inst_id}
        for inst_id in sorted(inst_ids)
        for channel in ("tickers", "mark-price")
    ]


def _headers(endpoint: Endpoint) -> dict[str, str]:
    return {"x-simulated-trading": "1"} if endpoint.simulated_header else {}


def _socket(
    pool: SocketPool, dialogue: Dialogue, on_event: OnEvent, rank: int = _FIRST
) -> OkxSocket:
    return OkxSocket(
        dialogue,
        session=pool.session,
        pace=partial(pool.pace, rank),
        on_event=on_event,
        times=pool.times,
    )
