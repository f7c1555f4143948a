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

from accounts.questions import Question
from trading.enums import BreakerCause, BreakerState
from trading.models import Breaker, MarketPrice
from trading.risk import NO_OBSTACLES, Obstacles

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
    accounts: Mapping[int, Obstacles] = field(default_factory=dict)
    markets: Mapping[str, Obstacles] = field(default_factory=dict)
    links: Mapping[int, Obstacles] = field(default_factory=dict)

    def context(
        self, *, account_id: int, market: str, inst_id: str, subscription_id: int | None
    ) -> dict[str, Any]:
        """The columns of `risk.RiskContext` that are filled in from here, for one order."""
        quote = self.quotes.get((market, inst_id), NO_QUOTE)
        return {
            "mark": quote.mark,
            "spread": quote.spread,
            "obstacles": self._obstacles(account_id, market, subscription_id),
        }

    def _obstacles(self, account_id: int, market: str, subscription_id: int | None) -> Obstacles:
        of_account = self.accounts.get(account_id, NO_OBSTACLES)
        if subscription_id is not None and subscription_id in self.links:
            of_account |= self.links[subscription_id]
        of_market = self.markets.get(market, NO_OBSTACLES)
        return of_account if of_market is NO_OBSTACLES else of_account | of_market


_OPEN_BREAKERS = Question(
    lambda: (
        Breaker.objects.exclude(state=BreakerState.CLOSED)
        .order_by()
        .values_list("account_id", "subscription_id", "market", "cause")
    )
)


def read_guards(*, prices: Iterable[MarketPrice], now: datetime) -> Guards:
    """One query, however many accounts: whatever is open in the scope, which is little."""
    accounts: dict[int, Obstacles] = {}
    links: dict[int, Obstacles] = {}
    markets: dict[str, Obstacles] = {}
    for account_id, subscription_id, market, cause in _OPEN_BREAKERS.ask():
        found = obstacles_of(cause)
        if subscription_id is not None:
            links[subscription_id] = links.get(subscription_id, NO_OBSTACLES) | found
        elif account_id is None:
            markets[market] = markets.get(market, NO_OBSTACLES) | found
        else:
            accounts[account_id] = accounts.get(account_id, NO_OBSTACLES) | found
    quotes = {(p.market, p.inst_id): quote(p, now) for p in prices}
    return Guards(quotes, accounts, markets, links)


def obstacles_of(cause: str) -> Obstacles:
    """What an open breaker of this cause stops."""
    match cause:
        case BreakerCause.MAINTENANCE:
            return Obstacles(maintenance=True)
        case BreakerCause.UNRESOLVED:
            return Obstacles(account_breaker=True, account_stopped=True)
        case BreakerCause.LOSS_LIMIT:
            return Obstacles(loss_limit=True)
        case BreakerCause.MARGIN_LOW:
            return Obstacles(margin_low=True)
        case BreakerCause.REJECTS:
            return Obstacles(account_breaker=True)
        case _:
            return Obstacles(market_breaker=True)


def quote(price: MarketPrice, now: datetime) -> Quote:
    """The spread of a ticker that nobody renewed for a minute says nothing."""
    fresh = price.ticker_at is not None and now - price.ticker_at <= TICKER_FRESH
    if not fresh or not price.bid or not price.ask or price.ask < price.bid:
        return Quote(price.mark)
    return Quote(price.mark, 2 * (price.ask - price.bid) / (price.ask + price.bid))
