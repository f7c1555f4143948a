"""What we tell OKX about orders, positions and settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

from trading.exchange.okx import classify, encode
from trading.exchange.okx.burst import Burst
from trading.exchange.okx.door import Door, refused_here
from trading.exchange.okx.request import Request
from trading.exchange.okx.templates import place_bytes
from trading.exchange.okx.tolls import toll_of_order
from trading.exchange.types import (
    AmendRequest,
    CancelRequest,
    Credentials,
    MarginMode,
    Outcome,
    Placement,
    PlaceRequest,
    PositionMode,
    PositionSide,
    SendOutcome,
)

BATCH = 20
SLICE = 50
_NEVER_SENT = SendOutcome(kind=Outcome.NOT_PLACED, message="not sent: nobody waits for it any more")


class Orders(Door):
    """Outcomes, never exceptions; see ExchangeClient."""

    async def place_order(
        self, credentials: Credentials, request: PlaceRequest, *, exp_at_ms: int
    ) -> SendOutcome:
        return await self._tell(
            classify.PLACE,
            partial(encode.place_body, request),
            credentials,
            client_id=request.client_order_id,
            exp_at_ms=exp_at_ms,
        )

    async def place_orders(
        self, placements: Sequence[Placement], done: Callable[[int, SendOutcome], None]
    ) -> None:
        burst = Burst(len(placements), done)
        started: list[Request] = []
        try:
            for begin in range(0, len(placements), SLICE):
                if begin:
                    # Let the loop write what it was given before more is signed.
                    await asyncio.sleep(0)
                self._start(placements, begin, burst, started)
            await burst.finished
        finally:
            for request in started if burst.left else ():
                self._transport.give_up(request)
            burst.give_rest(_NEVER_SENT)
        if burst.skewed:
            await self._put_clock_right()

    def _start(
        self, placements: Sequence[Placement], begin: int, burst: Burst, started: list[Request]
    ) -> None:
        """One slice, without a task for each: an answer is judged where it arrives."""
        path = classify.PLACE.path
        departure = self._transport.departure(path)
        heard = partial(self._heard, placements, burst)
        for index, one in enumerate(placements[begin : begin + SLICE], begin):
            credentials, request, exp_at_ms = one
            try:
                body = place_bytes(request)
            except ValueError as error:
                burst.give(index, refused_here(error))
                continue
            tolls = toll_of_order(path, request.inst_id, credentials.api_key)
            started.append(
                self._transport.start(departure, body, credentials, tolls, exp_at_ms, heard, index)
            )

    def _heard(
        self,
        placements: Sequence[Placement],
        burst: Burst,
        request: Request,
        answer: classify.Answer,
    ) -> None:
        one = placements[request.place]
        client_id = one.request.client_order_id
        outcome = classify.placed(answer, one.credentials, client_id)
        if outcome is None:
            self._transport.learn(request, answer)
            answer = classify.without_secrets(answer, one.credentials)
            outcome = classify.classify_send(answer, classify.PLACE, client_id=client_id)
        burst.give(request.place, outcome)

    async def amend_order(
        self, credentials: Credentials, request: AmendRequest, *, exp_at_ms: int
    ) -> SendOutcome:
        return await self._tell(
            classify.AMEND,
            partial(encode.amend_body, request),
            credentials,
            client_id=_named(request.exchange_order_id, request.client_order_id),
            exp_at_ms=exp_at_ms,
        )

    async def cancel_order(self, credentials: Credentials, request: CancelRequest) -> SendOutcome:
        return await self._tell(
            classify.CANCEL,
            partial(encode.cancel_body, request),
            credentials,
            client_id=_named(request.exchange_order_id, request.client_order_id),
        )

    async def cancel_orders(
        self, credentials: Credentials, requests: Sequence[CancelRequest]
    ) -> tuple[SendOutcome, ...]:
        outcomes: tuple[SendOutcome, ...] = ()
        for start in range(0, len(requests), BATCH):
            outcomes += await self._cancel_batch(credentials, requests[start : start + BATCH])
        return outcomes

    async def _cancel_batch(
        self, credentials: Credentials, requests: Sequence[CancelRequest]
    ) -> tuple[SendOutcome, ...]:
        try:
            bodies = [encode.cancel_body(request) for request in requests]
        except ValueError as error:
            return (refused_here(error),) * len(requests)
        targets = [
            classify.Target(request.exchange_order_id or "", request.client_order_id or "")
            for request in requests
        ]
        return await self._tell_many(classify.CANCEL_MANY, bodies, targets, credentials)

    async def cancel_all_after(
        self, credentials: Credentials, timeout_s: int, *, tag: str = ""
    ) -> SendOutcome:
        build = partial(encode.countdown_body, timeout_s, tag)
        return await self._tell(classify.COUNTDOWN, build, credentials)

    async def close_position(
        self,
        credentials: Credentials,
        inst_id: str,
        margin_mode: MarginMode,
        position_side: PositionSide | None,
        *,
        auto_cancel: bool = False,
        client_order_id: str = "",
    ) -> SendOutcome:
        build = partial(
            encode.close_body,
            inst_id,
            margin_mode,
            position_side,
            auto_cancel=auto_cancel,
            client_order_id=client_order_id,
        )
        return await self._tell(classify.CLOSE, build, credentials, client_id=client_order_id)

    async def set_leverage(
        self,
        credentials: Credentials,
        inst_id: str,
        leverage: Decimal,
        margin_mode: MarginMode,
        position_side: PositionSide | None = None,
    ) -> SendOutcome:
        build = partial(encode.leverage_body, inst_id, leverage, margin_mode, position_side)
        return await self._tell(classify.LEVERAGE, build, credentials)

    async def set_position_mode(
        self, credentials: Credentials, position_mode: PositionMode
    ) -> SendOutcome:
        build = partial(encode.position_mode_body, position_mode)
        return await self._tell(classify.POSITION_MODE, build, credentials)


def _named(exchange_id: str | None, client_id: str | None) -> str:
    """The client id that the answer must echo: none when we went by the exchange's own id."""
    return "" if exchange_id else client_id or ""
