"""Customers' resting orders of every instrument, sorted by price and then by arrival."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trading.simulator.state import Order

RESTING_TYPES: Final = ("limit", "post_only")

Rank = tuple[Decimal, int, str]


@dataclass(slots=True)
class Resting:
    """The best order of a side is the last of its list, where taking it out costs least."""

    orders: dict[str, Order] = field(default_factory=dict)
    arrivals: int = 0
    _ranks: dict[str, Rank] = field(default_factory=dict)
    _sides: dict[tuple[str, str], list[Rank]] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """At the end of the queue of its price; orders that never rest are left out."""
        if order.px is None or order.ord_type not in RESTING_TYPES:
            return
        self.arrivals += 1
        key = order.px if order.side == "buy" else -order.px
        rank = (key, -self.arrivals, order.ord_id)
        self.orders[order.ord_id], self._ranks[order.ord_id] = order, rank
        insort(self._sides.setdefault((order.inst_id, order.side), []), rank)

    def remove(self, order: Order) -> None:
        rank = self._ranks.pop(order.ord_id, None)
        if rank is None:
            return
        del self.orders[order.ord_id]
        side = self._sides[(order.inst_id, order.side)]
        del side[bisect_left(side, rank)]

    def best(self, inst_id: str, side: str) -> Order | None:
        """The order of this side that a taker meets first."""
        ranks = self._sides.get((inst_id, side))
        return self.orders[ranks[-1][2]] if ranks else None

    def walk(self, inst_id: str, side: str) -> Iterator[Order]:
        """Best first; the book must not change meanwhile."""
        for *_, ord_id in reversed(self._sides.get((inst_id, side), ())):
            yield self.orders[ord_id]

    def depth(self, inst_id: str, side: str) -> Iterator[tuple[Decimal, Decimal, int]]:
        """Price, size and number of orders of each level, best first."""
        for price, group in groupby(self.walk(inst_id, side), key=lambda order: order.px):
            orders = list(group)
            if price is not None:
                yield price, sum((each.remaining for each in orders), Decimal(0)), len(orders)
