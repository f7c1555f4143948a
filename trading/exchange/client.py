"""The door itself: everything the rest of the product may ask of an exchange over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

from trading.exchange.algos import (
    AlgoAmendRequest,
    AlgoCancelRequest,
    AlgoLookup,
    AlgoReport,
    AlgoRequest,
)
from trading.exchange.clock import ExchangeClock
from trading.exchange.types import (
    AccountConfigReport,
    AmendRequest,
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
    SystemStatusReport,
    TickerReport,
    TransferReport,
)


class ExchangeClient(Protocol):
    """One per endpoint and event loop, shared by all accounts; credentials come with each call.

    Writes never raise for what the exchange or the network does: they return a SendOutcome.
    Reads raise ReadFailed (also AuthFailed) or MalformedReport; an empty tuple means the exchange
    said so. `fetch_order` answers with an OrderLookup and raises nothing of the kind.

    `clock` is the exchange's: deadlines are written and judged in it, by everybody.
    """

    clock: ExchangeClock

    async def warm(self, connections: int) -> int:
        """Open connections ahead of the first order and keep them; returns how many are open.

        Never more than the client's bound, and no error when the exchange cannot be reached."""
        ...

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

    async def amend_order(
        self, credentials: Credentials, request: AmendRequest, *, exp_at_ms: int
    ) -> SendOutcome:
        """New terms for a resting order. An acknowledgement means accepted for amendment: the
        order itself tells what became of it."""
        ...

    async def cancel_order(
        self, credentials: Credentials, request: CancelRequest
    ) -> SendOutcome: ...

    async def cancel_orders(
        self, credentials: Credentials, requests: Sequence[CancelRequest]
    ) -> tuple[SendOutcome, ...]:
        """Many orders of one account, 20 to a request; one outcome for each, in their order."""
        ...

    async def cancel_all_after(
        self, credentials: Credentials, timeout_s: int, *, tag: str = ""
    ) -> SendOutcome:
        """Have the exchange cancel all resting orders (of a tag) unless called again within 10 to
        120 s; 0 stops the countdown. Algo orders are not promised to be among them."""
        ...

    async def place_algo_order(self, credentials: Credentials, request: AlgoRequest) -> SendOutcome:
        """No deadline protects this: look an unknown one up before it is sent again."""
        ...

    async def amend_algo_order(
        self, credentials: Credentials, request: AlgoAmendRequest
    ) -> SendOutcome: ...

    async def cancel_algo_orders(
        self, credentials: Credentials, requests: Sequence[AlgoCancelRequest]
    ) -> tuple[SendOutcome, ...]:
        """Many of one account, 10 to a request; one outcome for each, in their order."""
        ...

    async def fetch_algo_order(
        self,
        credentials: Credentials,
        *,
        client_algo_id: str | None = None,
        exchange_algo_id: str | None = None,
    ) -> AlgoLookup:
        """The latest of that client algo id, also when it came attached to an order."""
        ...

    async def fetch_open_algo_orders(
        self,
        credentials: Credentials,
        inst_type: InstrumentType | None = None,
        *,
        kind: str = "conditional,oco",
    ) -> tuple[AlgoReport, ...]:
        """Take profits and stop losses that wait, or another kind (`FOREIGN_ALGOS`), all pages."""
        ...

    async def fetch_algo_order_history(
        self,
        credentials: Credentials,
        inst_type: InstrumentType | None = None,
        *,
        begin_ms: int,
    ) -> tuple[AlgoReport, ...]:
        """Those created since then that were triggered, canceled or failed, newest first."""
        ...

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

    async def fetch_transfers(
        self, credentials: Credentials, *, begin_ms: int
    ) -> tuple[TransferReport, ...]:
        """What was paid in and out since, of the last 3 months, newest first, all pages."""
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

    async def fetch_ticker(self, inst_id: str) -> TickerReport: ...

    async def fetch_mark_prices(self, inst_type: InstrumentType) -> tuple[MarkPriceReport, ...]: ...

    async def fetch_mark_price(self, inst_id: str, inst_type: InstrumentType) -> MarkPriceReport:
        """Of one instrument. For spot OKX knows it by the kind *margin*."""
        ...

    async def fetch_system_status(self) -> tuple[SystemStatusReport, ...]:
        """Announced, running and past maintenance. Asked at most once in 5 seconds."""
        ...

    async def fetch_time_ms(self) -> int: ...

    async def aclose(self) -> None: ...
