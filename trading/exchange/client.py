"""The door itself: everything the rest of the product may ask of an exchange over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

from trading.exchange.clock import ExchangeClock
from trading.exchange.types import (
    AccountConfigReport,
    BalanceReport,
    CancelRequest,
    Credentials,
    FillReport,
    InstrumentReport,
    InstrumentType,
    LeverageReport,
    MarginMode,
    MarkPriceReport,
    OrderLookup,
    OrderReport,
    Placement,
    PlaceRequest,
    PositionMode,
    PositionReport,
    PositionSide,
    SendOutcome,
    TickerReport,
)


class ExchangeClient(Protocol):
    """One per endpoint and event loop, shared by all accounts; credentials come with each call.

    Writes never raise for what the exchange or the network does: they return a SendOutcome.
    Reads raise ReadFailed (also AuthFailed) or MalformedReport; an empty tuple means the exchange
    said so. `fetch_order` answers with an OrderLookup and raises nothing of the kind.

    `clock` is the exchange's: deadlines are written and judged in it, by everybody.
    """

    clock: ExchangeClock

    async def place_order(
        self, credentials: Credentials, request: PlaceRequest, *, exp_at_ms: int
    ) -> SendOutcome:
        """Send once. `exp_at_ms` goes out as given: after it the exchange refuses the order."""
        ...

    async def place_orders(
        self, placements: Sequence[Placement], done: Callable[[int, SendOutcome], None]
    ) -> None:
        """Send many at once, of any accounts. Calls `done` with each one's place in the list and
        its outcome as it comes, exactly once for each, also when it never left."""
        ...

    async def cancel_order(
        self, credentials: Credentials, request: CancelRequest
    ) -> SendOutcome: ...

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
        """Close by market. An acknowledgement carries no exchange order id."""
        ...

    async def set_leverage(
        self,
        credentials: Credentials,
        inst_id: str,
        leverage: Decimal,
        margin_mode: MarginMode,
        position_side: PositionSide | None = None,
    ) -> SendOutcome: ...

    async def set_position_mode(
        self, credentials: Credentials, position_mode: PositionMode
    ) -> SendOutcome: ...

    async def fetch_order(
        self,
        credentials: Credentials,
        inst_id: str,
        *,
        client_order_id: str | None = None,
        exchange_order_id: str | None = None,
    ) -> OrderLookup:
        """The latest order of that client order id: doubles show only in lists, by exchange id."""
        ...

    async def fetch_open_orders(
        self, credentials: Credentials, inst_type: InstrumentType | None = None
    ) -> tuple[OrderReport, ...]:
        """All pages."""
        ...

    async def fetch_order_history(
        self, credentials: Credentials, inst_type: InstrumentType, *, begin_ms: int | None = None
    ) -> tuple[OrderReport, ...]:
        """Finished orders of 7 days (unfilled ones: 2 hours), newest first, all pages."""
        ...

    async def fetch_fills(
        self,
        credentials: Credentials,
        inst_type: InstrumentType | None = None,
        *,
        begin_ms: int | None = None,
        exchange_order_id: str | None = None,
    ) -> tuple[FillReport, ...]:
        """Fills of the last 3 days, newest first, all pages."""
        ...

    async def fetch_positions(
        self, credentials: Credentials, inst_type: InstrumentType | None = None
    ) -> tuple[PositionReport, ...]: ...

    async def fetch_balance(self, credentials: Credentials) -> BalanceReport: ...

    async def fetch_account_config(self, credentials: Credentials) -> AccountConfigReport: ...

    async def fetch_leverage(
        self, credentials: Credentials, inst_id: str, margin_mode: MarginMode
    ) -> tuple[LeverageReport, ...]: ...

    async def fetch_instruments(self, inst_type: InstrumentType) -> tuple[InstrumentReport, ...]:
        """Rows that cannot be read are left out and logged: an odd listing must not stop us."""
        ...

    async def fetch_tickers(self, inst_type: InstrumentType) -> tuple[TickerReport, ...]: ...

    async def fetch_mark_prices(self, inst_type: InstrumentType) -> tuple[MarkPriceReport, ...]: ...

    async def fetch_time_ms(self) -> int: ...

    async def aclose(self) -> None: ...
