"""An exchange in memory that lies about answers and never about its books."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading.exchange import types as said
from trading.exchange.clock import ExchangeClock

PRICE = Decimal(60_000)
REDUCE_ONLY_REFUSED = "51169"
NO_MARGIN = "51008"
TOO_LATE = "50036"
RESTING = (said.OrderType.LIMIT, said.OrderType.POST_ONLY)
FINAL = (said.OrderState.FILLED, said.OrderState.CANCELED)


@dataclass
class Held:
    """One accepted order, as the exchange has it."""

    account: str
    request: said.PlaceRequest
    ord_id: str
    accepted_ms: int
    exp_at_ms: int
    state: said.OrderState = said.OrderState.LIVE
    fills: list[said.FillReport] = field(default_factory=list)
    updated_ms: int = 0

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))


@dataclass(frozen=True)
class InFlight:
    """A request that left and has not arrived."""

    account: str
    request: said.PlaceRequest
    exp_at_ms: int


@dataclass
class Venue:
    """`moods` are taken one by one: how the next requests fare. Empty: all goes well."""

    now_ms: Callable[[], int]
    moods: deque[str] = field(default_factory=deque)
    reads: deque[str] = field(default_factory=deque)
    accepted: list[Held] = field(default_factory=list)
    in_flight: list[InFlight] = field(default_factory=list)
    pushes: list[tuple[str, said.OrderReport]] = field(default_factory=list)
    leverage: dict[str, Decimal] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.clock = ExchangeClock(self.now_ms)

    # What happens at the exchange.

    def arrive(self, sent: InFlight, *, fill: bool = True) -> tuple[Held | None, str]:
        """Take an order, or say by its code why not."""
        if self.now_ms() > sent.exp_at_ms:
            return None, TOO_LATE
        if sent.request.reduce_only and not self._may_reduce(sent):
            return None, REDUCE_ONLY_REFUSED
        held = Held(
            sent.account, sent.request, str(next(self.numbers)), self.now_ms(), sent.exp_at_ms
        )
        self.accepted.append(held)
        if fill and sent.request.order_type not in RESTING:
            self.fill(held, sent.request.quantity)
        else:
            self._push(held)
        return held, ""

    def fill(self, held: Held, quantity: Decimal) -> None:
        quantity = min(quantity, held.request.quantity - held.filled)
        if held.request.reduce_only:
            quantity = min(quantity, abs(self.position(held.account)))
        if quantity > 0:
            held.fills.append(self._fill_report(held, quantity))
        if held.filled == held.request.quantity:
            held.state = said.OrderState.FILLED
        elif held.filled > 0:
            held.state = said.OrderState.PARTIALLY_FILLED
        if quantity <= 0:
            held.state = said.OrderState.CANCELED
        self._push(held)

    def cancel(self, held: Held) -> None:
        held.state = said.OrderState.CANCELED
        self._push(held)

    def open(self, account: str | None = None) -> list[Held]:
        return [h for h in self.accepted if h.state not in FINAL and account in (None, h.account)]

    def position(self, account: str) -> Decimal:
        return sum(
            (
                fill.quantity if fill.side == said.Side.BUY else -fill.quantity
                for held in self.accepted
                if held.account == account
                for fill in held.fills
            ),
            Decimal(0),
        )

    def _may_reduce(self, sent: InFlight) -> bool:
        position = self.position(sent.account)
        signed = sent.request.quantity * (1 if sent.request.side == said.Side.BUY else -1)
        return position * signed < 0 and abs(signed) <= abs(position)

    def _push(self, held: Held) -> None:
        held.updated_ms = max(self.now_ms(), held.updated_ms + 1)
        self.pushes.append((held.account, self.report(held, pushed=True)))

    def _fill_report(self, held: Held, quantity: Decimal) -> said.FillReport:
        return said.FillReport(
            inst_id=held.request.inst_id,
            trade_id=f"t{next(self.numbers)}",
            exchange_order_id=held.ord_id,
            client_order_id=held.request.client_order_id,
            side=held.request.side,
            position_side=said.PositionSide.NET,
            quantity=quantity,
            price=PRICE,
            fee=Decimal("-0.1") * quantity,
            fee_currency="USDT",
            realized_pnl=Decimal(0),
            liquidity="taker",
            filled_at=_at(self.now_ms()),
        )

    def report(self, held: Held, *, pushed: bool = False) -> said.OrderReport:
        request = held.request
        return said.OrderReport(
            inst_id=request.inst_id,
            inst_type=said.InstrumentType.SWAP,
            client_order_id=request.client_order_id,
            exchange_order_id=held.ord_id,
            state=held.state,
            side=request.side,
            position_side=said.PositionSide.NET,
            margin_mode=request.margin_mode,
            order_type=request.order_type,
            quantity=request.quantity,
            price=request.price,
            filled_quantity=held.filled,
            average_price=PRICE if held.fills else None,
            fee=sum((fill.fee for fill in held.fills), Decimal(0)),
            fee_currency="USDT",
            reduce_only=request.reduce_only,
            cancel_source="",
            created_at=_at(held.accepted_ms),
            updated_at=_at(held.updated_ms),
            last_fill=held.fills[-1] if pushed and held.fills else None,
        )


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class VenueClient:
    """The door to a venue in memory: what the product knows as its exchange client."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.clock = venue.clock

    # Writes never raise.

    async def place_order(
        self, credentials: said.Credentials, request: said.PlaceRequest, *, exp_at_ms: int
    ) -> said.SendOutcome:
        sent = InFlight(credentials.api_key, request, exp_at_ms)
        return self._answer(sent, self._mood())

    async def place_orders(
        self,
        placements: Sequence[said.Placement],
        done: Callable[[int, said.SendOutcome], None],
    ) -> None:
        for place, each in enumerate(placements):
            sent = InFlight(each.credentials.api_key, each.request, each.exp_at_ms)
            done(place, self._answer(sent, self._mood()))

    def _mood(self) -> str:
        return self.venue.moods.popleft() if self.venue.moods else "ok"

    def _answer(self, sent: InFlight, mood: str) -> said.SendOutcome:
        if mood == "late":
            self.venue.in_flight.append(sent)
        if mood in ANSWERS:
            return ANSWERS[mood]
        held, code = self.venue.arrive(sent, fill=mood != "slowly")
        if mood == "unheard":
            return UNKNOWN
        if held is not None:
            return said.SendOutcome(kind=said.Outcome.ACK, exchange_order_id=held.ord_id)
        kind = said.Outcome.NOT_PLACED if code == TOO_LATE else said.Outcome.REJECTED
        return said.SendOutcome(kind=kind, code="1", sub_code=code)

    async def cancel_order(
        self, credentials: said.Credentials, request: said.CancelRequest
    ) -> said.SendOutcome:
        mood = self._mood()
        held = self._find(credentials, request.client_order_id, request.exchange_order_id)
        if mood in ("lost", "late"):
            return UNKNOWN
        if held is None or held.state in FINAL:
            return said.SendOutcome(kind=said.Outcome.REJECTED, code="1", sub_code="51400")
        self.venue.cancel(held)
        if mood == "unheard":
            return UNKNOWN
        return said.SendOutcome(kind=said.Outcome.ACK, exchange_order_id=held.ord_id)

    async def cancel_orders(
        self, credentials: said.Credentials, requests: Sequence[said.CancelRequest]
    ) -> tuple[said.SendOutcome, ...]:
        return tuple([await self.cancel_order(credentials, each) for each in requests])

    async def amend_order(
        self, credentials: said.Credentials, request: Any, *, exp_at_ms: int
    ) -> said.SendOutcome:
        held = self._find(credentials, request.client_order_id, request.exchange_order_id)
        mood = self._mood()
        if mood in ("lost", "late") or self.venue.now_ms() > exp_at_ms:
            return UNKNOWN
        if held is None or held.state in FINAL:
            return said.SendOutcome(kind=said.Outcome.REJECTED, code="1", sub_code="51510")
        return UNKNOWN if mood == "unheard" else said.SendOutcome(kind=said.Outcome.ACK)

    async def set_leverage(
        self, credentials: said.Credentials, inst_id: str, leverage: Decimal, *_: Any
    ) -> said.SendOutcome:
        self.venue.leverage[credentials.api_key] = leverage
        return said.SendOutcome(kind=said.Outcome.ACK)

    # Reads say the truth, or fail.

    async def fetch_order(
        self,
        credentials: said.Credentials,
        inst_id: str,
        *,
        client_order_id: str | None = None,
        exchange_order_id: str | None = None,
    ) -> said.OrderLookup:
        if self._fails():
            return said.OrderLookup(kind=said.LookupKind.UNKNOWN, code="50026")
        held = self._find(credentials, client_order_id, exchange_order_id)
        if held is None:
            return said.OrderLookup(kind=said.LookupKind.NOT_FOUND, code="51603")
        return said.OrderLookup(kind=said.LookupKind.FOUND, report=self.venue.report(held))

    async def fetch_open_orders(
        self, credentials: said.Credentials, inst_type: Any = None
    ) -> tuple[said.OrderReport, ...]:
        self._may_fail()
        return tuple(map(self.venue.report, self.venue.open(credentials.api_key)))

    async def fetch_order_history(
        self, credentials: said.Credentials, inst_type: Any, *, begin_ms: int | None = None
    ) -> tuple[said.OrderReport, ...]:
        self._may_fail()
        return tuple(self.venue.report(h) for h in self._mine(credentials) if h.state in FINAL)

    async def fetch_fills(
        self,
        credentials: said.Credentials,
        inst_type: Any = None,
        *,
        begin_ms: int | None = None,
        exchange_order_id: str | None = None,
    ) -> tuple[said.FillReport, ...]:
        self._may_fail()
        return tuple(fill for held in self._mine(credentials) for fill in held.fills)

    async def fetch_positions(
        self, credentials: said.Credentials, inst_type: Any = None
    ) -> tuple[said.PositionReport, ...]:
        self._may_fail()
        quantity = self.venue.position(credentials.api_key)
        return (position_report(quantity, self.venue.now_ms()),) if quantity else ()

    async def fetch_balance(self, credentials: said.Credentials) -> said.BalanceReport:
        now = _at(self.venue.now_ms())
        return said.BalanceReport(total_equity_usd=Decimal(10_000), updated_at=now, details=())

    async def fetch_leverage(
        self, credentials: said.Credentials, inst_id: str, margin_mode: said.MarginMode
    ) -> tuple[said.LeverageReport, ...]:
        leverage = self.venue.leverage.get(credentials.api_key, Decimal(3))
        return (
            said.LeverageReport(
                inst_id=inst_id,
                margin_mode=margin_mode,
                position_side=said.PositionSide.NET,
                leverage=leverage,
            ),
        )

    async def fetch_open_algo_orders(self, *_: Any, **__: Any) -> tuple[Any, ...]:
        return ()

    async def fetch_algo_order_history(self, *_: Any, **__: Any) -> tuple[Any, ...]:
        return ()

    async def fetch_time_ms(self) -> int:
        return self.venue.now_ms()

    async def aclose(self) -> None: ...

    def _fails(self) -> bool:
        return bool(self.venue.reads) and self.venue.reads.popleft() == "fail"

    def _may_fail(self) -> None:
        if self._fails():
            from trading.exchange.errors import ReadFailed

            raise ReadFailed("the exchange did not answer")

    def _mine(self, credentials: said.Credentials) -> list[Held]:
        return [h for h in reversed(self.venue.accepted) if h.account == credentials.api_key]

    def _find(
        self, credentials: said.Credentials, name: str | None, ord_id: str | None
    ) -> Held | None:
        """The latest of that name: a double hides behind it, as at the real one."""
        return next(
            (
                held
                for held in self._mine(credentials)
                if (ord_id and held.ord_id == ord_id)
                or (not ord_id and held.request.client_order_id == name)
            ),
            None,
        )


UNKNOWN = said.SendOutcome(kind=said.Outcome.UNKNOWN, excerpt="no answer")
ANSWERS = {
    "late": UNKNOWN,
    "lost": UNKNOWN,
    "limited": said.SendOutcome(kind=said.Outcome.NOT_PLACED, code="50011", message="slow"),
    "refused": said.SendOutcome(kind=said.Outcome.REJECTED, code="1", sub_code=NO_MARGIN),
}


def position_report(quantity: Decimal, now_ms: int = 0) -> said.PositionReport:
    """A cross position in net mode."""
    now = _at(now_ms)
    return said.PositionReport(
        inst_id="BTC-USDT-SWAP",
        inst_type=said.InstrumentType.SWAP,
        position_side=said.PositionSide.NET,
        margin_mode=said.MarginMode.CROSS,
        quantity=quantity,
        average_price=PRICE,
        mark_price=PRICE,
        unrealized_pnl=Decimal(0),
        realized_pnl=Decimal(0),
        leverage=Decimal(1),
        liquidation_price=None,
        notional_usd=Decimal(0),
        margin=Decimal(0),
        initial_margin=Decimal(0),
        maintenance_margin=Decimal(0),
        margin_ratio=None,
        currency="USDT",
        position_id="1",
        trade_id="",
        created_at=now,
        updated_at=now,
    )
