"""How a link wants its openings to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from strategies.enums import FlipPolicy, OpenOrders


@dataclass(frozen=True, slots=True)
class LadderTerms:
    """Limit copying: so many orders, from the nearest to the farthest discount."""

    discount_min: Decimal = Decimal("0.01")
    discount_max: Decimal = Decimal("0.04")
    rungs: int = 1
    max_orders: int = 4
    post_only: bool = False


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """How a link opens. `max_slippage` None: no price is too bad."""

    open_orders: OpenOrders = OpenOrders.MARKET
    max_slippage: Decimal | None = None
    flip_policy: FlipPolicy = FlipPolicy.FOLLOW
    ladder: LadderTerms = LadderTerms()

    @property
    def waits(self) -> bool:
        """Openings wait at a discount for the market to come to them."""
        return self.open_orders == OpenOrders.LIMIT


AT_MARKET = PriceTerms()
