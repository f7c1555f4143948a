"""One HTTP request to OKX, signed, sent once, answered with an Answer.

One connection pool serves all accounts of an endpoint: credentials come with each request.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp
import orjson
from yarl import URL

from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.classify import Answer, NotSent
from trading.exchange.okx.encode import Body
from trading.exchange.okx.signing import seal_of, target_of, timestamp_of
from trading.exchange.types import Credentials, Endpoint


class Transport:
    """Belongs to one event loop. Nothing here retries, redirects or raises for a failed request."""

    def __init__(
        self, endpoint: Endpoint, *, connector_limit: int, timeout_s: float, clock: ExchangeClock
    ) -> None:
        self._endpoint = endpoint
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._clock = clock
        self._in_flight = asyncio.Semaphore(connector_limit)
        self._ssl = ssl.create_default_context()
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._headers = {"x-simulated-trading": "1"} if endpoint.simulated_header else {}

    async def get(
        self, path: str, params: dict[str, str], credentials: Credentials | None = None
    ) -> Answer:
        return await self._send("GET", target_of(path, params), b"", credentials)

    async def post(
        self,
        path: str,
        body: Body | list[Body],
        credentials: Credentials,
        *,
        exp_at_ms: int | None = None,
        not_after_ms: int | None = None,
    ) -> Answer:
        """Send a body once, unless its turn comes after `not_after_ms` of the exchange's clock."""
        extra = {"Content-Type": "application/json"}
        if exp_at_ms is not None:
            extra["expTime"] = str(exp_at_ms)
        return await self._send(
            "POST", target_of(path), orjson.dumps(body), credentials, extra, not_after_ms
        )

    async def aclose(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()
        self._session = None

    async def _send(
        self,
        method: str,
        target: str,
        body: bytes,
        credentials: Credentials | None,
        extra: dict[str, str] | None = None,
        not_after_ms: int | None = None,
    ) -> Answer:
        async with self._in_flight:
            if self._closed:
                return Answer(failure=NotSent("the client is closed"))
            if not_after_ms is not None and self._clock.now_ms() > not_after_ms:
                return Answer(failure=NotSent("too late to be accepted"))
            headers = self._headers | (extra or {})
            if credentials is not None:
                timestamp = timestamp_of(self._clock.now_ms())
                headers |= seal_of(credentials).headers(timestamp, method, target, body)
            return await self._exchange(method, target, body, headers)

    async def _exchange(
        self, method: str, target: str, body: bytes, headers: dict[str, Any]
    ) -> Answer:
        status: int | None = None
        try:
            async with self._open().request(
                method,
                URL(self._endpoint.rest + target, encoded=True),
                data=body or None,
                headers=headers,
                # A followed 307 would post the order a second time.
                allow_redirects=False,
            ) as response:
                status, text = response.status, await response.text()
        except Exception as failure:  # noqa: BLE001 - whatever happened, the caller must judge it
            return Answer(status=status, failure=failure)
        retry_after = response.headers.get("Retry-After", "")
        return Answer(status=status, body=text, retry_after=retry_after)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl),
                # Accounts share the pool; what OKX tells one must not travel with another.
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
            )
        return self._session
