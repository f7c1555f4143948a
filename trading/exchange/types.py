"""What we ask the exchange (`*Request`) and what it tells us (`*Report`), in plain Python.

Quantities are contracts (spot: base units), money is Decimal, times are aware UTC. What is made
for every order is a NamedTuple, for a third of what a frozen dataclass costs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from trading.exchange.protection import Protection, ProtectionReport


class InstrumentType(StrEnum):
    SPOT = "spot"
    MARGIN = "margin"
    SWAP = "swap"
    FUTURES = "futures"
    OPTION = "option"


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class PositionSide(StrEnum):
    LONG = "long"
    SHORT = "short"
    NET = "net"


class MarginMode(StrEnum):
    CROSS = "cross"
    ISOLATED = "isolated"
    CASH = "cash"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    POST_ONLY = "post_only"
    IOC = "ioc"
    FOK = "fok"
    OPTIMAL_LIMIT_IOC = "optimal_limit_ioc"
    # Only in reports: somebody else's order of a type we never send (mmp, option types).
    OTHER = "other"


class OrderState(StrEnum):
    LIVE = "live"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    MMP_CANCELED = "mmp_canceled"

    @property
    def is_final(self) -> bool:
        return self not in (OrderState.LIVE, OrderState.PARTIALLY_FILLED)


class PositionMode(StrEnum):
    NET = "net"
    LONG_SHORT = "long_short"


class Outcome(StrEnum):
    """What a send proves.

    REJECTED, NOT_PLACED and AUTH prove only that *this request* created nothing; an earlier
    unproven attempt of the same order must still be looked up.
    """

    ACK = "ack"
    REJECTED = "rejected"
    NOT_PLACED = "not_placed"
    AUTH = "auth"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


class LookupKind(StrEnum):
    FOUND = "found"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Credentials:
    api_key: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        # Also what tracebacks, logs and str() show.
        return "Credentials(***)"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One market's addresses. Hashable: clients and sockets are shared per endpoint."""

    market: str
    rest: str
    ws_public: str
    ws_private: str
    ws_business: str
    simulated_header: bool = False


class PlaceRequest(NamedTuple):
    inst_id: str
    side: Side
    position_side: PositionSide | None
    margin_mode: MarginMode
    order_type: OrderType
    quantity: Decimal
    client_order_id: str
    price: Decimal | None = None
    reduce_only: bool = False
    tag: str = ""
    # Spot market orders only: which currency `quantity` counts ("base_ccy" or "quote_ccy").
    target_currency: str | None = None
    # Opening orders only: a reducing order with one is refused by the exchange.
    protection: Protection | None = None


class Placement(NamedTuple):
    """One order of one account, with the deadline that goes out with it."""

    credentials: Credentials
    request: PlaceRequest
    exp_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    inst_id: str
    client_order_id: str | None = None
    exchange_order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendRequest:
    """New terms of a resting order; what is None stays. `quantity` is the new *total*: at or below
    what is filled it ends the order. `request_id` comes back in the private channel."""

    inst_id: str
    client_order_id: str | None = None
    exchange_order_id: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    request_id: str = ""


class SendOutcome(NamedTuple):
    """`excerpt` is the start of the answer or the transport error, never a header or a secret.

    `exchange_order_id` is an algo order's id when an algo order was sent, amended or canceled.
    `code` is the envelope's, `sub_code` the row's sCode; `reason_code` is the one that decides.
    """

    kind: Outcome
    exchange_order_id: str = ""
    code: str = ""
    sub_code: str = ""
    message: str = ""
    http_status: int | None = None
    excerpt: str = ""
    retry_after_s: Decimal | None = None
    clock_skewed: bool = False

    @property
    def reason_code(self) -> str:
        return self.sub_code if self.sub_code not in ("", "0") else self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """One execution. `filled_at` is the exchange's fillTime on every path, never ts or uTime.

    `fee` is negative when charged.
    """

    inst_id: str
    trade_id: str
    exchange_order_id: str
    client_order_id: str
    side: Side
    position_side: PositionSide
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    realized_pnl: Decimal
    liquidity: str  # "maker", "taker" or "" when not told
    filled_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """One order as the exchange sees it. `fee` is cumulative and negative when charged."""

    inst_id: str
    inst_type: InstrumentType | None
    client_order_id: str
    exchange_order_id: str
    state: OrderState
    side: Side
    position_side: PositionSide
    margin_mode: MarginMode
    order_type: OrderType
    quantity: Decimal
    price: Decimal | None
    filled_quantity: Decimal
    average_price: Decimal | None
    fee: Decimal
    fee_currency: str
    reduce_only: bool
    cancel_source: str
    created_at: dt.datetime
    updated_at: dt.datetime
    code: str = ""
    message: str = ""
    leverage: Decimal | None = None
    realized_pnl: Decimal = Decimal(0)
    category: str = ""  # "normal", "full_liquidation", "adl", ...
    tag: str = ""
    target_currency: str = ""
    # The algo order that this order came from, if one did, and what it brings along itself.
    exchange_algo_id: str = ""
    client_algo_id: str = ""
    protections: tuple[ProtectionReport, ...] = ()
    # Only the private channel tells the fill behind an update with its own fee.
    last_fill: FillReport | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLookup:
    """`not_found` only for a well-formed answer with code 51603; any other failure is `unknown`."""

    kind: LookupKind
    report: OrderReport | None = None
    code: str = ""
    message: str = ""
    http_status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReport:
    """`quantity` is signed in net mode and positive for both sides in long-short mode."""

    inst_id: str
    inst_type: InstrumentType | None
    position_side: PositionSide
    margin_mode: MarginMode
    quantity: Decimal
    average_price: Decimal | None
    mark_price: Decimal | None
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    leverage: Decimal | None
    liquidation_price: Decimal | None
    notional_usd: Decimal
    margin: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    margin_ratio: Decimal | None
    currency: str
    position_id: str
    trade_id: str
    created_at: dt.datetime | None
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyBalance:
    currency: str
    equity: Decimal
    cash: Decimal
    available: Decimal
    frozen: Decimal
    unrealized_pnl: Decimal
    updated_at: dt.datetime
    equity_usd: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceReport:
    total_equity_usd: Decimal
    updated_at: dt.datetime
    details: tuple[CurrencyBalance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfigReport:
    uid: str
    main_uid: str
    account_level: str  # "1" spot, "2" futures, "3" multi-currency, "4" portfolio
    position_mode: PositionMode
    permissions: frozenset[str]  # "read_only", "trade", "withdraw"
    ip_bound: tuple[str, ...]
    label: str

    @property
    def is_sub_account(self) -> bool:
        return self.uid != self.main_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentReport:
    """`contract_*` are None or "" for spot; the `max_*_size` are None when not limited."""

    inst_id: str
    inst_id_code: int | None
    inst_type: InstrumentType
    base_currency: str
    quote_currency: str
    settle_currency: str
    contract_value: Decimal | None
    contract_multiplier: Decimal | None
    contract_value_currency: str
    contract_type: str  # "linear", "inverse" or ""
    lot_size: Decimal
    tick_size: Decimal
    min_size: Decimal
    max_market_size: Decimal | None
    max_limit_size: Decimal | None
    max_leverage: Decimal | None
    state: str  # "live", "suspend", "preopen", "test", ...
    listed_at: dt.datetime | None
    expires_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """Money paid into the trading account, or out of it when negative."""

    currency: str
    amount: Decimal
    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TickerReport:
    """An empty side of the book is None."""

    inst_id: str
    last: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPriceReport:
    inst_id: str
    price: Decimal
    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageReport:
    inst_id: str
    margin_mode: MarginMode
    position_side: PositionSide
    leverage: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatusReport:
    """Maintenance that the exchange announces. `service_type` says of what ("5" is trading)."""

    title: str
    state: str  # "scheduled", "ongoing", "pre_open", "completed" or "canceled"
    begins_at: dt.datetime
    ends_at: dt.datetime | None
    pre_opens_at: dt.datetime | None
    service_type: str
    system: str
    environment: str  # "1" production, "2" demo
    link: str
