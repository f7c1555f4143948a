"""The market: where every instrument's prices stand, what its book holds, what was traded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from trading.simulator import instruments
from trading.simulator.book import Depth, Level, merged
from trading.simulator.decimals import floor_to
from trading.simulator.instruments import Instrument
from trading.simulator.noise import draw, key_of
from trading.simulator.paths import STEP_MS
from trading.simulator.rates import Funding
from trading.simulator.state import Entry
from trading.simulator.tape import Tape
from trading.simulator.walks import PriceBar, Walk

PRICE_BAND: Final = Decimal("0.05")

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 86_400_000
_OPEN_USD: Final = 200_000_000
_FIRST_TRADES: Final = 40
_STEPS_PRINTED: Final = 40
_IDS_SINCE_MS: Final = 1_577_836_800_000


@dataclass(frozen=True, slots=True)
class FundingDue:
    """One funding time of one swap: longs pay the rate to shorts when it is positive."""

    inst_id: str
    rate: Decimal
    at_ms: int


@dataclass(slots=True)
class Quote:
    """The state of one instrument's market; the spread is one tick each way.

    `low` and `high` are the prices reached by the newest step or change, the last included.
    """

    instrument: Instrument
    walk: Walk
    depth: Depth
    tape: Tape
    last: Decimal
    mark: Decimal
    index: Decimal
    low: Decimal
    high: Decimal
    ts: int
    stepped: int
    pinned: bool = False
    seq_id: int = 1000
    replayed: int = 0
    _days: dict[str, tuple[int, PriceBar]] = field(default_factory=dict)

    @property
    def bid(self) -> Decimal:
        return max(self.last - self.instrument.tick, self.instrument.tick)

    @property
    def ask(self) -> Decimal:
        return self.last + self.instrument.tick

    @property
    def buy_limit(self) -> Decimal:
        return floor_to(self.mark * (1 + PRICE_BAND), self.instrument.tick) + self.instrument.tick

    @property
    def sell_limit(self) -> Decimal:
        lowest = floor_to(self.mark * (1 - PRICE_BAND), self.instrument.tick)
        return max(lowest, self.instrument.tick)

    def take_trade_id(self) -> str:
        """For a trade that is not public."""
        self.tape.next_id += 1
        return str(self.tape.next_id)

    def best(self, side: str) -> Decimal:
        """The best price of the market itself for a taker on this side."""
        return self.ask if side == "buy" else self.bid

    def day(self, now_ms: int, kind: str = "last") -> PriceBar:
        """The last 24 hours, counted from the beginning of a minute."""
        minute = now_ms // _MINUTE * _MINUTE
        known = self._days.get(kind)
        if known is None or known[0] != minute:
            known = self._days[kind] = minute, self.walk.bar(minute - _DAY, minute, kind)
        before, running = known[1], self.walk.bar(minute, now_ms, kind)
        return PriceBar(
            before.open,
            max(before.high, running.high),
            min(before.low, running.low),
            running.close,
            before.volume + running.volume,
        )

    def open_interest(self, now_ms: int) -> Decimal:
        """Of the whole market, about 200 million USD; it changes by the hour."""
        listed = self.instrument
        lots = int(_OPEN_USD / listed.usd_notional(listed.lot, listed.first_price))
        drawn = draw(key_of(listed.inst_id, "open interest"), now_ms // _HOUR)
        return listed.lot * (lots * (9000 + drawn % 2001) // 10_000)

    def refresh(self, now_ms: int) -> None:
        """Take the prices of this moment."""
        last = self.walk.price(now_ms)
        self.low = self.high = self.last = last
        self.mark = self.walk.price(now_ms, "mark")
        self.index = self.walk.price(now_ms, "index")
        self.ts = now_ms
        self.seq_id += 1


class Market:
    """All quotes. The same seed and speed give the same prices at the same time.

    `speed` is how many times as fast as the clock prices walk and funding comes.
    A market that is not `moving` stands at the first prices until it is told otherwise.
    """

    def __init__(self, seed: int, now_ms: int, *, speed: int = 1, moving: bool = False) -> None:
        self.seed = seed
        self.suspended: set[str] = set()
        self.delisted: dict[str, int] = {}
        self.speed = speed
        self.moving = moving
        self.funding = Funding(seed, speed)
        self.resting: Callable[[str, str], Iterable[Level]] = _nothing_rests
        self.now: Callable[[], int] = lambda: now_ms
        self._started = self._funded_until = now_ms
        self._recorded_until = 0
        self._is_settled = False
        self.quotes = {
            listed.inst_id: _first_quote(self, listed, now_ms)
            for listed in instruments.BY_ID.values()
        }

    def state(self, inst_id: str) -> str:
        """As the instruments lists it: live or suspend."""
        return "suspend" if inst_id in self.suspended else "live"

    def expires(self, inst_id: str) -> str:
        """When it will be delisted, as the instruments list it: empty where nobody said so."""
        return str(self.delisted.get(inst_id, ""))

    def quote(self, inst_id: str) -> Quote:
        return self.quotes[inst_id]

    def step(self, now_ms: int) -> list[str]:
        """Go on to this moment where prices are not held; returns the instruments that moved."""
        after = now_ms // STEP_MS
        moved = []
        for inst_id, quote in self.quotes.items():
            if quote.stepped != after and not quote.walk.held:
                _advance(quote, after, now_ms)
                moved.append(inst_id)
        return moved

    def pin(self, inst_id: str, price: Decimal, now_ms: int) -> None:
        """Hold the instrument at this price: last, mark and index equal it, the book follows."""
        quote = self.quotes[inst_id]
        quote.pinned = True
        quote.walk.hold(price, now_ms)
        self._changed(inst_id, now_ms)

    def unpin(self, inst_id: str, now_ms: int) -> None:
        """Let the price walk on from where it stands."""
        self.walk_from(inst_id, self.quotes[inst_id].last, now_ms)

    def walk_from(self, inst_id: str, price: Decimal, now_ms: int) -> None:
        """Jump to this price and walk on from there (stand there when the market stands)."""
        quote = self.quotes[inst_id]
        quote.pinned = False
        change = quote.walk.walk_from if self.moving else quote.walk.hold
        change(price, now_ms)
        self._changed(inst_id, now_ms)

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
        quote.walk.traded(price, size, now_ms)
        quote.seq_id += 1
        return quote.tape.print(side, price, size, now_ms)

    def funding_due(self, now_ms: int) -> list[FundingDue]:
        """Every funding time that has passed and was not given out before."""
        since, self._funded_until = self._funded_until, max(self._funded_until, now_ms)
        numbers = range(self.funding.number_at(since) + 1, self.funding.number_at(now_ms) + 1)
        return [
            FundingDue(each.inst_id, self.funding.rate(each.inst_id, number), at_ms)
            for number in numbers
            for at_ms in (self.funding.time(number),)
            for each in instruments.of_type("SWAP")
        ]

    def replay(self, entry: Entry) -> None:
        """Take in one entry of an earlier run, in order: prices set and trades made then.

        Funding times are due from the last that an earlier run has settled to its end;
        before the first of them, from its last entry.
        """
        if entry["kind"] == "funded":
            self._funded_until, self._is_settled = entry["at"], True
        elif not self._is_settled:
            self._recorded_until = max(self._recorded_until, entry["ts"])
            self._funded_until = self._recorded_until
        if entry["kind"] == "price":
            change = self.pin if entry.get("held", True) else self.walk_from
            change(entry["inst_id"], Decimal(entry["px"]), entry["ts"])
            self.quotes[entry["inst_id"]].refresh(self._started)
        if entry["kind"] == "fill":
            self._replay_fill(entry)

    def _replay_fill(self, entry: Entry) -> None:
        """The two sides of a trade have one id; it was traded once, mostly in public."""
        quote = self.quotes[entry["inst_id"]]
        trade_id = abs(int(entry["trade_id"]))
        if trade_id != quote.replayed and entry.get("printed", True):
            quote.walk.traded(Decimal(entry["px"]), Decimal(entry["sz"]), entry["ts"])
        quote.replayed = trade_id
        quote.tape.next_id = max(quote.tape.next_id, trade_id)

    def _changed(self, inst_id: str, now_ms: int) -> None:
        """A price set by hand is also printed: one trade of the smallest size."""
        quote = self.quotes[inst_id]
        side = "buy" if quote.walk.price(now_ms) >= quote.last else "sell"
        quote.stepped = now_ms // STEP_MS
        quote.refresh(now_ms)
        self.traded(inst_id, side, quote.last, quote.instrument.minimum, now_ms)


def _advance(quote: Quote, after: int, now_ms: int) -> None:
    """Print the steps that have passed (after a long pause the newest) and take the new prices."""
    since, quote.stepped = quote.stepped, after
    low, high = quote.last, quote.last
    for step in range(max(since, after - _STEPS_PRINTED), after):
        bar = quote.walk.move(step)
        if bar is not None:
            quote.tape.print_move(bar, step)
            low, high = min(low, bar.low), max(high, bar.high)
    quote.refresh(now_ms)
    quote.low, quote.high = min(low, quote.last), max(high, quote.last)


def _first_quote(market: Market, listed: Instrument, now_ms: int) -> Quote:
    """With some trades of the time just before."""
    walk = Walk(listed, market.seed, market.speed)
    if not market.moving:
        walk.start_from(listed.first_price, now_ms)
    now_step = now_ms // STEP_MS
    price = walk.price(now_ms)
    quote = Quote(
        instrument=listed,
        walk=walk,
        depth=Depth(listed, market.seed),
        tape=Tape(listed, now_ms - _IDS_SINCE_MS),
        last=price,
        mark=walk.price(now_ms, "mark"),
        index=walk.price(now_ms, "index"),
        low=price,
        high=price,
        ts=now_ms,
        stepped=now_step,
    )
    for step in range(now_step - _FIRST_TRADES, now_step):
        bar = walk.move(step)
        if bar is not None:
            quote.tape.print_move(bar, step)
    return quote


def _nothing_rests(_inst_id: str, _side: str) -> Iterable[Level]:
    """The hook `resting(inst_id, "buy" or "sell")` until an exchange sets its own."""
    return ()
