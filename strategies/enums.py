"""The words of following."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class StrategyStatus(TextChoices):
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    ARCHIVED = "archived", _("Archived")


STRATEGY_NEXT = {
    StrategyStatus.ACTIVE: frozenset({StrategyStatus.PAUSED, StrategyStatus.ARCHIVED}),
    StrategyStatus.PAUSED: frozenset({StrategyStatus.ACTIVE, StrategyStatus.ARCHIVED}),
    StrategyStatus.ARCHIVED: frozenset({StrategyStatus.PAUSED}),
}


class SubscriptionStatus(TextChoices):
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    CLOSE_ONLY = "close_only", _("Close only")
    STOPPED = "stopped", _("Stopped")


_S = SubscriptionStatus
# Stopped ends a following; only subscribing anew begins another.
SUBSCRIPTION_NEXT = {
    _S.ACTIVE: frozenset({_S.PAUSED, _S.CLOSE_ONLY, _S.STOPPED}),
    _S.PAUSED: frozenset({_S.ACTIVE, _S.CLOSE_ONLY, _S.STOPPED}),
    _S.CLOSE_ONLY: frozenset({_S.ACTIVE, _S.PAUSED, _S.STOPPED}),
    _S.STOPPED: frozenset[SubscriptionStatus](),
}


class CloseType(TextChoices):
    """What becomes of the positions of a following that is stopped."""

    COPY_CLOSE = "copy_close", _("Follow the leader's closes until flat")
    MARKET_CLOSE = "market_close", _("Close at market now")
    MANUAL_CLOSE = "manual_close", _("Leave the positions to a person")


class CopyExisting(TextChoices):
    """What becomes of what the leader holds when a following begins."""

    NO = "no", _("Not copied")
    IF_PRICE_BETTER = "if_price_better", _("Copied where the price is no worse than the leader's")
    ALWAYS = "always", _("Copied")


class SizingMode(TextChoices):
    FIXED_RATIO = "FIXED_RATIO", _("Fixed ratio of the leader's quantity")
    FIXED_NOTIONAL = "FIXED_NOTIONAL", _("Fixed notional per opening")


class MinSizePolicy(TextChoices):
    SKIP = "skip", _("Skip")
    ROUND_UP = "round_up", _("Round up to the minimum")


class OverMaxPolicy(TextChoices):
    SCALE_DOWN = "scale_down", _("Make smaller")
    SKIP = "skip", _("Skip")


class ProtectionBasis(TextChoices):
    """What a take profit's or a stop loss's ratio is a part of."""

    PRICE = "price", _("The price")
    MARGIN = "margin", _("The margin (return)")


class MarginMode(TextChoices):
    CROSS = "cross", _("Cross")
    ISOLATED = "isolated", _("Isolated")


class OpenOrders(TextChoices):
    """How an opening is sent; closes always go to the market."""

    IOC = "ioc", _("At the bound, at once or not at all")
    MARKET = "market", pgettext_lazy("openings are sent", "At the market")
    LIMIT = "limit", _("Limit copying, at a discount")


class FlipPolicy(TextChoices):
    """What a leader's reversal does to a follower who holds the position that is turned."""

    FOLLOW = "follow", _("Close and open the other way")
    CLOSE_ONLY = "close_only", pgettext_lazy("a reversal", "Close only")
