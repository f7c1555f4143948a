"""One HTTP request to OKX, signed, sent once, answered with an Answer.

One connection pool serves all accounts of an endpoint: credentials come with each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from trading.exchange.clock import ExchangeClock
from trading.exchange.okx.classify import Answer
from trading.exchange.okx.gate import Gate
from trading.exchange.okx.pacing import Pacer
from trading.exchange.okx.pool import Pool, PoolTimes
from trading.exchange.okx.request import SEND_MARGIN_MS, Request, Route
from trading.exchange.okx.signing import target_of
from trading.exchange.okx.tolls import Tolls, toll_of_question
from trading.exchange.types import Credentials, Endpoint

CONNECT_S = 3.0


class Departure(NamedTuple):
    """What requests have in common that leave at the same moment, in the loop's time and the
    exchange's."""

    route: Route
    now: float
    now_ms: int


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
        self._routes = lru_cache(64)(self._route)

    async def get(
        self, path: str, params: dict[str, str], credentials: Credentials | None = None
    ) -> Answer:
        target = target_of(path, params)
        account = credentials.api_key if credentials else ""
        head = f"GET {target} HTTP/1.1\r\n{self._fields}".encode()
        route = Route(head, b"GET" + target.encode(), self._clock)
        tolls = toll_of_question(path, params, account)
        until = asyncio.get_running_loop().time() + self._patience_s
        return await self._answer_to(lambda done: Request(route, credentials, done, tolls, until))

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
        route, now, now_ms = self.departure(path)
        patience_s = self._patience_s if exp_at_ms is None else _patience_s(exp_at_ms, now_ms)
        until = now + patience_s
        return await self._answer_to(
            lambda done: Request(route, credentials, done, tolls, until, body, exp_at_ms)
        )

    def departure(self, path: str) -> Departure:
        return Departure(
            self._routes(path), asyncio.get_running_loop().time(), self._clock.now_ms()
        )

    def start(  # noqa: PLR0913, PLR0917 - called for every order
        self,
        departure: Departure,
        body: bytes,
        credentials: Credentials,
        tolls: Tolls,
        exp_at_ms: int,
        done: Callable[[Request, Answer], None],
        place: int,
    ) -> Request:
        """Send without waiting. `done` is called exactly once, maybe at once, and must pass on to
        `learn` what was not accepted."""
        route, now, now_ms = departure
        until = now + _patience_s(exp_at_ms, now_ms)
        request = Request(route, credentials, done, tolls, until, body, exp_at_ms, place)
        self._gate.submit(request, now)
        return request

    def learn(self, request: Request, answer: Answer) -> None:
        """Whether the exchange counts more than we do."""
        self._gate.heard(request, answer)

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
        self._gate.submit(request, asyncio.get_running_loop().time())
        try:
            return await answer
        except asyncio.CancelledError:
            self._gate.abandon(request)
            raise

    def _route(self, path: str) -> Route:
        target = target_of(path)
        head = f"POST {target} HTTP/1.1\r\n{self._fields}Content-Type: application/json\r\n"
        return Route(head.encode(), b"POST" + target.encode(), self._clock)


def _patience_s(exp_at_ms: int, now_ms: int) -> float:
    """It may wait for its turn under a limit for as long as it is worth sending."""
    return max(exp_at_ms - SEND_MARGIN_MS - now_ms, 0) / 1000
