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
# Whose stops follow the leader's. Who is paused is left alone, also because somebody else
# traded there.
FOLLOWED = (_S.ACTIVE, _S.CLOSE_ONLY)
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
    """What the size of an opening comes from; afterwards the leader's position is followed."""

    FIXED_RATIO = "FIXED_RATIO", _("Fixed ratio of the leader's quantity")
    EQUITY_PROPORTIONAL = "EQUITY_PROPORTIONAL", _("In proportion to equity")
    MARGIN_PROPORTIONAL = "MARGIN_PROPORTIONAL", _("In proportion to margin used")
    FIXED_NOTIONAL = "FIXED_NOTIONAL", _("Fixed notional per opening")
    FIXED_MARGIN = "FIXED_MARGIN", _("Fixed margin per opening")
    FIXED_QTY = "FIXED_QTY", _("Fixed quantity per opening")
    PCT_AVAILABLE = "PCT_AVAILABLE", _("Share of the available balance")
    FIXED_RISK = "FIXED_RISK", _("Fixed risk up to the stop loss")


# The leader's equity must be known to size in proportion to it.
LEADER_SIZED = frozenset({SizingMode.EQUITY_PROPORTIONAL, SizingMode.MARGIN_PROPORTIONAL})
# The size of these is a margin, which is worth as much as the leverage makes of it.
MARGIN_SIZED = frozenset(
    {SizingMode.MARGIN_PROPORTIONAL, SizingMode.FIXED_MARGIN, SizingMode.PCT_AVAILABLE}
)
FIXED_AMOUNTS = frozenset(
    {SizingMode.FIXED_NOTIONAL, SizingMode.FIXED_MARGIN, SizingMode.FIXED_QTY}
)


class LeverageMode(TextChoices):
    FOLLOW = "follow", _("As the leader")
    FIXED = "fixed", _("Fixed")
    KEEP = "keep", _("As the account is set")


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


class MarginChoice(TextChoices):
    """The margin mode to trade with, or whichever the leader trades with."""

    CROSS = "cross", _("Cross")
    ISOLATED = "isolated", _("Isolated")
    COPY = "copy", _("As the leader")
