"""Stand-alone take profits and stop losses at OKX: told and asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from trading.exchange.algos import (
    AlgoAmendRequest,
    AlgoCancelRequest,
    AlgoLookup,
    AlgoReport,
    AlgoRequest,
    AlgoState,
)
from trading.exchange.okx import classify, encode
from trading.exchange.okx.answers import algo_lookup_of
from trading.exchange.okx.door import refused_here
from trading.exchange.okx.parse_algos import parse_algo
from trading.exchange.okx.reads import Reads, wire_type, without_none
from trading.exchange.types import Credentials, InstrumentType, SendOutcome

BATCH = 10
# Asked together; the other kinds are never ours.
_TYPES = "conditional,oco"
_ENDED = (AlgoState.EFFECTIVE, AlgoState.CANCELED, AlgoState.ORDER_FAILED)


class AlgoOrders(Reads):
    """See ExchangeClient."""

    async def place_algo_order(self, credentials: Credentials, request: AlgoRequest) -> SendOutcome:
        return await self._tell(
            classify.PLACE_ALGO,
            partial(encode.algo_body, request),
            credentials,
            client_id=request.client_algo_id,
        )

    async def amend_algo_order(
        self, credentials: Credentials, request: AlgoAmendRequest
    ) -> SendOutcome:
        return await self._tell(
            classify.AMEND_ALGO,
            partial(encode.algo_amend_body, request),
            credentials,
            client_id="" if request.exchange_algo_id else request.client_algo_id or "",
        )

    async def cancel_algo_orders(
        self, credentials: Credentials, requests: Sequence[AlgoCancelRequest]
    ) -> tuple[SendOutcome, ...]:
        outcomes: tuple[SendOutcome, ...] = ()
        for start in range(0, len(requests), BATCH):
            outcomes += await self._cancel_algos(credentials, requests[start : start + BATCH])
        return outcomes

    async def _cancel_algos(
        self, credentials: Credentials, requests: Sequence[AlgoCancelRequest]
    ) -> tuple[SendOutcome, ...]:
        try:
            bodies = [encode.algo_cancel_body(request) for request in requests]
        except ValueError as error:
            return (refused_here(error),) * len(requests)
        targets = [
            classify.Target(request.exchange_algo_id or "", request.client_algo_id or "")
            for request in requests
        ]
        return await self._tell_many(classify.CANCEL_ALGOS, bodies, targets, credentials)

    async def fetch_algo_order(
        self,
        credentials: Credentials,
        *,
        client_algo_id: str | None = None,
        exchange_algo_id: str | None = None,
    ) -> AlgoLookup:
        if not client_algo_id and not exchange_algo_id:
            raise ValueError("a lookup needs an algo order id")
        params = without_none(algoId=exchange_algo_id, algoClOrdId=client_algo_id)
        answer = await self._ask("trade/order-algo", params, credentials)
        return algo_lookup_of(
            answer, client_algo_id=client_algo_id, exchange_algo_id=exchange_algo_id
        )

    async def fetch_open_algo_orders(
        self,
        credentials: Credentials,
        inst_type: InstrumentType | None = None,
        *,
        kind: str = _TYPES,
    ) -> tuple[AlgoReport, ...]:
        params = without_none(ordType=kind, instType=wire_type(inst_type))
        rows = await self._pages("trade/orders-algo-pending", params, credentials, cursor="algoId")
        return tuple(map(parse_algo, rows))

    async def fetch_algo_order_history(
        self,
        credentials: Credentials,
        inst_type: InstrumentType | None = None,
        *,
        begin_ms: int,
    ) -> tuple[AlgoReport, ...]:
        rows: list[Any] = []
        for state in _ENDED:
            params = without_none(ordType=_TYPES, state=state.value, instType=wire_type(inst_type))
            rows += await self._pages(
                "trade/orders-algo-history", params, credentials, cursor="algoId", back_to=begin_ms
            )
        reports = [parse_algo(row) for row in rows]
        recent = [each for each in reports if each.created_at.timestamp() * 1000 >= begin_ms]
        return tuple(sorted(recent, key=lambda each: each.created_at, reverse=True))
