"""One HTTP request to OKX, signed by ccxt, sent once, answered with an Answer. Imports ccxt.

One ccxt instance and one connection pool serve all accounts of an endpoint: the credentials of a
call travel in a context variable and are on the instance only while `sign` runs.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import aiohttp
from ccxt.async_support.okx import okx as ccxt_okx

from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.classify import Answer, NotSent
from trading.exchange.types import Credentials, Endpoint

# ccxt logs request headers, secrets included, at debug level.
_silent = logging.getLogger("trading.exchange.silent")
_silent.disabled = True


@dataclass(slots=True)
class Call:
    """What one request needs on its way through ccxt, and what is noted on its way back."""

    credentials: Credentials | None
    exp_at_ms: int | None
    status: int | None = None
    body: str = ""
    retry_after: str = ""


_call: ContextVar[Call] = ContextVar("okx_call")


class Transport:
    """Belongs to one event loop. Nothing here retries, redirects or raises for a failed request."""

    def __init__(
        self, endpoint: Endpoint, *, connector_limit: int, timeout_s: float, clock: ExchangeClock
    ) -> None:
        self._endpoint = endpoint
        self._timeout_ms = int(timeout_s * 1000)
        self._clock = clock
        self._in_flight = asyncio.Semaphore(connector_limit)
        self._ssl = ssl.create_default_context()
        self._session: aiohttp.ClientSession | None = None
        self._ccxt: SignedOkx | None = None
        self._closed = False

    async def get(
        self, path: str, params: dict[str, Any], credentials: Credentials | None = None
    ) -> Answer:
        return await self._send("GET", path, params, Call(credentials, None))

    async def post(
        self,
        path: str,
        body: dict[str, Any],
        credentials: Credentials,
        *,
        exp_at_ms: int | None = None,
        not_after_ms: int | None = None,
    ) -> Answer:
        """Send a body once, unless its turn comes after `not_after_ms` of the exchange's clock."""
        return await self._send("POST", path, body, Call(credentials, exp_at_ms), not_after_ms)

    async def aclose(self) -> None:
        self._closed = True
        if self._ccxt is not None:
            await self._ccxt.close()
        if self._session is not None:
            await self._session.close()
        self._ccxt = self._session = None

    async def _send(
        self,
        method: str,
        path: str,
        params: dict[str, Any],
        call: Call,
        not_after_ms: int | None = None,
    ) -> Answer:
        async with self._in_flight:
            if self._closed:
                return Answer(failure=NotSent("the client is closed"))
            if not_after_ms is not None and self._clock.now_ms() > not_after_ms:
                return Answer(failure=NotSent("too late to be accepted"))
            return await self._exchange(method, path, params, call)

    async def _exchange(self, method: str, path: str, params: dict[str, Any], call: Call) -> Answer:
        section = "private" if call.credentials else "public"
        token = _call.set(call)
        try:
            await self._open().request(path, [section], method, params)
        except Exception as failure:  # noqa: BLE001 - whatever happened, the caller must judge it
            if call.status is None:
                return Answer(failure=failure)
        finally:
            _call.reset(token)
        return Answer(status=call.status, body=call.body, retry_after=call.retry_after)

    def _open(self) -> SignedOkx:
        if self._ccxt is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl),
                # Accounts share the pool; what OKX tells one must not travel with another.
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            self._ccxt = self._sign_with(OneTry(self._session))
        return self._ccxt

    def _sign_with(self, session: OneTry) -> SignedOkx:
        exchange = SignedOkx(
            {
                "session": session,
                "enableRateLimit": False,
                "timeout": self._timeout_ms,
                "headers": {"x-simulated-trading": "1"} if self._endpoint.simulated_header else {},
                "options": {"maxRetriesOnFailure": 0, "createOrder": "privatePostTradeOrder"},
            }
        )
        exchange.clock = self._clock
        exchange.logger = _silent
        exchange.ssl_context = self._ssl
        exchange.timeout_on_exit = 0
        exchange.urls["api"] = {"rest": self._endpoint.rest}
        return exchange


class OneTry:
    """The face of an aiohttp session that ccxt uses, never following a redirect.

    A followed 307 would post the order a second time.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.headers = session.headers

    def get(self, url: Any, **options: Any) -> Any:
        return self._session.get(url, **options, allow_redirects=False)

    def post(self, url: Any, **options: Any) -> Any:
        return self._session.post(url, **options, allow_redirects=False)


class SignedOkx(ccxt_okx):  # type: ignore[misc]
    """ccxt's signature and HTTP with our credentials, deadline and clock, without its verdicts."""

    clock: ExchangeClock

    def sign(
        self, path: str, api: Any = "public", method: str = "GET", params: Any = None
    ) -> dict[str, Any]:
        call = _call.get()
        credentials = call.credentials
        try:
            if credentials is not None:
                self.apiKey = credentials.api_key
                self.secret = credentials.secret
                self.password = credentials.passphrase
            signed: dict[str, Any] = super().sign(path, api, method, dict(params or {}))
        finally:
            self.apiKey = self.secret = self.password = ""
        if call.exp_at_ms is not None:
            signed["headers"]["expTime"] = str(call.exp_at_ms)
        return signed

    def nonce(self) -> int:
        return self.clock.now_ms()

    def on_rest_response(
        self, code: int, _reason: Any, _url: Any, _method: Any, headers: Any, body: str, *_: Any
    ) -> str:
        call = _call.get()
        call.status, call.body = code, body
        call.retry_after = headers.get("Retry-After", "")
        return body

    def parse_json(self, _body: Any) -> None:
        """Left to the reader of the Answer."""

    def handle_errors(self, *_: Any) -> None:
        """Left to the reader of the Answer: ccxt's exception classes do not tell what happened."""

    def handle_http_status_code(self, *_: Any) -> None:
        """Left to the reader of the Answer."""
