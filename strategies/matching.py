"""Whom a signal concerns."""

from __future__ import annotations

from signals.models import Signal
from strategies.models import Subscription, SubscriptionQuerySet


def match(signal: Signal) -> SubscriptionQuerySet:
    """Every subscription following the signal's source, in a stable order, in one query.

    Paused ones and those whose strategy does not trade the instrument are among them: that
    they were not copied is a decision too (`subscription.strategy.trades(signal.inst_id)`).
    A signal for one account follows nobody. Account, customer and strategy come loaded.
    """
    if signal.account_id is not None:
        nobody: SubscriptionQuerySet = Subscription.objects.none()
        return nobody
    found: SubscriptionQuerySet = Subscription.objects.following(signal.source)
    return found.select_related("strategy", "account__customer").order_by("pk")
