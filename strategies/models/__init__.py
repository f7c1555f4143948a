"""Who follows what, and how."""

from __future__ import annotations

from strategies.models.strategies import Strategy, StrategyQuerySet, StrategySource
from strategies.models.subscriptions import Subscription, SubscriptionQuerySet

__all__ = [
    "Strategy",
    "StrategyQuerySet",
    "StrategySource",
    "Subscription",
    "SubscriptionQuerySet",
]
