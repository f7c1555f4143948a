"""One HTTP request to OKX, signed, sent once, answered with an Answer.

One connection pool serves all accounts of an endpoint: credentials come with each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache

from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.classify import Answer
from trading.exchange.okx.gate import Gate
from trading.exchange.okx.pacing import Pacer
from trading.exchange.okx.pool import Pool, PoolTimes
from trading.exchange.okx.request import SEND_MARGIN_MS, Request
from trading.exchange.okx.signing import target_of
from trading.exchange.okx.tolls import Tolls, toll_of_question
from trading.exchange.types import Credentials, Endpoint

CONNECT_S = 3.0


class Transport:
    """Belongs to one event loop. Nothing here retries, redirects or raises for a failed request."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connector_limit: int,
        timeout_s: float,
        clock: ExchangeClock,
        paced: bool,
    ) -> None:
        times = PoolTimes(connect_s=min(CONNECT_S, timeout_s), answer_s=timeout_s)
        self._clock = clock
        self._patience_s = timeout_s
        self._pool = Pool(endpoint.rest, limit=connector_limit, times=times)
        self._gate = Gate(self._pool, Pacer() if paced else None, patience_s=timeout_s)
        demo = "x-simulated-trading: 1\r\n" if endpoint.simulated_header else ""
        self._fields = f"Host: {self._pool.host}\r\nUser-Agent: copydesk\r\n{demo}"
        self._heads = lru_cache(64)(self._head)

    async def get(
        self, path: str, params: dict[str, str], credentials: Credentials | None = None
    ) -> Answer:
        target = target_of(path, params)
        account = credentials.api_key if credentials else ""
        head = f"GET {target} HTTP/1.1\r\n{self._fields}".encode()
        return await self._answer_to(
            lambda done: Request(
                head,
                b"GET" + target.encode(),
                credentials,
                done,
                clock=self._clock,
                tolls=toll_of_question(path, params, account),
                until=asyncio.get_running_loop().time() + self._patience_s,
            )
        )

    async def post(
        self,
        path: str,
        body: bytes,
        credentials: Credentials,
        tolls: Tolls,
        *,
        exp_at_ms: int | None = None,
    ) -> Answer:
        """Send a body once. `exp_at_ms` goes out with it; close to it, it does not go at all."""
        return await self._answer_to(
            lambda done: self._posted(path, body, credentials, tolls, exp_at_ms, done)
        )

    def start(
        self,
        path: str,
        body: bytes,
        credentials: Credentials,
        tolls: Tolls,
        exp_at_ms: int,
        done: Callable[[Answer], None],
    ) -> Request:
        """Send without waiting. `done` is called exactly once, maybe at once."""

        def heard(request: Request, answer: Answer) -> None:
            self._gate.heard(request, answer)
            done(answer)

        request = self._posted(path, body, credentials, tolls, exp_at_ms, heard)
        self._gate.submit(request)
        return request

    def give_up(self, request: Request) -> None:
        """Have it answered now; harmless for one that was."""
        self._gate.abandon(request)

    async def warm(self, connections: int) -> int:
        return await self._pool.warm(connections)

    async def aclose(self) -> None:
        self._gate.close()
        await self._pool.aclose()

    async def _answer_to(
        self, make: Callable[[Callable[[Request, Answer], None]], Request]
    ) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def heard(request: Request, given: Answer) -> None:
            self._gate.heard(request, given)
            if not answer.done():
                answer.set_result(given)

        request = make(heard)
        self._gate.submit(request)
        try:
            return await answer
        except asyncio.CancelledError:
            self._gate.abandon(request)
            raise

    def _posted(
        self,
        path: str,
        body: bytes,
        credentials: Credentials,
        tolls: Tolls,
        exp_at_ms: int | None,
        done: Callable[[Request, Answer], None],
    ) -> Request:
        head, what = self._heads(path)
        patience_s = self._patience_s
        if exp_at_ms is not None:
            # It may wait for its turn under a limit for as long as it is worth sending.
            patience_s = max(exp_at_ms - SEND_MARGIN_MS - self._clock.now_ms(), 0) / 1000
        return Request(
            head,
            what,
            credentials,
            done,
            clock=self._clock,
            tolls=tolls,
            until=asyncio.get_running_loop().time() + patience_s,
            body=body,
            exp_at_ms=exp_at_ms,
        )

    def _head(self, path: str) -> tuple[bytes, bytes]:
        target = target_of(path)
        head = f"POST {target} HTTP/1.1\r\n{self._fields}Content-Type: application/json\r\n"
        return head.encode(), b"POST" + target.encode()
