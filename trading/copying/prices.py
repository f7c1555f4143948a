"""What an opening asks of the market, and how much worse than the leader it may fare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from signals.enums import Direction, SignalPurpose
from signals.models import Signal
from strategies.enums import OpenOrders
from trading.copying.ladder import Rung, discounts, ladder, rung_price
from trading.copying.legs import LegStep, has_nothing
from trading.copying.price_terms import LadderTerms
from trading.copying.reading import Facts
from trading.enums import Leg, OrderType
from trading.risk import INCREASES, PriceNumbers
from trading.sizing import InstrumentRules, ceil_lot, floor_lot
from trading.sizing.exact import product


@dataclass(frozen=True, slots=True)
class Asking:
    """What a leg asks of the market. `price` None: whatever it gives.

    `reference` is the price that the leader paid, the mark where nobody said; `max_slippage`
    how much worse than it the market may be.
    """

    order_type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    reference: Decimal | None = None
    max_slippage: Decimal | None = None
    discount: Decimal = Decimal(0)
    buys: bool = True
    ladder: LadderTerms | None = None

    @property
    def is_limit(self) -> bool:
        """Does it name a price? Then the exchange takes more of it at once."""
        return self.order_type != OrderType.MARKET

    def rungs(self, total: Decimal, rules: InstrumentRules) -> tuple[Rung, ...]:
        """The orders of a ladder; of all else there are none."""
        if self.ladder is None or self.reference is None:
            return ()
        return ladder(total, self.reference, rules, self.ladder, buys=self.buys)

    @property
    def numbers(self) -> PriceNumbers:
        return PriceNumbers(
            price=self.price,
            reference=self.reference,
            max_slippage=self.max_slippage,
            discount=self.discount,
            buys=self.buys,
            is_bound=self.order_type == OrderType.IOC,
        )


AT_MARKET = Asking()


def asking(signal: Signal, leg: LegStep, facts: Facts) -> Asking:
    """Openings at the bound, at once or not at all, where the leader's price is known.

    Without it, and for whatever reduces, at the market.
    """
    terms, market = facts.link.prices, facts.market
    if leg.leg not in INCREASES or market is None:
        return AT_MARKET
    buys = leg.direction == Direction.LONG
    said = _leaders_price(signal, leg, facts)
    if terms.waits:
        return _waiting(said or market.mark, facts, market.rules, buys=buys)
    guarded = Asking(OrderType.MARKET, None, said or market.mark, terms.max_slippage, buys=buys)
    if terms.open_orders != OpenOrders.IOC or said is None or terms.max_slippage is None:
        return guarded
    price = worst_price(said, terms.max_slippage, market.rules.tick_size, buys=buys)
    return Asking(OrderType.IOC, price, said, terms.max_slippage, buys=buys)


def _waiting(
    reference: Decimal | None, facts: Facts, rules: InstrumentRules, *, buys: bool
) -> Asking:
    """A ladder with as many rungs as may still wait; told by its farthest."""
    terms = facts.link.prices.ladder
    room = max(terms.max_orders - facts.waiting_orders, 1)
    terms = replace(terms, rungs=min(terms.rungs, room))
    kind = OrderType.POST_ONLY if terms.post_only else OrderType.LIMIT
    farthest = discounts(terms)[-1]
    price = reference and rung_price(reference, farthest, rules.tick_size, buys=buys)
    return Asking(kind, price, reference, None, farthest, buys=buys, ladder=terms)


def worst_price(
    reference: Decimal, max_slippage: Decimal, tick_size: Decimal, *, buys: bool
) -> Decimal:
    """The last tick that is no worse than the bound."""
    if buys:
        return floor_lot(product(reference, 1 + max_slippage), tick_size)
    return ceil_lot(product(reference, 1 - max_slippage), tick_size)


def _leaders_price(signal: Signal, leg: LegStep, facts: Facts) -> Decimal | None:
    """What the leader paid: for the whole position where the follower has nothing of it yet."""
    if signal.purpose == SignalPurpose.EXISTING:
        return None  # whatever it costs by now
    if facts.link.inst_id != signal.inst_id:
        return None  # the price of another instrument says nothing about this one
    running = facts.cycles.get(leg.direction)
    if leg.leg == Leg.ADD and running is not None and has_nothing(running):
        entry: Decimal | None = signal.leader_entry or signal.reference_price
        return entry
    paid: Decimal | None = signal.reference_price
    return paid
