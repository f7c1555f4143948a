"""OKX over HTTP: the ExchangeClient that the product uses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from trading.exchange.clock import SAMPLES, ExchangeClock
from trading.exchange.errors import MalformedReport, ReadFailed
from trading.exchange.okx import classify, encode, parse
from trading.exchange.okx.answers import lookup_of, row_of, rows_of
from trading.exchange.okx.constants import MAX_PAGES, PAGE_SIZE
from trading.exchange.okx.fields import as_row, required_text
from trading.exchange.types import (
    AccountConfigReport,
    BalanceReport,
    CancelRequest,
    Credentials,
    Endpoint,
    FillReport,
    InstrumentReport,
    InstrumentType,
    LeverageReport,
    MarginMode,
    MarkPriceReport,
    OrderLookup,
    OrderReport,
    Outcome,
    Placement,
    PlaceRequest,
    PositionMode,
    PositionReport,
    PositionSide,
    SendOutcome,
    TickerReport,
)

if TYPE_CHECKING:
    from trading.exchange.okx.transport import Transport

logger = logging.getLogger(__name__)
Report = TypeVar("Report")

# What is sent this close to its deadline would only be refused on arrival.
SEND_MARGIN_MS = 300
SYNC_S = 3
_CLOCK_SKEWED = "50102"


class OkxClient:
    """See ExchangeClient. `clock` is the exchange's; keep it right with sync_clock()."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connector_limit: int = 1000,
        timeout_s: float = 8,
        clock: ExchangeClock | None = None,
    ) -> None:
        # ccxt takes seconds and 100 MB to import: only a process that talks to OKX pays for it.
        from trading.exchange.okx.transport import Transport

        self.endpoint = endpoint
        self.clock = clock or ExchangeClock()
        self._syncing = asyncio.Lock()
        self._transport: Transport = Transport(
            endpoint, connector_limit=connector_limit, timeout_s=timeout_s, clock=self.clock
        )

    async def place_order(
        self, credentials: Credentials, request: PlaceRequest, *, exp_at_ms: int
    ) -> SendOutcome:
        try:
            body = encode.place_body(request)
        except ValueError as error:
            return _refused_here(error)
        answer = await self._transport.post(
            "trade/order",
            body,
            credentials,
            exp_at_ms=exp_at_ms,
            not_after_ms=exp_at_ms - SEND_MARGIN_MS,
        )
        return await self._judge(
            answer, credentials, classify.PLACE, client_order_id=request.client_order_id
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

    async def cancel_order(self, credentials: Credentials, request: CancelRequest) -> SendOutcome:
        try:
            body = encode.cancel_body(request)
        except ValueError as error:
            return _refused_here(error)
        answer = await self._transport.post("trade/cancel-order", body, credentials)
        return await self._judge(
            answer,
            credentials,
            classify.CANCEL,
            client_order_id=str(body.get("clOrdId", "")),
        )

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
        try:
            body = encode.close_body(
                inst_id,
                margin_mode,
                position_side,
                auto_cancel=auto_cancel,
                client_order_id=client_order_id,
            )
        except ValueError as error:
            return _refused_here(error)
        answer = await self._transport.post("trade/close-position", body, credentials)
        return await self._judge(
            answer, credentials, classify.CLOSE, client_order_id=client_order_id
        )

    async def set_leverage(
        self,
        credentials: Credentials,
        inst_id: str,
        leverage: Decimal,
        margin_mode: MarginMode,
        position_side: PositionSide | None = None,
    ) -> SendOutcome:
        try:
            body = encode.leverage_body(inst_id, leverage, margin_mode, position_side)
        except ValueError as error:
            return _refused_here(error)
        answer = await self._transport.post("account/set-leverage", body, credentials)
        return await self._judge(answer, credentials, classify.SETTING)

    async def set_position_mode(
        self, credentials: Credentials, position_mode: PositionMode
    ) -> SendOutcome:
        body = encode.position_mode_body(position_mode)
        answer = await self._transport.post("account/set-position-mode", body, credentials)
        return await self._judge(answer, credentials, classify.SETTING)

    async def fetch_order(
        self,
        credentials: Credentials,
        inst_id: str,
        *,
        client_order_id: str | None = None,
        exchange_order_id: str | None = None,
    ) -> OrderLookup:
        if not client_order_id and not exchange_order_id:
            raise ValueError("a lookup needs an order id")
        params = _without_none(instId=inst_id, ordId=exchange_order_id, clOrdId=client_order_id)
        answer = await self._ask("trade/order", params, credentials)
        return lookup_of(
            answer,
            inst_id,
            client_order_id=client_order_id,
            exchange_order_id=exchange_order_id,
        )

    async def fetch_open_orders(
        self, credentials: Credentials, inst_type: InstrumentType | None = None
    ) -> tuple[OrderReport, ...]:
        params = _without_none(instType=_wire(inst_type))
        rows = await self._pages("trade/orders-pending", params, credentials, cursor="ordId")
        return tuple(map(parse.parse_order, rows))

    async def fetch_order_history(
        self, credentials: Credentials, inst_type: InstrumentType, *, begin_ms: int | None = None
    ) -> tuple[OrderReport, ...]:
        params = _without_none(instType=_wire(inst_type), begin=_number(begin_ms))
        rows = await self._pages("trade/orders-history", params, credentials, cursor="ordId")
        return tuple(map(parse.parse_order, rows))

    async def fetch_fills(
        self,
        credentials: Credentials,
        inst_type: InstrumentType | None = None,
        *,
        begin_ms: int | None = None,
        exchange_order_id: str | None = None,
    ) -> tuple[FillReport, ...]:
        params = _without_none(
            instType=_wire(inst_type), begin=_number(begin_ms), ordId=exchange_order_id
        )
        rows = await self._pages("trade/fills", params, credentials, cursor="billId")
        return tuple(map(parse.parse_fill, rows))

    async def fetch_positions(
        self, credentials: Credentials, inst_type: InstrumentType | None = None
    ) -> tuple[PositionReport, ...]:
        params = _without_none(instType=_wire(inst_type))
        answer = await self._ask("account/positions", params, credentials)
        return tuple(map(parse.parse_position, rows_of(answer)))

    async def fetch_balance(self, credentials: Credentials) -> BalanceReport:
        answer = await self._ask("account/balance", {}, credentials)
        return parse.parse_balance(row_of(answer))

    async def fetch_account_config(self, credentials: Credentials) -> AccountConfigReport:
        answer = await self._ask("account/config", {}, credentials)
        return parse.parse_account_config(row_of(answer))

    async def fetch_leverage(
        self, credentials: Credentials, inst_id: str, margin_mode: MarginMode
    ) -> tuple[LeverageReport, ...]:
        params = {"instId": inst_id, "mgnMode": margin_mode.value}
        answer = await self._ask("account/leverage-info", params, credentials)
        return tuple(map(parse.parse_leverage, rows_of(answer)))

    async def fetch_instruments(self, inst_type: InstrumentType) -> tuple[InstrumentReport, ...]:
        rows = await self._public("public/instruments", inst_type)
        return _readable(rows, parse.parse_instrument)

    async def fetch_tickers(self, inst_type: InstrumentType) -> tuple[TickerReport, ...]:
        return _readable(await self._public("market/tickers", inst_type), parse.parse_ticker)

    async def fetch_mark_prices(self, inst_type: InstrumentType) -> tuple[MarkPriceReport, ...]:
        rows = await self._public("public/mark-price", inst_type)
        return _readable(rows, parse.parse_mark_price)

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

    async def _judge(
        self,
        answer: classify.Answer,
        credentials: Credentials,
        operation: classify.Operation,
        client_order_id: str = "",
    ) -> SendOutcome:
        outcome = classify.classify_send(
            classify.without_secrets(answer, credentials),
            operation,
            client_order_id=client_order_id,
        )
        if outcome.clock_skewed and not self._syncing.locked():
            await self.sync_clock()
        return outcome

    async def _ask(
        self, path: str, params: dict[str, Any], credentials: Credentials | None = None
    ) -> classify.Answer:
        answer = await self._transport.get(path, params, credentials)
        if f'"{_CLOCK_SKEWED}"' in answer.body and not self._syncing.locked():
            await self.sync_clock()
        return answer

    async def _public(self, path: str, inst_type: InstrumentType) -> list[Any]:
        return rows_of(await self._ask(path, {"instType": _wire(inst_type)}))

    async def _pages(
        self, path: str, params: dict[str, str], credentials: Credentials, *, cursor: str
    ) -> list[Any]:
        """All pages or ReadFailed: half a list would look like missing orders."""
        rows: list[Any] = []
        page_params = {**params, "limit": str(PAGE_SIZE)}
        for _ in range(MAX_PAGES):
            page = rows_of(await self._ask(path, page_params, credentials))
            rows += page
            if len(page) < PAGE_SIZE:
                return rows
            page_params["after"] = required_text(as_row(page[-1]), cursor)
        raise ReadFailed(message=f"{path} did not end after {MAX_PAGES} pages")


def _refused_here(error: ValueError) -> SendOutcome:
    """Never sent, and sending it again would not help."""
    return SendOutcome(kind=Outcome.REJECTED, code="LOCAL", message=str(error))


def _readable(rows: list[Any], parse_row: Callable[[object], Report]) -> tuple[Report, ...]:
    reports = []
    for row in rows:
        try:
            reports.append(parse_row(row))
        except MalformedReport as error:
            name = row.get("instId") if isinstance(row, dict) else None
            logger.info("Left out %r: %s", name, error)
    return tuple(reports)


def _without_none(**params: str | None) -> dict[str, str]:
    return {name: value for name, value in params.items() if value is not None}


def _wire(inst_type: InstrumentType | None) -> str | None:
    return None if inst_type is None else encode.instrument_type(inst_type)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
