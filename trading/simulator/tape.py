"""The public trades of an instrument: the newest are kept, with rising ids."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Final

from trading.simulator.instruments import Instrument
from trading.simulator.paths import STEP_MS
from trading.simulator.walks import PriceBar

_KEPT: Final = 1000
_APART_MS: Final = STEP_MS // 5


@dataclass(frozen=True, slots=True)
class PublicTrade:
    inst_id: str
    trade_id: str
    price: Decimal
    size: Decimal
    side: str
    ts: int


@dataclass(slots=True)
class Tape:
    """`next_id` rises by the trade; it starts from the time, so that a restart repeats none."""

    instrument: Instrument
    next_id: int
    trades: deque[PublicTrade] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def print(self, side: str, price: Decimal, size: Decimal, ts: int) -> str:
        self.next_id += 1
        trade_id = str(self.next_id)
        self.trades.append(PublicTrade(self.instrument.inst_id, trade_id, price, size, side, ts))
        return trade_id

    def print_move(self, bar: PriceBar, step: int) -> None:
        """Trades whose prices and sizes add up to the bar of this step."""
        rises = bar.close >= bar.open
        turns = (bar.low, bar.high) if rises else (bar.high, bar.low)
        route = (bar.open, *turns, bar.close)
        prices = [bar.open, *(after for before, after in pairwise(route) if after != before)]
        lot = self.instrument.lot
        part = lot * int(bar.volume / lot / len(prices))
        left, ts, before = bar.volume, step * STEP_MS, bar.open
        for price in prices[:-1]:
            self.print("buy" if price >= before else "sell", price, part, ts)
            left, ts, before = left - part, ts + _APART_MS, price
        self.print("buy" if prices[-1] >= before else "sell", prices[-1], left, ts)
