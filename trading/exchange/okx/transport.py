"""One HTTP request to OKX, signed, sent once, answered with an Answer.

One connection pool serves all accounts of an endpoint: credentials come with each request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache

from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.classify import Answer, NotSent
from trading.exchange.okx.pool import Pool, PoolTimes
from trading.exchange.okx.signing import seal_of, stamp_of, target_of
from trading.exchange.types import Credentials, Endpoint

logger = logging.getLogger(__name__)

CONNECT_S = 3.0


class Transport:
    """Belongs to one event loop. Nothing here retries, redirects or raises for a failed request."""

    def __init__(
        self, endpoint: Endpoint, *, connector_limit: int, timeout_s: float, clock: ExchangeClock
    ) -> None:
        times = PoolTimes(connect_s=min(CONNECT_S, timeout_s), answer_s=timeout_s)
        self._clock = clock
        self._answer_s = timeout_s
        self._pool = Pool(endpoint.rest, limit=connector_limit, times=times)
        demo = "x-simulated-trading: 1\r\n" if endpoint.simulated_header else ""
        self._fields = f"Host: {self._pool.host}\r\nUser-Agent: copydesk\r\n{demo}"
        self._heads = lru_cache(64)(self._head)

    async def get(
        self, path: str, params: dict[str, str], credentials: Credentials | None = None
    ) -> Answer:
        target = target_of(path, params)
        head = f"GET {target} HTTP/1.1\r\n{self._fields}".encode()
        return await self._answer_to(
            lambda done: Request(self, head, b"GET" + target.encode(), credentials, done)
        )

    async def post(
        self,
        path: str,
        body: bytes,
        credentials: Credentials,
        *,
        exp_at_ms: int | None = None,
        not_after_ms: int | None = None,
    ) -> Answer:
        """Send a body once. `exp_at_ms` goes out with it; after `not_after_ms` of the exchange's
        clock it does not go at all."""
        return await self._answer_to(
            lambda done: self._posted(path, body, credentials, exp_at_ms, not_after_ms, done)
        )

    def start(
        self,
        path: str,
        body: bytes,
        credentials: Credentials,
        exp_at_ms: int,
        not_after_ms: int,
        done: Callable[[Answer], None],
    ) -> Request:
        """Send without waiting. `done` is called exactly once, maybe at once."""
        request = self._posted(path, body, credentials, exp_at_ms, not_after_ms, done)
        self._pool.submit(request)
        return request

    def give_up(self, request: Request) -> None:
        """Have it answered now; harmless for one that was."""
        self._pool.abandon(request)

    async def warm(self, connections: int) -> int:
        return await self._pool.warm(connections)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _answer_to(self, make: Callable[[Callable[[Answer], None]], Request]) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(given: Answer) -> None:
            if not answer.done():
                answer.set_result(given)

        request = make(done)
        self._pool.submit(request)
        try:
            return await answer
        except asyncio.CancelledError:
            self._pool.abandon(request)
            raise

    def _posted(
        self,
        path: str,
        body: bytes,
        credentials: Credentials,
        exp_at_ms: int | None,
        not_after_ms: int | None,
        done: Callable[[Answer], None],
    ) -> Request:
        head, what = self._heads(path)
        return Request(
            self,
            head,
            what,
            credentials,
            done,
            body=body,
            exp_at_ms=exp_at_ms,
            not_after_ms=not_after_ms,
        )

    def _head(self, path: str) -> tuple[bytes, bytes]:
        target = target_of(path)
        head = f"POST {target} HTTP/1.1\r\n{self._fields}Content-Type: application/json\r\n"
        return head.encode(), b"POST" + target.encode()

    def now_ms(self) -> int:
        return self._clock.now_ms()

    @property
    def patience_s(self) -> float:
        return self._answer_s


class Request:
    """An errand: signed at the moment it is written, when the time is known."""

    __slots__ = (
        *("_body", "_credentials", "_done", "_exp_at_ms", "_head", "_not_after_ms"),
        *("_transport", "_what", "asks", "until"),
    )

    def __init__(  # noqa: PLR0913 - made for every order: no object more than needed
        self,
        transport: Transport,
        head: bytes,
        what: bytes,
        credentials: Credentials | None,
        done: Callable[[Answer], None],
        *,
        body: bytes | None = None,
        exp_at_ms: int | None = None,
        not_after_ms: int | None = None,
    ) -> None:
        self._transport = transport
        self._head = head
        self._what = what
        self._credentials = credentials
        self._done = done
        self._body = body
        self._exp_at_ms = exp_at_ms
        self._not_after_ms = not_after_ms
        self.asks = body is None
        self.until = asyncio.get_running_loop().time() + transport.patience_s

    def message(self) -> bytes:
        now_ms = self._transport.now_ms()
        if self._not_after_ms is not None and now_ms > self._not_after_ms:
            raise NotSent("too late to be accepted")
        body, extra = self._body or b"", b""
        if self._body is not None:
            extra = b"Content-Length: %d\r\n" % len(body)
        if self._exp_at_ms is not None:
            extra += b"expTime: %d\r\n" % self._exp_at_ms
        return b"%b%b%b\r\n%b" % (self._head, self._signed(now_ms, body), extra, body)

    def answered(self, answer: Answer) -> None:
        try:
            self._done(answer)
        except Exception:
            # Whoever asked has gone wrong; the others on this connection have not.
            logger.exception("An answer could not be delivered")

    def _signed(self, now_ms: int, body: bytes) -> bytes:
        if self._credentials is None:
            return b""
        try:
            seal = seal_of(self._credentials)
        except ValueError as error:
            raise NotSent(str(error)) from error
        return seal.fields(stamp_of(now_ms), self._what, body)
