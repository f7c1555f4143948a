"""What every call to OKX goes through: one transport, one clock, one way to judge an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import orjson

from trading.exchange.clock import SAMPLES, ExchangeClock
from trading.exchange.errors import MalformedReport, ReadFailed
from trading.exchange.okx import classify, parse
from trading.exchange.okx.answers import row_of
from trading.exchange.okx.encode import Body
from trading.exchange.okx.tolls import kind_of, toll_of_batch, toll_of_order
from trading.exchange.okx.transport import Transport
from trading.exchange.types import Credentials, Endpoint, Outcome, SendOutcome

logger = logging.getLogger(__name__)

SYNC_S = 3
_CLOCK_SKEWED = "50102"


class Door:
    """`clock` is the exchange's; keep it right with sync_clock(). Without `paced` the exchange's
    limits are not looked at: for load tests against one that has none."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connector_limit: int = 1000,
        timeout_s: float = 8,
        clock: ExchangeClock | None = None,
        paced: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self.clock = clock or ExchangeClock()
        self._syncing = asyncio.Lock()
        self._transport = Transport(
            endpoint,
            connector_limit=connector_limit,
            timeout_s=timeout_s,
            clock=self.clock,
            paced=paced,
        )

    async def warm(self, connections: int) -> int:
        return await self._transport.warm(connections)

    async def fetch_time_ms(self) -> int:
        return parse.parse_time_ms(row_of(await self._ask("public/time", {})))

    async def sync_clock(self) -> int:
        """Measure the exchange's clock anew; returns the offset in ms.

        Gives up after a while: the answer to an order may be waiting for it.
        """
        async with self._syncing:
            try:
                async with asyncio.timeout(SYNC_S):
                    await self._measure()
            except TimeoutError:
                logger.warning("The exchange's clock did not answer")
            return self.clock.offset_ms

    async def _measure(self) -> None:
        for _ in range(SAMPLES):
            try:
                await self.clock.measure(self.fetch_time_ms)
            except (ReadFailed, MalformedReport) as error:
                logger.warning("Cannot read the exchange's clock: %s", error)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _tell(
        self,
        operation: classify.Operation,
        build: Callable[[], Body],
        credentials: Credentials,
        *,
        client_id: str = "",
        exp_at_ms: int | None = None,
    ) -> SendOutcome:
        """Send what `build` makes, once, and judge the answer."""
        try:
            body = build()
        except ValueError as error:
            return refused_here(error)
        answer = await self._transport.post(
            operation.path,
            orjson.dumps(body),
            credentials,
            toll_of_order(operation.path, kind_of(body), credentials.api_key),
            exp_at_ms=exp_at_ms,
        )
        return await self._judge(answer, credentials, operation, client_id)

    async def _tell_many(
        self,
        operation: classify.Operation,
        bodies: list[Body],
        targets: list[classify.Target],
        credentials: Credentials,
    ) -> tuple[SendOutcome, ...]:
        """Send an array, once; one outcome for each of its items."""
        tolls = toll_of_batch(operation.path, bodies, credentials.api_key)
        answer = await self._transport.post(
            operation.path, orjson.dumps(bodies), credentials, tolls
        )
        answer = classify.without_secrets(answer, credentials)
        outcomes = classify.classify_batch(answer, operation, targets)
        if any(outcome.clock_skewed for outcome in outcomes):
            await self._put_clock_right()
        return outcomes

    async def _judge(
        self,
        answer: classify.Answer,
        credentials: Credentials,
        operation: classify.Operation,
        client_id: str,
    ) -> SendOutcome:
        answer = classify.without_secrets(answer, credentials)
        outcome = classify.classify_send(answer, operation, client_id=client_id)
        if outcome.clock_skewed:
            await self._put_clock_right()
        return outcome

    async def _ask(
        self, path: str, params: dict[str, str], credentials: Credentials | None = None
    ) -> classify.Answer:
        answer = await self._transport.get(path, params, credentials)
        if f'"{_CLOCK_SKEWED}"' in answer.body:
            await self._put_clock_right()
        return answer

    async def _put_clock_right(self) -> None:
        if not self._syncing.locked():
            await self.sync_clock()


def refused_here(error: ValueError) -> SendOutcome:
    """Never sent, and sending it again would not help."""
    return SendOutcome(kind=Outcome.REJECTED, code="LOCAL", message=str(error))
