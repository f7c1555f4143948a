"""A way of following, and the sources it listens to."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import ExactDecimalField
from accounts.roles import Ability, may
from accounts.tenancy import TenantManager, TenantModel, TenantQuerySet
from signals.models import SignalSource
from strategies.enums import (
    FlipPolicy,
    LeverageMode,
    MarginChoice,
    MinSizePolicy,
    OpenOrders,
    OverMaxPolicy,
    SizingMode,
    StrategyStatus,
)
from strategies.protection import StrategyProtection
from strategies.refusing import (
    refused_instrument_terms,
    refused_instruments,
    refused_sources,
    refused_terms,
)

if TYPE_CHECKING:
    from accounts.models import User


MOST_RUNGS = 20
SLIPPAGE = [MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal("0.5"))]
_DISCOUNT = [MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal("0.04"))]


class StrategyQuerySet(TenantQuerySet["Strategy"]):
    def active(self) -> StrategyQuerySet:
        return self.filter(status=StrategyStatus.ACTIVE)

    def waiting_for(self, source_id: int) -> StrategyQuerySet:
        """Those whose openings of this source's signals wait at a discount."""
        return self.filter(source_links__source=source_id, open_orders=OpenOrders.LIMIT)

    def visible_to(self, user: User) -> StrategyQuerySet:
        if may(user, Ability.READ_ROWS):
            return self
        return self.filter(subscriptions__account__customer__portal_user=user).distinct()


class Strategy(StrategyProtection, TenantModel):
    """A way of following one or more sources."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    sources: Any = models.ManyToManyField(
        SignalSource,
        verbose_name=_("sources"),
        through="StrategySource",
        related_name="strategies",
    )
    instruments = models.JSONField(
        _("instruments"),
        default=list,
        blank=True,
        help_text=_("OKX instrument ids. Empty means all."),
    )
    denied_instruments = models.JSONField(
        _("never traded"),
        default=list,
        blank=True,
        help_text=_("OKX instrument ids that are left out, whatever else is allowed."),
    )
    instrument_terms = models.JSONField(
        _("terms by instrument"),
        default=dict,
        blank=True,
        help_text=_("What holds for one of the leader's instruments instead."),
    )
    reverse = models.BooleanField(
        _("reverse"),
        default=False,
        help_text=_(
            "Sell what the leader buys, and the other way round. Take profit and stop loss change "
            "places."
        ),
    )

    sizing_mode = models.CharField(
        _("sizing"), max_length=32, choices=SizingMode, default=SizingMode.FIXED_RATIO
    )
    follow_ratio = ExactDecimalField(
        _("follow ratio"),
        default=Decimal("0.1"),
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(100))],
        help_text=_("0.1 follows a tenth of the leader's quantity."),
    )
    equity_multiplier = ExactDecimalField(
        _("equity multiplier"),
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(100))],
        help_text=_("For sizing in proportion to equity. 1 takes the same share as the leader."),
    )
    fixed_notional = ExactDecimalField(
        _("notional per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("USDT, for fixed notional sizing."),
    )
    fixed_margin = ExactDecimalField(
        _("margin per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("USDT, for fixed margin sizing. Times leverage, it is the notional."),
    )
    fixed_quantity = ExactDecimalField(
        _("quantity per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.00000001"))],
        help_text=_("Contracts, on spot coins, for fixed quantity sizing."),
    )
    available_ratio = ExactDecimalField(
        _("share of the available balance"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(1))],
        help_text=_("0.05 puts up a twentieth of what is available as margin."),
    )
    risk_ratio = ExactDecimalField(
        _("risk per opening"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(1))],
        help_text=_(
            "0.01 loses a hundredth of the equity at the stop loss. Openings without one are not "
            "copied."
        ),
    )
    per_signal = models.BooleanField(
        _("the amount again for each addition"),
        default=False,
        help_text=_(
            "For fixed amounts: each addition of the leader buys the amount once more. Otherwise "
            "additions follow the leader's position in proportion."
        ),
    )
    allocated_capital = ExactDecimalField(
        _("allocated capital"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_(
            "USDT of each follower. No more than this counts as its equity, and the margin of all "
            "positions copied by this strategy stays within it. Empty means all."
        ),
    )
    max_account_leverage = ExactDecimalField(
        _("maximum exposure"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_(
            "All positions of an account together, as a multiple of its equity. Empty means any."
        ),
    )
    min_size_policy = models.CharField(
        _("below the minimum"), max_length=16, choices=MinSizePolicy, default=MinSizePolicy.SKIP
    )
    round_up_floor = ExactDecimalField(
        _("round up from"),
        default=Decimal("0.5"),
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal(1))],
        help_text=_("0.5 rounds up what is at least half of the exchange's minimum."),
    )
    over_max_policy = models.CharField(
        _("above the maximum"),
        max_length=16,
        choices=OverMaxPolicy,
        default=OverMaxPolicy.SCALE_DOWN,
    )
    margin_mode = models.CharField(
        _("margin mode"), max_length=16, choices=MarginChoice, default=MarginChoice.CROSS
    )
    leverage_mode = models.CharField(
        _("leverage"), max_length=16, choices=LeverageMode, default=LeverageMode.FOLLOW
    )
    leverage = ExactDecimalField(
        _("fixed at"),
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(1))],
        help_text=_("Times, for a fixed leverage. The maximum below still holds."),
    )
    max_leverage = ExactDecimalField(
        _("maximum leverage"), default=Decimal(1), validators=[MinValueValidator(Decimal(1))]
    )
    max_age_seconds = models.PositiveIntegerField(
        _("opens expire after"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text=_("Seconds after the signal's time. Closes never expire."),
    )

    # prices
    open_orders = models.CharField(
        _("openings are sent"), max_length=16, choices=OpenOrders, default=OpenOrders.IOC
    )
    max_slippage = ExactDecimalField(
        _("maximum slippage"),
        default=Decimal("0.005"),
        validators=SLIPPAGE,
        help_text=_(
            "0.005 refuses an opening whose price is more than 0.5 % worse than the leader's. "
            "Closes are never refused."
        ),
    )
    flip_policy = models.CharField(
        _("reversals"), max_length=16, choices=FlipPolicy, default=FlipPolicy.FOLLOW
    )

    # limit copying
    discount_min = ExactDecimalField(
        _("nearest discount"),
        default=Decimal("0.01"),
        validators=_DISCOUNT,
        help_text=_("0.01 to 0.04: so much below the leader's price, of a short above it."),
    )
    discount_max = ExactDecimalField(
        _("farthest discount"), default=Decimal("0.04"), validators=_DISCOUNT
    )
    rungs = models.PositiveSmallIntegerField(
        _("orders per signal"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_RUNGS)],
        help_text=_("Spread evenly from the nearest to the farthest discount."),
    )
    max_orders = models.PositiveSmallIntegerField(
        _("most waiting orders"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_RUNGS)],
        help_text=_("Of one customer and source. What is beyond is not placed."),
    )
    post_only = models.BooleanField(
        _("post-only"), default=False, help_text=_("An order that would trade at once is canceled.")
    )
    ttl_hours = models.PositiveSmallIntegerField(
        _("waiting orders end after"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(720)],
        help_text=_("Hours."),
    )

    refuse_repeats = models.BooleanField(
        _("refuse repeats"),
        default=False,
        help_text=_(
            "Refuse an opening of the same size on the same side within two seconds of another "
            "signal's. Leave it off where fast additions are meant."
        ),
    )

    status = models.CharField(
        _("status"), max_length=16, choices=StrategyStatus, default=StrategyStatus.ACTIVE
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(StrategyQuerySet)()

    class Meta(TenantModel.Meta):
        verbose_name = _("strategy")
        verbose_name_plural = _("strategies")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="strategy_name_per_tenant"),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self._check_ladder()
        errors = {
            **refused_terms(self),
            **refused_instruments(self),
            **refused_instrument_terms(self.instrument_terms),
        }
        if self.pk and not errors:
            errors = refused_sources(self.sizing_mode, [link.source for link in self._listens_to()])
        if errors:
            raise ValidationError(errors)

    def _check_ladder(self) -> None:
        if self.open_orders != OpenOrders.LIMIT:
            return
        if self.discount_min > self.discount_max:
            raise ValidationError(
                {"discount_max": _("Must not be smaller than the nearest discount.")}
            )
        if self.rungs > self.max_orders:
            raise ValidationError({"rungs": _("Must not be more than may wait at once.")})

    def trades(self, inst_id: str) -> bool:
        if inst_id in self.denied_instruments:
            return False
        return not self.instruments or inst_id in self.instruments

    def _listens_to(self) -> Any:
        return self.source_links.select_related("source")


class StrategySource(TenantModel):
    """A strategy listening to a source."""

    strategy = models.ForeignKey(Strategy, on_delete=models.CASCADE, related_name="source_links")
    source = models.ForeignKey(
        SignalSource,
        verbose_name=_("source"),
        on_delete=models.PROTECT,
        related_name="strategy_links",
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("source of a strategy")
        verbose_name_plural = _("sources of strategies")
        constraints = (
            models.UniqueConstraint(fields=("strategy", "source"), name="strategy_source_once"),
        )

    def __str__(self) -> str:
        return f"{self.strategy} ← {self.source}"

    def clean(self) -> None:
        source, strategy = (getattr(self, name, None) for name in ("source", "strategy"))
        if source is None or strategy is None:
            return  # said beside the field
        modes = {strategy.sizing_mode}
        if strategy.pk:
            modes.update(
                strategy.subscriptions.exclude(sizing_mode="").values_list("sizing_mode", flat=True)
            )
        for mode in modes:
            refused = refused_sources(mode, [source])
            if refused:
                raise ValidationError({"source": refused["sizing_mode"]})
