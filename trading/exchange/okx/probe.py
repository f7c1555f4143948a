"""Measures, with the smallest orders, what OKX's documents leave open. For demo keys only."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from statistics import median

from trading.exchange.clock import ExchangeClock
from trading.exchange.errors import ExchangeError
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import (
    CancelRequest,
    Credentials,
    InstrumentReport,
    InstrumentType,
    LookupKind,
    MarginMode,
    OrderType,
    Outcome,
    PlaceRequest,
    PositionMode,
    PositionSide,
    SendOutcome,
    Side,
)

AMBIGUOUS = ("50013", "50026")
TTL_MS = 5000
BEHIND_MS = 10_000
FAR_BELOW = Decimal("0.8")
LOOK_EVERY_S = 0.05
LOOK_FOR_S = 15.0
SETTLE_S = 0.5


class ProbeRefused(Exception):  # noqa: N818 - says what happened
    """The account is not one to try things on. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a second order under a used client order id was told, so long after the first ended."""

    after_s: float
    outcome: str
    code: str
    message: str


@dataclass(slots=True)
class Findings:
    orders_sent: int = 0
    clock_offset_ms: int = 0
    while_live: list[Repeat] = field(default_factory=list)
    after_cancel: list[Repeat] = field(default_factory=list)
    after_fill: list[Repeat] = field(default_factory=list)
    expired_code: str = ""
    expired_status: int | None = None
    expired_placed: bool = False
    lags_ms: list[int] = field(default_factory=list)
    not_found_answers: int = 0
    ambiguous: dict[str, int] = field(default_factory=lambda: dict.fromkeys(AMBIGUOUS, 0))
    ambiguous_placed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(AMBIGUOUS, 0))
    left_behind: list[str] = field(default_factory=list)

    @property
    def worst_lag_ms(self) -> int:
        return max(self.lags_ms, default=0)

    @property
    def usual_lag_ms(self) -> int:
        return round(median(self.lags_ms)) if self.lags_ms else 0


@dataclass(frozen=True, slots=True)
class _Terms:
    listed: InstrumentReport
    position_side: PositionSide | None
    resting_price: Decimal


async def probe(
    client: OkxClient,
    credentials: Credentials,
    inst_id: str,
    *,
    rounds: int,
    repeats_s: Sequence[float],
) -> Findings:
    """Everything, one thing after another, and cleaned up whatever happens. Raises ProbeRefused."""
    probing = _Probing(client, credentials, await _terms(client, credentials, inst_id), repeats_s)
    try:
        probing.findings.clock_offset_ms = await client.sync_clock()
        for _ in range(rounds):
            # First: how long all others have to look for an order follows from it.
            await probing.measure_lag()
        await probing.send_expired()
        await probing.repeat_while_live_and_after_cancel()
        await probing.repeat_after_fill()
    finally:
        probing.findings.left_behind = await probing.clean_up()
    return probing.findings


async def _terms(client: OkxClient, credentials: Credentials, inst_id: str) -> _Terms:
    """An account with nothing in that instrument, so that all of it is ours to take away."""
    try:
        config = await client.fetch_account_config(credentials)
        positions = await client.fetch_positions(credentials, InstrumentType.SWAP)
        resting = await client.fetch_open_orders(credentials, InstrumentType.SWAP)
        listed = {
            each.inst_id: each for each in await client.fetch_instruments(InstrumentType.SWAP)
        }
        tickers = {each.inst_id: each for each in await client.fetch_tickers(InstrumentType.SWAP)}
    except ExchangeError as error:
        raise ProbeRefused(f"the account cannot be read: {error}") from error
    held = {each.inst_id for each in positions} | {each.inst_id for each in resting}
    if inst_id in held:
        raise ProbeRefused(f"the account has orders or a position in {inst_id}")
    ticker = tickers.get(inst_id)
    if inst_id not in listed or ticker is None or ticker.last is None:
        raise ProbeRefused(f"{inst_id} is no swap with a price")
    ticks = (ticker.last * FAR_BELOW / listed[inst_id].tick_size).quantize(1, ROUND_DOWN)
    return _Terms(
        listed[inst_id],
        PositionSide.LONG if config.position_mode is PositionMode.LONG_SHORT else None,
        ticks * listed[inst_id].tick_size,
    )


class _Probing:
    """The orders of one probe, of which none may be left behind."""

    def __init__(
        self,
        client: OkxClient,
        credentials: Credentials,
        terms: _Terms,
        repeats_s: Sequence[float],
    ) -> None:
        self.findings = Findings()
        self._client = client
        self._credentials = credentials
        self._terms = terms
        self._repeats_s = repeats_s
        self._inst_id = terms.listed.inst_id
        self._names: list[str] = []
        self._accepted: list[str] = []

    async def repeat_while_live_and_after_cancel(self) -> None:
        name = self._new_name()
        first = await self._send(self._resting(name))
        if first.kind is not Outcome.ACK:
            return
        again = await self._send(self._resting(name))
        self.findings.while_live.append(_repeat(0, again))
        await self._cancel_all()
        for waited in await self._wait_and_repeat(self._resting(name)):
            self.findings.after_cancel.append(waited)
        await self._cancel_all()

    async def repeat_after_fill(self) -> None:
        """The second one would close what the first opened: the smallest harm it can do."""
        name = self._new_name()
        first = await self._send(self._market(name, Side.BUY))
        if first.kind is Outcome.ACK:
            closing = self._market(name, Side.SELL)
            self.findings.after_fill += await self._wait_and_repeat(closing)

    async def send_expired(self) -> None:
        """By a client whose clock is behind: it takes the deadline for one to come."""
        clock = self._client.clock
        behind = OkxClient(
            self._client.endpoint, clock=ExchangeClock(lambda: clock.now_ms() - BEHIND_MS)
        )
        name = self._new_name()
        exp_at_ms = behind.clock.now_ms() + TTL_MS
        self.findings.orders_sent += 1
        outcome = await behind.place_order(
            self._credentials, self._resting(name), exp_at_ms=exp_at_ms
        )
        await behind.aclose()
        self.findings.expired_code = outcome.reason_code
        self.findings.expired_status = outcome.http_status
        self.findings.expired_placed = await self._is_placed(name)

    async def measure_lag(self) -> None:
        name = self._new_name()
        outcome = await self._send(self._resting(name))
        if outcome.kind is not Outcome.ACK:
            return
        loop = asyncio.get_running_loop()
        acknowledged = loop.time()
        asked = acknowledged
        while asked - acknowledged < LOOK_FOR_S:
            lookup = await self._client.fetch_order(
                self._credentials, self._inst_id, client_order_id=name
            )
            if lookup.kind is LookupKind.FOUND:
                self.findings.lags_ms.append(round((asked - acknowledged) * 1000))
                break
            self.findings.not_found_answers += lookup.kind is LookupKind.NOT_FOUND
            await asyncio.sleep(LOOK_EVERY_S)
            asked = loop.time()
        await self._cancel_all()

    async def clean_up(self) -> list[str]:
        """Cancel and close until nothing is left; what is, in words."""
        left = ["not read yet"]
        for _ in range(5):
            # What was placed last may be listed late.
            await asyncio.sleep(self._settle_s)
            try:
                await self._cancel_all()
                left = await self._close()
            except ExchangeError as error:
                left = [f"cannot be read: {error}"]
            if not left:
                break
        return left

    @property
    def _settle_s(self) -> float:
        return SETTLE_S + 2 * self.findings.worst_lag_ms / 1000

    async def _close(self) -> list[str]:
        open_now = [
            each
            for each in await self._client.fetch_positions(self._credentials, InstrumentType.SWAP)
            if each.inst_id == self._inst_id and each.quantity
        ]
        for each in open_now:
            await self._client.close_position(
                self._credentials,
                self._inst_id,
                each.margin_mode,
                self._terms.position_side,
                auto_cancel=True,
            )
        resting = await self._ours_resting()
        return [f"a position of {each.quantity}" for each in open_now] + [
            f"order {order_id}" for order_id in resting
        ]

    async def _cancel_all(self) -> None:
        """By the exchange's ids: one name may stand for several, and lists may be late."""
        ids = dict.fromkeys([*self._accepted, *await self._ours_resting()])
        requests = [CancelRequest(inst_id=self._inst_id, exchange_order_id=each) for each in ids]
        outcomes = await self._client.cancel_orders(self._credentials, requests)
        ended = {Outcome.ACK, Outcome.REJECTED}
        self._accepted = [
            each for each, told in zip(ids, outcomes, strict=True) if told.kind not in ended
        ]

    async def _ours_resting(self) -> list[str]:
        resting = await self._client.fetch_open_orders(self._credentials, InstrumentType.SWAP)
        return [each.exchange_order_id for each in resting if each.client_order_id in self._names]

    async def _wait_and_repeat(self, request: PlaceRequest) -> list[Repeat]:
        """At growing distances, until one is accepted."""
        told: list[Repeat] = []
        waited = 0.0
        for after_s in self._repeats_s:
            await asyncio.sleep(after_s - waited)
            waited = after_s
            outcome = await self._send(request)
            told.append(_repeat(after_s, outcome))
            if outcome.kind is Outcome.ACK:
                break
        return told

    async def _send(self, request: PlaceRequest) -> SendOutcome:
        self.findings.orders_sent += 1
        exp_at_ms = self._client.clock.now_ms() + TTL_MS
        outcome = await self._client.place_order(self._credentials, request, exp_at_ms=exp_at_ms)
        if outcome.kind is Outcome.ACK:
            self._accepted.append(outcome.exchange_order_id)
        if outcome.reason_code in AMBIGUOUS:
            self.findings.ambiguous[outcome.reason_code] += 1
            placed = await self._is_placed(request.client_order_id)
            self.findings.ambiguous_placed[outcome.reason_code] += placed
        return outcome

    async def _is_placed(self, name: str) -> bool:
        """Asked when any lag of reading is over."""
        await asyncio.sleep(self._settle_s)
        lookup = await self._client.fetch_order(
            self._credentials, self._inst_id, client_order_id=name
        )
        return lookup.kind is LookupKind.FOUND

    def _new_name(self) -> str:
        name = f"probe{secrets.token_hex(10)}"
        self._names.append(name)
        return name

    def _resting(self, name: str) -> PlaceRequest:
        return self._order(name, Side.BUY, OrderType.POST_ONLY, self._terms.resting_price)

    def _market(self, name: str, side: Side) -> PlaceRequest:
        return self._order(name, side, OrderType.MARKET, None)

    def _order(
        self, name: str, side: Side, order_type: OrderType, price: Decimal | None
    ) -> PlaceRequest:
        return PlaceRequest(
            inst_id=self._inst_id,
            side=side,
            position_side=self._terms.position_side,
            margin_mode=MarginMode.CROSS,
            order_type=order_type,
            quantity=self._terms.listed.min_size,
            price=price,
            reduce_only=side is Side.SELL,
            client_order_id=name,
        )


def _repeat(after_s: float, outcome: SendOutcome) -> Repeat:
    return Repeat(after_s, outcome.kind.value, outcome.reason_code, outcome.message)
