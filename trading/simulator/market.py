"""A moving, seeded market: one price walk per instrument, pinned on request."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Final

from trading.simulator import instruments
from trading.simulator.decimals import EXACT, floor_to
from trading.simulator.instruments import Instrument

PRICE_BAND: Final = Decimal("0.05")
_TRADES_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class PublicTrade:
    inst_id: str
    trade_id: str
    price: Decimal
    size: Decimal
    side: str
    ts: int


@dataclass(frozen=True, slots=True)
class Level:
    price: Decimal
    size: Decimal
    orders: int


@dataclass(slots=True)
class Quote:
    """The state of one instrument's market; the spread is one tick each way."""

    instrument: Instrument
    last: Decimal
    ts: int
    last_size: Decimal
    open_24h: Decimal
    high_24h: Decimal
    low_24h: Decimal
    pinned: bool = False
    seq_id: int = 1000
    volume: Decimal = Decimal(1_000_000)
    next_trade_id: int = 130_000_000
    trades: deque[PublicTrade] = field(default_factory=lambda: deque(maxlen=_TRADES_KEPT))

    @property
    def bid(self) -> Decimal:
        return max(self.last - self.instrument.tick, self.instrument.tick)

    @property
    def ask(self) -> Decimal:
        return self.last + self.instrument.tick

    @property
    def mark(self) -> Decimal:
        return self.last

    @property
    def buy_limit(self) -> Decimal:
        return floor_to(self.last * (1 + PRICE_BAND), self.instrument.tick) + self.instrument.tick

    @property
    def sell_limit(self) -> Decimal:
        lowest = floor_to(self.last * (1 - PRICE_BAND), self.instrument.tick)
        return max(lowest, self.instrument.tick)

    def best(self, side: str) -> Decimal:
        """What a taker on this side gets at once."""
        return self.ask if side == "buy" else self.bid

    def take_trade_id(self) -> str:
        self.next_trade_id += 1
        return str(self.next_trade_id)


class Market:
    """All quotes. The same seed gives the same walk."""

    def __init__(self, seed: int, now_ms: int) -> None:
        self.seed = seed
        self._random = Random(seed)  # noqa: S311 - a reproducible walk, not a secret
        self.quotes = {
            listed.inst_id: _first_quote(listed, now_ms) for listed in instruments.BY_ID.values()
        }

    def quote(self, inst_id: str) -> Quote:
        return self.quotes[inst_id]

    def step(self, now_ms: int) -> list[str]:
        """Move every quote that is not pinned; returns the instruments that moved."""
        moved = [inst_id for inst_id, quote in self.quotes.items() if not quote.pinned]
        for inst_id in moved:
            quote = self.quotes[inst_id]
            self._set(quote, self._next_price(quote), now_ms)
        return moved

    def pin(self, inst_id: str, price: Decimal, now_ms: int) -> None:
        """Hold the instrument at this price: mark and last equal it, bid and ask follow."""
        quote = self.quotes[inst_id]
        quote.pinned = True
        self._set(quote, price, now_ms)

    def usd_price(self, ccy: str) -> Decimal:
        """Worth of one coin in USD; stable coins count as one."""
        quote = self.quotes.get(f"{ccy}-USDT") or self.quotes.get(f"{ccy}-USDT-SWAP")
        return quote.last if quote else Decimal(1)

    def book(self, inst_id: str, depth: int) -> tuple[list[Level], list[Level]]:
        """Asks and bids, best first: a picture; every fill happens at the best price."""
        quote = self.quotes[inst_id]
        tick = quote.instrument.tick
        asks = [self._level(quote, quote.ask + tick * step) for step in range(depth)]
        prices = (quote.bid - tick * step for step in range(depth))
        bids = [self._level(quote, price) for price in prices if price > 0]
        return asks, bids

    def _level(self, quote: Quote, price: Decimal) -> Level:
        ticks = int(price / quote.instrument.tick)
        lots = (ticks * 7919 + self.seed * 104_729) % 9000 + 500
        return Level(price, quote.instrument.minimum * lots, lots % 23 + 1)

    def _next_price(self, quote: Quote) -> Decimal:
        """A step of at most 0.02 %, leaning back towards the first price."""
        first = quote.instrument.first_price
        lean = 5 if quote.last < first else -5
        parts_per_million = self._random.randint(-200, 200) + lean
        moved = quote.last * (1_000_000 + parts_per_million) / 1_000_000
        tick = quote.instrument.tick
        ticks = EXACT.divide(moved, tick).to_integral_value(rounding=ROUND_HALF_EVEN)
        return max(ticks, Decimal(2)) * tick

    def _set(self, quote: Quote, price: Decimal, now_ms: int) -> None:
        side = "buy" if price >= quote.last else "sell"
        size = quote.instrument.minimum * self._random.randint(1, 400)
        quote.last, quote.last_size, quote.ts = price, size, now_ms
        quote.high_24h = max(quote.high_24h, price)
        quote.low_24h = min(quote.low_24h, price)
        quote.volume += size
        quote.seq_id += 1
        trade_id = quote.take_trade_id()
        inst_id = quote.instrument.inst_id
        quote.trades.append(PublicTrade(inst_id, trade_id, price, size, side, now_ms))


def _first_quote(listed: Instrument, now_ms: int) -> Quote:
    price = listed.first_price
    quote = Quote(
        instrument=listed,
        last=price,
        ts=now_ms,
        last_size=listed.minimum,
        open_24h=floor_to(price * Decimal("0.99"), listed.tick),
        high_24h=floor_to(price * Decimal("1.012"), listed.tick),
        low_24h=floor_to(price * Decimal("0.984"), listed.tick),
    )
    trade_id = quote.take_trade_id()
    quote.trades.append(PublicTrade(listed.inst_id, trade_id, price, listed.minimum, "buy", now_ms))
    return quote
