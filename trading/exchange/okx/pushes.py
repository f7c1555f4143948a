"""Socket pushes into stream events. Keeps only the pages of a positions snapshot under way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from trading.exchange.errors import MalformedReport
from trading.exchange.okx import parse
from trading.exchange.okx.parse_algos import parse_algo
from trading.exchange.streams import (
    AlgoEvent,
    BalanceEvent,
    InstrumentsEvent,
    Malformed,
    MarkPriceEvent,
    OrderEvent,
    PositionsEvent,
    StreamEvent,
    TickerEvent,
)
from trading.exchange.types import InstrumentReport, PositionReport

_EXCERPT = 500


class PushReader:
    """Belongs to one connection: a new connection starts with a new reader."""

    def __init__(self) -> None:
        self._pages: list[PositionReport] | None = None
        self._readers: dict[str, Callable[[list[Any], dict[str, Any]], Iterator[StreamEvent]]] = {
            "orders": self._orders,
            "orders-algo": self._algos,
            "positions": self._positions,
            "account": self._account,
            "tickers": self._tickers,
            "mark-price": self._mark_prices,
            "instruments": self._instruments,
        }

    def read(self, push: dict[str, Any]) -> Iterator[StreamEvent]:
        """The events of one push. Rows that cannot be read become Malformed, the others go on."""
        arg, rows = push.get("arg"), push.get("data")
        channel = arg.get("channel") if isinstance(arg, dict) else None
        reader = self._readers.get(channel) if isinstance(channel, str) else None
        if reader is None or not isinstance(rows, list):
            yield malformed(MalformedReport("push", "unknown shape"), "", push)
            return
        yield from reader(rows, push)

    def _orders(self, rows: list[Any], _push: dict[str, Any]) -> Iterator[StreamEvent]:
        for row in rows:
            try:
                yield OrderEvent(parse.parse_order_push(row))
            except MalformedReport as error:
                yield malformed(error, "orders", row)

    def _algos(self, rows: list[Any], _push: dict[str, Any]) -> Iterator[StreamEvent]:
        for row in rows:
            try:
                yield AlgoEvent(parse_algo(row))
            except MalformedReport as error:
                yield malformed(error, "orders-algo", row)

    def _positions(self, rows: list[Any], push: dict[str, Any]) -> Iterator[StreamEvent]:
        reports, complete = [], True
        for row in rows:
            try:
                reports.append(parse.parse_position(row))
            except MalformedReport as error:
                complete = False
                yield malformed(error, "positions", row)
        if push.get("eventType") != "snapshot":
            if reports:
                yield PositionsEvent(tuple(reports), snapshot=False)
            return
        yield from self._snapshot_page(reports, push, complete=complete)

    def _snapshot_page(
        self, reports: list[PositionReport], push: dict[str, Any], *, complete: bool
    ) -> Iterator[StreamEvent]:
        """Only a snapshot of which every page and row was read may say what is closed."""
        if push.get("curPage", 1) == 1:
            self._pages = []
        if self._pages is None or not complete:
            self._pages = None
            yield PositionsEvent(tuple(reports), snapshot=False)
            return
        self._pages += reports
        if push.get("lastPage", True):
            yield PositionsEvent(tuple(self._pages), snapshot=True)
            self._pages = None

    def _account(self, rows: list[Any], push: dict[str, Any]) -> Iterator[StreamEvent]:
        snapshot = push.get("eventType") == "snapshot" and push.get("lastPage", True) is True
        for row in rows:
            try:
                yield BalanceEvent(parse.parse_balance(row), snapshot)
            except MalformedReport as error:
                yield malformed(error, "account", row)

    def _tickers(self, rows: list[Any], _push: dict[str, Any]) -> Iterator[StreamEvent]:
        for row in rows:
            try:
                yield TickerEvent(parse.parse_ticker(row))
            except MalformedReport as error:
                yield malformed(error, "tickers", row)

    def _mark_prices(self, rows: list[Any], _push: dict[str, Any]) -> Iterator[StreamEvent]:
        for row in rows:
            try:
                yield MarkPriceEvent(parse.parse_mark_price(row))
            except MalformedReport as error:
                yield malformed(error, "mark-price", row)

    def _instruments(self, rows: list[Any], _push: dict[str, Any]) -> Iterator[StreamEvent]:
        reports: list[InstrumentReport] = []
        for row in rows:
            try:
                reports.append(parse.parse_instrument(row))
            except MalformedReport as error:
                yield malformed(error, "instruments", row)
        if reports:
            yield InstrumentsEvent(tuple(reports))


def malformed(error: MalformedReport, channel: str, what: object) -> Malformed:
    text = what if isinstance(what, str) else json.dumps(what, default=str)
    return Malformed(error, channel, text[:_EXCERPT])
