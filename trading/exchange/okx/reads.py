"""What we ask OKX: orders, fills, positions, balances, settings and the market."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from trading.exchange.errors import MalformedReport, ReadFailed
from trading.exchange.okx import encode, parse
from trading.exchange.okx.answers import lookup_of, row_of, rows_of
from trading.exchange.okx.constants import MAX_PAGES, PAGE_SIZE
from trading.exchange.okx.door import Door
from trading.exchange.okx.fields import as_row, milliseconds, required_text
from trading.exchange.types import (
    AccountConfigReport,
    BalanceReport,
    Credentials,
    FillReport,
    InstrumentReport,
    InstrumentType,
    LeverageReport,
    MarginMode,
    MarkPriceReport,
    OrderLookup,
    OrderReport,
    PositionReport,
    SystemStatusReport,
    TickerReport,
    TransferReport,
)

logger = logging.getLogger(__name__)
Report = TypeVar("Report")
TRANSFERS = "1"  # the bills of what was paid in and out


class Reads(Door):
    """Answers, or ReadFailed; see ExchangeClient."""

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
        params = without_none(instId=inst_id, ordId=exchange_order_id, clOrdId=client_order_id)
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
        params = without_none(instType=wire_type(inst_type))
        rows = await self._pages("trade/orders-pending", params, credentials, cursor="ordId")
        return tuple(map(parse.parse_order, rows))

    async def fetch_order_history(
        self, credentials: Credentials, inst_type: InstrumentType, *, begin_ms: int | None = None
    ) -> tuple[OrderReport, ...]:
        params = without_none(instType=wire_type(inst_type), begin=_number(begin_ms))
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
        params = without_none(
            instType=wire_type(inst_type), begin=_number(begin_ms), ordId=exchange_order_id
        )
        rows = await self._pages("trade/fills", params, credentials, cursor="billId")
        return tuple(map(parse.parse_fill, rows))

    async def fetch_transfers(
        self, credentials: Credentials, *, begin_ms: int
    ) -> tuple[TransferReport, ...]:
        params = {"type": TRANSFERS, "begin": str(begin_ms)}
        rows = await self._pages("account/bills-archive", params, credentials, cursor="billId")
        return tuple(map(parse.parse_transfer, rows))

    async def fetch_positions(
        self, credentials: Credentials, inst_type: InstrumentType | None = None
    ) -> tuple[PositionReport, ...]:
        params = without_none(instType=wire_type(inst_type))
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

    async def fetch_ticker(self, inst_id: str) -> TickerReport:
        return parse.parse_ticker(row_of(await self._ask("market/ticker", {"instId": inst_id})))

    async def fetch_mark_price(self, inst_id: str, inst_type: InstrumentType) -> MarkPriceReport:
        spot = inst_type is InstrumentType.SPOT
        kind = InstrumentType.MARGIN if spot else inst_type  # spot has no mark of its own
        params = without_none(instType=wire_type(kind), instId=inst_id)
        return parse.parse_mark_price(row_of(await self._ask("public/mark-price", params)))

    async def fetch_system_status(self) -> tuple[SystemStatusReport, ...]:
        rows = rows_of(await self._ask("system/status", {}))
        return _readable(rows, parse.parse_system_status)

    async def _public(self, path: str, inst_type: InstrumentType) -> list[Any]:
        params = without_none(instType=wire_type(inst_type))
        return rows_of(await self._ask(path, params))

    async def _pages(
        self,
        path: str,
        params: dict[str, str],
        credentials: Credentials,
        *,
        cursor: str,
        back_to: int | None = None,
    ) -> list[Any]:
        """All pages or ReadFailed: half a list would look like missing orders.

        Newest first; `back_to` ends the reading at the page that reaches that creation time.
        """
        rows: list[Any] = []
        page_params = {**params, "limit": str(PAGE_SIZE)}
        for _ in range(MAX_PAGES):
            page = rows_of(await self._ask(path, page_params, credentials))
            rows += page
            if len(page) < PAGE_SIZE:
                return rows
            if back_to is not None and milliseconds(as_row(page[-1]), "cTime") < back_to:
                return rows
            page_params["after"] = required_text(as_row(page[-1]), cursor)
        raise ReadFailed(message=f"{path} did not end after {MAX_PAGES} pages")


def _readable(rows: list[Any], parse_row: Callable[[object], Report]) -> tuple[Report, ...]:
    reports = []
    for row in rows:
        try:
            reports.append(parse_row(row))
        except MalformedReport as error:
            name = row.get("instId") if isinstance(row, dict) else None
            logger.info("Left out %r: %s", name, error)
    return tuple(reports)


def without_none(**params: str | None) -> dict[str, str]:
    return {name: value for name, value in params.items() if value is not None}


def wire_type(inst_type: InstrumentType | None) -> str | None:
    return None if inst_type is None else encode.instrument_type(inst_type)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
