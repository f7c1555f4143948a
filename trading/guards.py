"""What stands in the way of whole accounts, instruments and markets, read for a batch at once.

Copying reads it when it decides, marking reads it again inside its transaction; both hand it to
`risk.check` as a part of the context.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.models import MarketPrice

TICKER_FRESH = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Quote:
    """What an instrument costs: the mark, and (ask - bid) / mid where a fresh book is known."""

    mark: Decimal | None = None
    spread: Decimal | None = None


NO_QUOTE = Quote()


@dataclass(frozen=True, slots=True)
class Guards:
    """What was read for one batch. Pure from here on."""

    quotes: Mapping[tuple[str, str], Quote] = field(default_factory=dict)

    def context(self, *, account_id: int, market: str, inst_id: str) -> dict[str, Any]:
        """The columns of `risk.RiskContext` that are filled in from here, for one order."""
        quote = self.quotes.get((market, inst_id), NO_QUOTE)
        return {"mark": quote.mark, "spread": quote.spread}


def read_guards(
    *, account_ids: Iterable[int], prices: Iterable[MarketPrice], now: datetime
) -> Guards:
    """A constant number of queries, however many accounts."""
    return Guards(quotes={(p.market, p.inst_id): quote(p, now) for p in prices})


def quote(price: MarketPrice, now: datetime) -> Quote:
    """The spread of a ticker that nobody renewed for a minute says nothing."""
    fresh = price.ticker_at is not None and now - price.ticker_at <= TICKER_FRESH
    if not fresh or not price.bid or not price.ask or price.ask < price.bid:
        return Quote(price.mark)
    return Quote(price.mark, 2 * (price.ask - price.bid) / (price.ask + price.bid))
