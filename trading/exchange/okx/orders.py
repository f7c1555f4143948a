"""What we tell OKX about orders, positions and settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

from trading.exchange.okx import classify, encode
from trading.exchange.okx.door import Door, refused_here
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
        async def place(index: int, one: Placement) -> None:
            outcome = SendOutcome(kind=Outcome.UNKNOWN, excerpt="the request was not finished")
            try:
                outcome = await self.place_order(
                    one.credentials, one.request, exp_at_ms=one.exp_at_ms
                )
            except Exception as error:  # noqa: BLE001 - whatever happened, it may have been placed
                outcome = SendOutcome(kind=Outcome.UNKNOWN, excerpt=type(error).__name__)
            finally:
                done(index, outcome)

        await asyncio.gather(*(place(index, one) for index, one in enumerate(placements)))

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
