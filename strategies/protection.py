"""The stop loss and take profit that a follower gives its own positions, as columns and terms."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField
from strategies.enums import ProtectionBasis

NO_RATIO = Decimal(0)


class ProtectionTerms(NamedTuple):
    """What is attached to each opening; a ratio of 0 attaches nothing.

    `mirror`: the leader's own prices are taken over. Where both name a price, the one that the
    market reaches first counts.
    """

    take_profit_ratio: Decimal = NO_RATIO
    stop_loss_ratio: Decimal = NO_RATIO
    basis: ProtectionBasis = ProtectionBasis.PRICE
    mirror: bool = True


def _ratio(label: Any, words: Any, most: int) -> ExactDecimalField:
    return ExactDecimalField(
        label,
        null=True,
        blank=True,
        validators=[MinValueValidator(NO_RATIO), MaxValueValidator(Decimal(most))],
        help_text=words,
    )


class StrategyProtection(models.Model):
    """The columns of a strategy; an empty ratio attaches nothing."""

    take_profit_ratio = _ratio(_("take profit at"), _("0.1 is 10 %. Empty: none."), 100)
    stop_loss_ratio = _ratio(_("stop loss at"), _("0.05 is 5 %. Empty: none."), 1)
    protection_basis = models.CharField(
        _("ratios are of"),
        max_length=8,
        choices=ProtectionBasis,
        default=ProtectionBasis.PRICE,
        help_text=_("Of the margin, a ratio divided by the leverage is the move of the price."),
    )
    mirror_protection = models.BooleanField(
        _("take over the leader's"),
        default=True,
        help_text=_(
            "Take profits and stop losses of the signal itself. With ratios as well, "
            "whichever price is reached first counts."
        ),
    )

    class Meta:
        abstract = True


class SubscriptionProtection(models.Model):
    """The columns of a subscription; what is empty is the strategy's, a ratio of 0 is none."""

    take_profit_ratio = _ratio(
        _("take profit at"), _("Empty takes the strategy's, 0 is none."), 100
    )
    stop_loss_ratio = _ratio(_("stop loss at"), _("Empty takes the strategy's, 0 is none."), 1)
    protection_basis = models.CharField(
        _("ratios are of"),
        max_length=8,
        choices=ProtectionBasis,
        blank=True,
        default="",
        help_text=_("Empty takes the strategy's."),
    )
    mirror_protection = models.BooleanField(
        _("take over the leader's"),
        null=True,
        blank=True,
        help_text=_("Empty takes the strategy's."),
    )

    class Meta:
        abstract = True


def protection_of(
    strategy: StrategyProtection,
    profit: Decimal | None,
    loss: Decimal | None,
    basis: str,
    mirror: bool | None,
) -> ProtectionTerms:
    """The strategy's terms, and instead of them what the subscription says itself."""
    return ProtectionTerms(
        (strategy.take_profit_ratio if profit is None else profit) or NO_RATIO,
        (strategy.stop_loss_ratio if loss is None else loss) or NO_RATIO,
        ProtectionBasis(basis or strategy.protection_basis),
        strategy.mirror_protection if mirror is None else mirror,
    )
