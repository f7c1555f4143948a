"""One leg of one follower's orders, before they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from signals.enums import Direction
from trading.copying.prices import AT_MARKET, Asking
from trading.enums import Leg


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """One leg, in slices the exchange takes."""

    leg: Leg
    direction: Direction
    quantities: tuple[Decimal, ...]
    price: Decimal | None
    notional: Decimal | None
    leverage: Decimal | None
    keeps_leverage: bool
    margin_mode: str
    leader_after: Decimal
    in_cycle: Direction | None
    waits_for_close: bool = False
    asking: Asking = AT_MARKET
    # Of each slice; empty where the market's is taken.
    prices: tuple[Decimal | None, ...] = ()

    def asked_numbers(self) -> Iterator[tuple[str, Decimal]]:
        """What an order that names its price is explained with; nothing for one that does not."""
        asks = self.asking
        if not asks.is_limit:
            return
        told = [("reference_price", asks.reference)]
        if asks.ladder is None:
            told.append(("bound", asks.price))
        else:
            told += [("nearest_price", self.prices[0]), ("farthest_price", self.prices[-1])]
            told.append(("rungs", Decimal(len(self.prices))))
        yield from ((name, value) for name, value in told if value is not None)

    def asked(self, slice_number: int) -> Decimal | None:
        """The price of one slice."""
        return self.prices[slice_number] if self.prices else self.asking.price
