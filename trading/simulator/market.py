"""A moving, seeded market: one price walk per instrument, pinned on request."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Final

from trading.simulator import instruments
from trading.simulator.book import Depth, Level, merged
from trading.simulator.decimals import EXACT, floor_to
from trading.simulator.instruments import Instrument
from trading.simulator.state import Entry

PRICE_BAND: Final = Decimal("0.05")
_TRADES_KEPT: Final = 500
_FUNDING_MS: Final = 8 * 3_600_000
_FUNDING_RATE: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class PublicTrade:
    inst_id: str
    trade_id: str
    price: Decimal
    size: Decimal
    side: str
    ts: int


@dataclass(frozen=True, slots=True)
class FundingDue:
    """One funding time of one swap: longs pay the rate to shorts when it is positive."""

    inst_id: str
    rate: Decimal
    at_ms: int


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
    depth: Depth
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
    def index(self) -> Decimal:
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
        self.suspended: set[str] = set()
        self.resting: Callable[[str, str], Iterable[Level]] = _nothing_rests
        self.now: Callable[[], int] = lambda: now_ms
        self._started = self._funded_until = now_ms
        self._random = Random(seed)  # noqa: S311 - a reproducible walk, not a secret
        self.quotes = {
            listed.inst_id: _first_quote(listed, seed, now_ms)
            for listed in instruments.BY_ID.values()
        }

    def state(self, inst_id: str) -> str:
        """As the instruments lists it: live or suspend."""
        return "suspend" if inst_id in self.suspended else "live"

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

    def walk_from(self, inst_id: str, price: Decimal, now_ms: int) -> None:
        """Go to this price and walk on from there."""
        quote = self.quotes[inst_id]
        quote.pinned = False
        self._set(quote, price, now_ms)

    def usd_price(self, ccy: str) -> Decimal:
        """Worth of one coin in USD; stable coins count as one."""
        quote = self.quotes.get(f"{ccy}-USDT") or self.quotes.get(f"{ccy}-USDT-SWAP")
        return quote.last if quote else Decimal(1)

    def book(self, inst_id: str, depth: int) -> tuple[list[Level], list[Level]]:
        """Asks and bids, best first, with the resting orders of customers."""
        quote = self.quotes[inst_id]
        now = self.now()
        asks = quote.depth.asks(quote.ask, quote.ts, now)
        bids = quote.depth.bids(quote.bid, quote.ts, now)
        sells = (each for each in self.resting(inst_id, "sell") if each.price > quote.bid)
        buys = (each for each in self.resting(inst_id, "buy") if each.price < quote.ask)
        return merged(asks, sells, depth, up=True), merged(bids, buys, depth, up=False)

    def levels(self, inst_id: str, side: str, now_ms: int) -> Iterator[Level]:
        """The liquidity a taker of this side meets, best price first, without customers' orders."""
        quote = self.quotes[inst_id]
        if side == "buy":
            return quote.depth.asks(quote.ask, quote.ts, now_ms)
        return quote.depth.bids(quote.bid, quote.ts, now_ms)

    def taken(self, inst_id: str, side: str, price: Decimal, size: Decimal, now_ms: int) -> str:
        """A taker took so much of what `levels` offers; returns the trade id."""
        self.quotes[inst_id].depth.take("asks" if side == "buy" else "bids", price, size, now_ms)
        return self.traded(inst_id, side, price, size, now_ms)

    def traded(self, inst_id: str, side: str, price: Decimal, size: Decimal, now_ms: int) -> str:
        """Print a trade of customers that used no liquidity of the market; returns its id."""
        quote = self.quotes[inst_id]
        trade_id = quote.take_trade_id()
        quote.trades.append(PublicTrade(inst_id, trade_id, price, size, side, now_ms))
        quote.volume += size
        quote.seq_id += 1
        return trade_id

    def funding_due(self, now_ms: int) -> list[FundingDue]:
        """Every funding time that has passed and was not given out before."""
        first = self._funded_until // _FUNDING_MS + 1
        times = [each * _FUNDING_MS for each in range(first, now_ms // _FUNDING_MS + 1)]
        self._funded_until = max(self._funded_until, now_ms)
        swaps = [each for each in instruments.BY_ID.values() if not each.is_spot]
        return [FundingDue(each.inst_id, _FUNDING_RATE, at) for at in times for each in swaps]

    def replay(self, entry: Entry) -> None:
        """Take in one entry of an earlier run: prices set, trade ids used, funding paid."""
        if self._funded_until == self._started:
            self._funded_until = 0
        self._funded_until = max(self._funded_until, entry["ts"])
        if entry["kind"] == "price":
            change = self.pin if entry.get("held", True) else self.walk_from
            change(entry["inst_id"], Decimal(entry["px"]), entry["ts"])
        if entry["kind"] == "fill":
            quote = self.quotes[entry["inst_id"]]
            quote.next_trade_id = max(quote.next_trade_id, abs(int(entry["trade_id"])))

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


def _nothing_rests(_inst_id: str, _side: str) -> Iterable[Level]:
    """The hook `resting(inst_id, "buy" or "sell")` until an exchange sets its own."""
    return ()


def _first_quote(listed: Instrument, seed: int, now_ms: int) -> Quote:
    price = listed.first_price
    quote = Quote(
        instrument=listed,
        last=price,
        ts=now_ms,
        last_size=listed.minimum,
        open_24h=floor_to(price * Decimal("0.99"), listed.tick),
        high_24h=floor_to(price * Decimal("1.012"), listed.tick),
        low_24h=floor_to(price * Decimal("0.984"), listed.tick),
        depth=Depth(listed, seed),
    )
    trade_id = quote.take_trade_id()
    quote.trades.append(PublicTrade(listed.inst_id, trade_id, price, listed.minimum, "buy", now_ms))
    return quote
